/** Steps: preflight, propose, receipts in time and late, an operator's resolution (semantics.md §5, §6). */
import type { Call, CommandOf, ReceiptItem } from "../../machines/commands.ts"
import type { ResourceRef } from "../../machines/ids.ts"
import { approvalWait } from "./approvals.ts"
import { finish, grant, type Happening, happening, pass, passDeferred, progress } from "./endings.ts"
import { limitsOf, needRoom } from "./ledger.ts"
import {
  held,
  isUnresolved,
  isWaiting,
  modeOf,
  must,
  sessionById,
  stepById,
  stepsOn,
  uniqueRefs,
  workflowById,
} from "./queries.ts"
import { type Context, livingSession } from "./sessions.ts"
import { declared, type ModelAnswer, Refused, refuse, roleOf, type Session, type Step, type World } from "./state.ts"

/** An estimate that was not given: the tool's, the role's, or nothing where money has no limit. */
const estimate = (world: World, session: Session, given: number | undefined, tool: string | null): number => {
  const role = must(roleOf(world, session.role), session.role)
  const found = given ?? role.tools.find((one) => one.tool === tool)?.estimate ?? role.defaultCost
  if (found !== null) return found
  const limited = [null, session.role].some(
    (scope) => (limitsOf(world, session.workflowId, scope)?.maxCost ?? null) !== null,
  )
  return limited ? refuse("cost_unknown") : 0
}

export const preflight = (world: World, command: CommandOf<"preflight">, { now, ids }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const cost = estimate(world, session, command.estimatedCost, null)
  const tokens = command.estimatedTokens ?? 0
  needRoom(world, session.workflowId, session.role, "maxCost", cost)
  needRoom(world, session.workflowId, session.role, "maxTokens", tokens)
  const id = ids.prepared()
  const deadline = now + world.definition.preflightTimeoutMs
  const event = happening(session.workflowId, now)
  event.touched.add(session.id)
  finish(world, event)
  const { workflowId, version } = session
  world.prepared.push({ workflowId, id, sessionId: session.id, version, cost, tokens, deadline, status: "open" })
  return { preparedRequestId: id, expiresAt: deadline, stateVersion: version }
}

/** Money that a model turn has spent, whatever became of its proposal. */
export const settleUsage = (
  world: World,
  session: Session,
  usage: NonNullable<CommandOf<"propose">["usage"]>,
): void => {
  const tokens = usage.inputTokens + usage.outputTokens
  const { workflowId, role } = session
  world.entries.push({ workflowId, role, cost: usage.cost, tokens, overshootCost: usage.cost, overshootTokens: tokens })
}

export const propose = (
  world: World,
  command: CommandOf<"propose">,
  { now, ids, usageSettled }: Context,
): ModelAnswer => {
  const session = livingSession(world, command)
  const isText = command.calls.length === 0
  if (isText && command.usage === undefined && command.preparedRequestId === undefined) refuse("invalid_request")
  const prepared = world.prepared.find((one) => one.id === command.preparedRequestId)
  if (command.preparedRequestId !== undefined) {
    const good = prepared !== undefined && prepared.sessionId === session.id && prepared.status === "open"
    if (!good && world.fault !== "a prepared request can be used twice") refuse("prepared_request_invalid")
    const moved = prepared !== undefined && good && prepared.version !== session.version
    // A turn that asks for no tool decides nothing on that version.
    if (moved && !isText) refuse("version_mismatch")
  }
  if (command.usage !== undefined && !usageSettled) settleUsage(world, session, command.usage)
  if (prepared !== undefined && !(isText && world.fault === "a text turn keeps its reservation"))
    prepared.status = "used"

  const event = happening(session.workflowId, now)
  event.touched.add(session.id)
  const refusals: Array<Refused> = []
  const steps: Array<Step> = []
  command.calls.forEach((call, index) => {
    try {
      steps.push(admit(world, session, call, { wait: command.wait ?? true, id: ids.step(index), now }))
    } catch (refusal) {
      if (!(refusal instanceof Refused)) throw refusal
      refusals.push(refusal)
    }
  })
  const [first] = refusals
  if (first !== undefined && !(world.fault === "half a proposal is admitted" && steps.length > 0)) throw first
  finish(world, event)
  return {
    stateVersion: session.version,
    steps: steps.map((step) => ({
      stepId: step.id,
      tool: step.tool,
      status: step.status,
      fences: fencesOf(world, step),
      ...(step.status === "awaiting_approval" ? { approvalDeadline: step.deadline } : {}),
    })),
  }
}
const fencesOf = (world: World, step: Step) =>
  step.resources
    .filter((ref) => !isWaiting(step) || modeOf(world, ref) === "single_writer")
    .map((ref) => ({ name: ref.name, key: ref.key, token: held(world, step.workflowId, ref).fence }))

