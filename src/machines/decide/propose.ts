/**
 * Decisions before a tool runs: preflight and propose (semantics.md §5, §7).
 *
 * Admission is atomic: the calls are judged one after another, each on what the calls before it would take, and either all
 * are admitted or queued, or none is. Nothing may run before that.
 */
import type { Prepared as PreparedAnswer, Proposed, ProposedStep } from "../answers.ts"
import { boundResources } from "../bindings.ts"
import type { Call, CommandOf, Usage } from "../commands.ts"
import type { ToolContract } from "../definition.ts"
import type { EventBody, EventOf, NewStep } from "../events.ts"
import { fromMicros, type Json, type Micros } from "../ids.ts"
import { checkRoom, limitsCost, type Pending, remaining } from "../ledger.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { Takes, unknownResource } from "../resources.ts"
import type { Prepared, Session, State } from "../state.ts"
import { accept, type Decision, type Facts, isRefusal, nextSeq, nextVersion, no, refused } from "./context.ts"
import { activeSession, archivedSession } from "./guards.ts"

export const preflight = (state: State, command: CommandOf<"preflight">, facts: Facts): Decision<PreparedAnswer> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const cost = command.estimatedCost ?? defaultCost(state, session.role, undefined)
  if (cost === undefined) return refused(unknownCost(session.role, null))
  const tokens = command.estimatedTokens ?? 0
  const refusal = checkRoom(state, session.role, "maxCost", cost) ?? checkRoom(state, session.role, "maxTokens", tokens)
  if (refusal !== undefined) return refused(refusal)
  const preparedRequestId = facts.id("prepared")
  const deadline = facts.now + state.rules.definition.preflightTimeoutMs
  const left = (name: "maxCost" | "maxTokens" | "maxSteps", taken: number): number | null => {
    const room = remaining(state, session.role, name)
    return room === null ? null : Math.max(0, room - taken)
  }
  const money = left("maxCost", cost)
  return accept(
    [{ _tag: "budget.reserved", sessionId: session.sessionId, preparedRequestId, cost, tokens, deadline }],
    {
      preparedRequestId,
      expiresAt: deadline,
      remaining: {
        cost: money === null ? null : fromMicros(money),
        tokens: left("maxTokens", tokens),
        steps: left("maxSteps", 0),
      },
      stateVersion: nextVersion(session),
      seq: nextSeq(state),
    },
  )
}

export const propose = (state: State, command: CommandOf<"propose">, facts: Facts): Decision<Proposed> => {
  const usage = facts.usageSettled === true ? undefined : command.usage
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session, settled(state, command, usage, facts))
  if (command.calls.length === 0 && command.usage === undefined && command.preparedRequestId === undefined)
    return no(
      "invalid_request",
      "A proposal without calls settles what a model turn has used: give usage or preparedRequestId.",
      { errors: [{ path: "calls", message: "Expected a call, usage or preparedRequestId" }] },
    )
  const prepared = preparedRequest(state, session, command)
  if (isRefusal(prepared)) return refused(prepared, settled(state, command, usage, facts))
  const judged = judge(state, session, command, prepared, usage, facts)
  if (isRefusal(judged)) return refused(judged, settled(state, command, usage, facts))
  return accept([judged], {
    steps: judged.steps.map(proposed),
    stateVersion: nextVersion(session),
    seq: nextSeq(state),
  })
}

const proposed = ({ stepId, tool, status, fences, deadline }: NewStep): ProposedStep =>
  deadline === undefined
    ? { stepId, tool, status, fences }
    : { stepId, tool, status, fences, approvalDeadline: deadline }

/** The usage of a refused proposal is spent all the same, also by a dead session of this workflow. */
const settled = (
  state: State,
  command: CommandOf<"propose">,
  usage: Usage | undefined,
  facts: Facts,
): ReadonlyArray<EventBody> => {
  if (usage === undefined) return []
  const session = state.sessions.get(command.sessionId) ?? archivedSession(state, command.sessionId, facts)
  return session === undefined
    ? []
    : [{ _tag: "usage.settled", sessionId: session.sessionId, role: session.role, usage }]
}

const preparedRequest = (
  state: State,
  session: Session,
  command: CommandOf<"propose">,
): Prepared | undefined | Refusal => {
  if (command.preparedRequestId === undefined) return undefined
  const prepared = state.prepared.get(command.preparedRequestId)
  if (prepared === undefined || prepared.sessionId !== session.sessionId)
    return refuse(
      "prepared_request_invalid",
      `Prepared request ${command.preparedRequestId} is unknown, used or expired. Preflight again.`,
      { preparedRequestId: command.preparedRequestId },
    )
  // Without calls nothing is decided on that version: the reservation returns in any case.
  if (command.calls.length > 0 && prepared.version !== session.version)
    return refuse(
      "version_mismatch",
      `Session ${session.sessionId} moved from version ${prepared.version} to ${session.version} since the preflight.`,
      { expectedVersion: prepared.version, stateVersion: session.version },
    )
  return prepared
}

