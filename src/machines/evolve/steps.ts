/** Events of sections 5 and 7: preflights, proposals, approvals, receipts. */

import type { EventOf } from "../events.ts"
import { type ResourceRef, resourceKey } from "../ids.ts"
import { post } from "../ledger.ts"
import { handoffLifecycle, stepLifecycle } from "../lifecycle/table.ts"
import type { ResourceRow } from "../projection.ts"
import { must, type Session, type State, type Step } from "../state.ts"
import { type EventContext, touch } from "./context.ts"
import { admit, forgetIfClosed, resolveStep, returnPrepared, useResource } from "./holdings.ts"

export const budgetReserved = (state: State, event: EventOf<"budget.reserved">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  touch(session, context)
  state.prepared.set(event.preparedRequestId, {
    preparedRequestId: event.preparedRequestId,
    sessionId: event.sessionId,
    role: session.role,
    cost: event.cost,
    tokens: event.tokens,
    version: session.version,
    deadline: event.deadline,
  })
  session.prepared.add(event.preparedRequestId)
  state.deadlines.add({ at: event.deadline, kind: "prepared", id: event.preparedRequestId })
  post(state, session.role, (account) => {
    account.costReserved += event.cost
    account.tokensReserved += event.tokens
  })
}

export const budgetReturned = (state: State, event: EventOf<"budget.returned">): void =>
  returnPrepared(state, event.preparedRequestId)

type Usage = EventOf<"usage.settled">["usage"]
const settleUsage = (state: State, role: string, usage: Usage): void =>
  post(state, role, (account) => {
    account.costUsed += usage.cost
    account.tokensUsed += usage.inputTokens + usage.outputTokens
  })

/** Does not raise the session's version: a refused proposal must not spend the prepared request that it named. */
export const usageSettled = (state: State, event: EventOf<"usage.settled">): void =>
  settleUsage(state, event.role, event.usage)

export const stepsProposed = (state: State, event: EventOf<"steps.proposed">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  touch(session, context)
  if (event.preparedRequestId !== undefined) returnPrepared(state, event.preparedRequestId)
  if (event.usage !== undefined) settleUsage(state, session.role, event.usage)
  for (const proposed of event.steps) {
    const step: Step = {
      stepId: proposed.stepId,
      sessionId: session.sessionId,
      role: session.role,
      tool: proposed.tool,
      arguments: proposed.arguments,
      cost: proposed.cost,
      tokens: proposed.tokens,
      resources: proposed.resources.map(resourceKey),
      status: proposed.status,
      unknown: false,
      fences: proposed.fences,
      killId: null,
      deadline: proposed.deadline ?? null,
    }
    if (step.deadline !== null) state.deadlines.add({ at: step.deadline, kind: "approval", id: step.stepId })
    state.steps.set(step.stepId, step)
    session.steps.add(step.stepId)
    post(state, session.role, (account) => {
      account.stepsReserved += 1
      account.costReserved += step.cost
      account.tokensReserved += step.tokens
    })
    take(state, session, step, proposed.resources, event.recalled)
  }
}

/** It is queued as any other, and its turn may have come already. */
export const stepApproved = (state: State, event: EventOf<"step.approved">, context: EventContext): void => {
  const step = must(state.steps, event.stepId, "step")
  step.status = stepLifecycle.move(step.status, "APPROVE") as "queued"
  step.deadline = null
  touch(must(state.sessions, event.sessionId, "session"), context)
  admit(state, event.admitted, context)
}

/** Enters a new step into the queue of each of its resources, and gives its session the ownerships it was granted. */
const take = (
  state: State,
  session: Session,
  step: Step,
  refs: ReadonlyArray<ResourceRef>,
  recalled: ReadonlyArray<ResourceRow> | undefined,
): void => {
  for (const ref of refs) {
    const key = resourceKey(ref)
    const resource = useResource(state, ref, key, recalled)
    resource.steps.add(step.stepId)
    if (resource.rule.mode === "single_writer" && resource.owner === null) {
      resource.owner = session.sessionId
      session.owns.add(key)
    }
    const fence = step.fences.find((candidate) => candidate.name === ref.name && candidate.key === ref.key)
    if (fence !== undefined) resource.fence = fence.token
  }
}

export const stepsResolved = (state: State, event: EventOf<"steps.resolved">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  const late = event.late === true
  if (!late) touch(session, context)
  for (const { stepId, outcome, cost, tokens } of event.steps) {
    const step = must(state.steps, stepId, "step")
    if (outcome === "unknown") step.unknown = true
    else resolveStep(state, step, late ? "late" : outcome, outcome, { cost, tokens }, context)
  }
  for (const handoffId of event.progressed ?? []) {
    const handoff = must(state.handoffs, handoffId, "handoff")
    handoff.status = handoffLifecycle.move(handoff.status, "PROGRESS")
    handoff.deadline = null
    context.rows?.push({
      _tag: "handoffChanged",
      handoffId,
      status: handoff.status,
      generation: handoff.generation,
      sessionId: handoff.sessionId,
      deadline: null,
      at: context.at,
      reason: null,
    })
  }
  admit(state, event.admitted, context)
  forgetIfClosed(state, event.sessionId)
}