/** Everything that a call touches: what it names and what its tool's contract binds. */
const resourcesOf = (world: World, session: Session, call: Call): ReadonlyArray<ResourceRef> => {
  const contract = roleOf(world, session.role)?.tools.find((one) => one.tool === call.tool)
  const bound = (contract?.resources ?? []).flatMap(({ name, key }) =>
    "constant" in key ? [{ name, key: key.constant }] : [],
  )
  return uniqueRefs([...(call.resources ?? []), ...bound])
}

/** One call, judged on what the calls before it left. All checks come before the first write. */
const admit = (
  world: World,
  session: Session,
  call: Call,
  { wait, id, now }: { readonly wait: boolean; readonly id: string; readonly now: number },
): Step => {
  const { workflowId, role } = session
  const resources = resourcesOf(world, session, call)
  for (const ref of resources) if (declared(world, ref.name) === undefined) refuse("resource_unknown")
  const cost = estimate(world, session, call.estimatedCost, call.tool)
  const tokens = call.estimatedTokens ?? 0
  needRoom(world, workflowId, role, "maxSteps", 1)
  needRoom(world, workflowId, role, "maxCost", cost)
  needRoom(world, workflowId, role, "maxTokens", tokens)
  let queued = false
  for (const ref of resources) {
    const mode = modeOf(world, ref)
    const before = stepsOn(world, workflowId, ref)
    const { owner } = held(world, workflowId, ref)
    if (mode === "exclusive_pending" && before.length > 0 && world.fault !== "an exclusive resource admits two")
      refuse("resource_pending", { holder: before[0]?.id })
    if (
      mode === "single_writer" &&
      owner !== null &&
      owner !== session.id &&
      world.fault !== "a single writer may be joined"
    )
      refuse("resource_owned", { owner })
    if (mode === "serial_only" && before.length > 0) {
      if (!wait) refuse("resource_busy")
      queued = true
    }
  }
  const approval = approvalWait(world, session, call.tool)
  const awaits = approval !== null && world.fault !== "a step runs without the approval that it needs"
  const status = awaits ? "awaiting_approval" : queued ? "queued" : "admitted"
  const step: Step = {
    workflowId,
    id,
    sessionId: session.id,
    tool: call.tool,
    isCheckpoint: approval !== null,
    resources,
    cost,
    tokens,
    status,
    unknown: false,
    outcome: null,
    deadline: awaits ? now + approval : null,
  }
  world.steps.push(step)
  for (const ref of resources)
    if (modeOf(world, ref) === "single_writer" && held(world, workflowId, ref).owner !== session.id)
      pass(world, workflowId, ref, session.id)
  if (status === "admitted") grant(world, step)
  return step
}

type Outcome = Pick<ReceiptItem, "outcome" | "actualCost" | "actualTokens">

const settle = (world: World, step: Step, item: Outcome): void => {
  const committed = item.outcome === "committed"
  const cost = item.actualCost ?? (committed ? step.cost : 0)
  const tokens = item.actualTokens ?? (committed ? step.tokens : 0)
  const { role } = must(sessionById(world, step.sessionId), step.sessionId)
  const overshootCost = Math.max(0, cost - step.cost)
  const overshootTokens = Math.max(0, tokens - step.tokens)
  world.entries.push({ workflowId: step.workflowId, role, cost, tokens, overshootCost, overshootTokens })
}