/** What the calls so far would reserve, and what usage and the prepared request change before them. */
interface Running {
  steps: number
  cost: Micros
  tokens: number
  readonly spentCost: Micros
  readonly spentTokens: number
}

const judge = (
  state: State,
  session: Session,
  command: CommandOf<"propose">,
  prepared: Prepared | undefined,
  usage: Usage | undefined,
  facts: Facts,
): EventOf<"steps.proposed"> | Refusal => {
  const takes = new Takes(state, session, facts.archive.resources)
  const running: Running = {
    steps: 0,
    cost: -(prepared?.cost ?? 0),
    tokens: -(prepared?.tokens ?? 0),
    spentCost: usage?.cost ?? 0,
    spentTokens: (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0),
  }
  const steps: Array<NewStep> = []
  const refusals: Array<{ readonly index: number; readonly refusal: Refusal }> = []
  for (const [index, call] of command.calls.entries()) {
    const step = judgeCall(state, session, call, command.wait ?? true, takes, running, facts)
    if (isRefusal(step)) refusals.push({ index, refusal: step })
    else steps.push(step)
  }
  const first = refusals[0]
  if (first !== undefined) return refusedCalls(first.refusal, refusals, command.calls)
  const recalled = takes.recalled()
  return {
    _tag: "steps.proposed",
    sessionId: session.sessionId,
    steps,
    ...(prepared === undefined ? {} : { preparedRequestId: prepared.preparedRequestId }),
    ...(usage === undefined ? {} : { usage }),
    ...(recalled.length > 0 ? { recalled } : {}),
  }
}

const refusedCalls = (
  first: Refusal,
  all: ReadonlyArray<{ readonly index: number; readonly refusal: Refusal }>,
  calls: ReadonlyArray<Call>,
): Refusal =>
  refuse(first.code, first.detail, {
    ...first.facts,
    refusals: all.map(({ index, refusal }) => ({
      index,
      tool: calls[index]?.tool ?? "",
      code: refusal.code,
      detail: refusal.detail,
      ...(refusal.facts as { readonly [name: string]: Json }),
    })),
  })

const judgeCall = (
  state: State,
  session: Session,
  call: Call,
  wait: boolean,
  takes: Takes,
  running: Running,
  facts: Facts,
): NewStep | Refusal => {
  const contract = state.rules.tool(session.role, call.tool)
  const resources = boundResources(call, contract)
  if (isRefusal(resources)) return resources
  for (const ref of resources) if (state.rules.resource(ref.name) === undefined) return unknownResource(state, ref.name)
  const cost = call.estimatedCost ?? defaultCost(state, session.role, contract)
  if (cost === undefined) return unknownCost(session.role, call.tool)
  const tokens = call.estimatedTokens ?? 0
  const { role } = session
  const pending = (used: number, reserved: number): Pending => ({ used, reserved })
  const refusal =
    checkRoom(state, role, "maxSteps", 1, pending(0, running.steps)) ??
    checkRoom(state, role, "maxCost", cost, pending(running.spentCost, running.cost)) ??
    checkRoom(state, role, "maxTokens", tokens, pending(running.spentTokens, running.tokens))
  if (refusal !== undefined) return refusal
  const stepId = facts.id("step")
  const approvalMs = contract === undefined ? null : state.rules.approvalMs(contract)
  const taken = takes.take(stepId, resources, wait, approvalMs !== null)
  if (isRefusal(taken)) return taken
  running.steps += 1
  running.cost += cost
  running.tokens += tokens
  const step: NewStep = {
    stepId,
    tool: call.tool,
    arguments: (call.arguments ?? null) as Json,
    status: taken.status,
    cost,
    tokens,
    resources,
    fences: taken.fences,
  }
  return approvalMs === null ? step : { ...step, deadline: facts.now + approvalMs }
}

/** The estimate of a call that gives none: its tool's, its role's, nothing where no limit asks; undefined is unknown. */
const defaultCost = (state: State, role: string, contract: ToolContract | undefined): Micros | undefined =>
  contract?.estimate ?? state.rules.role(role)?.defaultCost ?? (limitsCost(state, role) ? undefined : 0)

const unknownCost = (role: string, tool: string | null): Refusal =>
  refuse(
    "cost_unknown",
    `${tool === null ? "The request" : `The call of ${tool}`} has no cost estimate, and max_cost is set. Give estimated_cost, ` +
      `the tool's cost.estimate, or default_cost of role ${role}.`,
    { role, tool },
  )
