/** Events of section 4: offers, claims, leases, and the ends of a handoff that nobody works on. */
import type { EventOf } from "../events.ts"
import { resourceKey } from "../ids.ts"
import { accountOf, post } from "../ledger.ts"
import type { HandoffEvent } from "../lifecycle/handoff.machine.ts"
import { handoffLifecycle } from "../lifecycle/table.ts"
import { type Handoff, must, type State } from "../state.ts"
import { type EventContext, touch } from "./context.ts"
import { forgetIfClosed, useResource } from "./holdings.ts"
import { openSession } from "./sessions.ts"

export const handoffOffered = (state: State, event: EventOf<"handoff.offered">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  touch(session, context)
  const handoff: Handoff = {
    handoffId: event.handoffId,
    fromSessionId: session.sessionId,
    fromRole: session.role,
    toRole: event.toRole,
    offeredAt: context.at,
    offeredSeq: context.seq,
    summary: event.summary,
    artifacts: event.artifacts,
    resources: event.resources,
    status: handoffLifecycle.initial,
    generation: 1,
    sessionId: null,
    claimedAt: 0,
    claimedSeq: 0,
    grants: [],
    deadline: event.deadline,
  }
  state.handoffs.set(handoff.handoffId, handoff)
  session.offers.add(handoff.handoffId)
  if (handoff.deadline !== null) state.deadlines.add({ at: handoff.deadline, kind: "offer", id: handoff.handoffId })
  post(state, handoff.toRole, (account) => {
    account.openHandoffs += 1
  })
  context.rows?.push({
    _tag: "handoffOffered",
    row: {
      handoffId: handoff.handoffId,
      workflowId: state.workflowId,
      fromSessionId: handoff.fromSessionId,
      fromRole: handoff.fromRole,
      toRole: handoff.toRole,
      status: handoff.status,
      generation: 1,
      sessionId: null,
      offeredAt: context.at,
      offeredSeq: context.seq,
      updatedAt: context.at,
      deadline: handoff.deadline,
      summary: handoff.summary,
      artifacts: handoff.artifacts,
      resources: handoff.resources,
      result: null,
      resultArtifacts: [],
      reason: null,
    },
  })
}

/** Claim, session, budget and resource bindings are one event. */
export const handoffClaimed = (state: State, event: EventOf<"handoff.claimed">, context: EventContext): void => {
  const handoff = must(state.handoffs, event.handoffId, "handoff")
  const parent = must(state.sessions, handoff.fromSessionId, "session")
  handoff.status = handoffLifecycle.move(handoff.status, "CLAIM")
  handoff.sessionId = event.sessionId
  handoff.claimedAt = context.at
  handoff.claimedSeq = context.seq
  handoff.grants = event.grants
  handoff.deadline = event.deadline
  if (event.deadline !== null) state.deadlines.add({ at: event.deadline, kind: "claim", id: handoff.handoffId })
  const session = openSession(
    state,
    {
      sessionId: event.sessionId,
      role: handoff.toRole,
      agent: event.agent,
      parentSessionId: parent.sessionId,
      handoffId: handoff.handoffId,
      generation: handoff.generation,
      depth: parent.depth + 1,
    },
    context,
  )
  parent.children.add(session.sessionId)
  for (const grant of event.grants) {
    const key = resourceKey(grant)
    const resource = useResource(state, grant, key, event.recalled)
    if (resource.owner !== null) state.sessions.get(resource.owner)?.owns.delete(key)
    resource.owner = session.sessionId
    resource.heir = null
    resource.fence = grant.token
    session.owns.add(key)
  }
  handoffRow(handoff, null, context)
}

export const leaseRenewed = (state: State, event: EventOf<"lease.renewed">, context: EventContext): void => {
  const handoff = must(state.handoffs, event.handoffId, "handoff")
  handoff.deadline = event.deadline
  state.deadlines.add({ at: event.deadline, kind: "claim", id: handoff.handoffId })
  handoffRow(handoff, null, context)
}

export const handoffWithdrawn = (state: State, event: EventOf<"handoff.withdrawn">, context: EventContext): void =>
  closeHandoff(state, must(state.handoffs, event.handoffId, "handoff"), "WITHDRAW", event.reason, context)

export const handoffExpired = (state: State, event: EventOf<"handoff.expired">, context: EventContext): void =>
  closeHandoff(state, must(state.handoffs, event.handoffId, "handoff"), "EXPIRE", "offer_timeout", context)

/** Ends a handoff and lets go of it: the offering session may be forgotten with it. */
export const closeHandoff = (
  state: State,
  handoff: Handoff,
  event: HandoffEvent,
  reason: string | null,
  context: EventContext,
): void => {
  handoff.status = handoffLifecycle.move(handoff.status, event)
  handoff.deadline = null
  letGo(state, handoff)
  handoffRow(handoff, reason, context)
}

/** Takes a handoff that has ended out of the state. */
export const letGo = (state: State, handoff: Handoff): void => {
  state.handoffs.delete(handoff.handoffId)
  state.account.openHandoffs -= 1
  accountOf(state, handoff.toRole).openHandoffs -= 1
  state.sessions.get(handoff.fromSessionId)?.offers.delete(handoff.handoffId)
  forgetIfClosed(state, handoff.fromSessionId)
}

/** The row of a handoff that changed. */
export const handoffRow = (handoff: Handoff, reason: string | null, context: EventContext): void => {
  context.rows?.push({
    _tag: "handoffChanged",
    handoffId: handoff.handoffId,
    status: handoff.status,
    generation: handoff.generation,
    sessionId: handoff.sessionId,
    deadline: handoff.deadline,
    at: context.at,
    reason,
  })
}