/** An authoritative outcome of a living session's step; true if it changed anything. */
const resolve = (world: World, step: Step, item: Outcome & Partial<Pick<ReceiptItem, "fences">>): boolean => {
  if (step.status === "queued" && item.outcome !== "aborted") refuse("step_queued")
  const unheard = step.status === "awaiting_approval" && item.outcome !== "aborted"
  if (unheard && world.fault !== "a step that awaits approval may be committed") refuse("step_awaiting_approval")
  if (!isUnresolved(step)) return item.outcome === step.outcome ? false : refuse("step_already_resolved")
  if (item.outcome === "unknown") {
    if (item.actualCost !== undefined) refuse("invalid_request")
    const news = !step.unknown
    step.unknown = true
    return news
  }
  for (const fence of item.outcome === "committed" ? (item.fences ?? []) : []) {
    const newest = held(world, step.workflowId, fence).fence
    if (fence.token < newest) refuse("stale_fence")
    if (fence.token > newest) refuse("invalid_request")
  }
  step.status = item.outcome
  step.outcome = item.outcome
  step.unknown = false
  step.deadline = null
  settle(world, step, item)
  if (item.outcome === "committed") {
    for (const ref of step.resources) held(world, step.workflowId, ref).version += 1
    progress(world, must(sessionById(world, step.sessionId), step.sessionId))
  }
  return true
}

/** An orphan's outcome came in: settled and recorded, no progress, no step counted, its resources are free (§5). */
export const resolveLate = (
  world: World,
  step: Step,
  item: Outcome & { readonly outcome: "committed" | "aborted" },
): void => {
  step.status = "late"
  step.outcome = item.outcome
  step.unknown = false
  step.deadline = null
  settle(world, step, item)
  passDeferred(world, step)
}

const view = (step: Step): ModelAnswer => ({ stepId: step.id, status: step.status, unknown: step.unknown })

export const receipt = (world: World, command: CommandOf<"receipt">, { now }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const mine = command.receipts.map((item) => {
    const step = stepById(world, session.workflowId, item.stepId)
    return { item, step: step?.sessionId === session.id ? step : undefined }
  })
  let changed = false
  for (const { item, step } of mine) {
    if (step === undefined) return refuse("step_not_found")
    changed = resolve(world, step, item) || changed
  }
  const event = happening(session.workflowId, now)
  if (changed) {
    event.touched.add(session.id)
    finish(world, event)
  }
  return { stateVersion: session.version, steps: mine.map(({ step }) => view(must(step, "a step"))) }
}

/** A receipt of a dead session: refused, and yet its outcomes are recorded. */
export const lateReceipt = (
  world: World,
  session: Session,
  command: CommandOf<"receipt">,
  now: number,
): { readonly recorded: boolean; readonly changed: boolean } => {
  const event: Happening = happening(session.workflowId, now)
  let recorded = false
  let changed = false
  for (const item of command.receipts) {
    const step = stepById(world, session.workflowId, item.stepId)
    if (step === undefined || step.sessionId !== session.id || item.outcome === "unknown") continue
    if (step.status === "orphaned") {
      resolveLate(world, step, { ...item, outcome: item.outcome })
      changed = true
      recorded = true
    } else if (step.outcome === item.outcome) recorded = true
  }
  if (changed) finish(world, event)
  return { recorded, changed }
}

export const resolveStep = (world: World, command: CommandOf<"resolveStep">, { now }: Context): ModelAnswer => {
  const workflow = workflowById(world, command.workflowId) ?? refuse("workflow_not_found")
  const step = stepById(world, workflow.id, command.stepId)
  // A step can be resolved, and asked about, after its workflow has ended: the world outside may still be changing.
  if (step === undefined) return refuse("step_not_found")
  const event = happening(workflow.id, now)
  if (step.status === "orphaned") {
    resolveLate(world, step, command)
    finish(world, event)
  } else if (resolve(world, step, command)) {
    event.touched.add(step.sessionId)
    finish(world, event)
  }
  return { stepId: step.id, status: step.status }
}
