/**
 * `evolve(state, event)`: what an event does to the state of its workflow.
 *
 * Deterministic: the same events give the same state and the same rows on every node and after every crash. It updates the
 * state in place, because one actor owns it and copies on the hot path would cost more than the rules. It checks nothing that
 * `decide` has checked; an event that does not fit the state is a bug or a corrupt journal, and throws.
 */
import { compactDeadlines } from "../deadlines.ts"
import type { Limits } from "../definition.ts"
import type { EventOf, JournalEvent } from "../events.ts"
import type { Projection } from "../projection.ts"
import type { Rules } from "../rules.ts"
import { emptyState, type State } from "../state.ts"
import type { EventContext } from "./context.ts"
import { handoffClaimed, handoffExpired, handoffOffered, handoffWithdrawn, leaseRenewed } from "./handoffs.ts"
import {
  handoffReclaimed,
  killed,
  resourcesReleased,
  sessionCompleted,
  sessionFailed,
  workflowCreated,
} from "./sessions.ts"
import { budgetReserved, budgetReturned, stepApproved, stepsProposed, stepsResolved, usageSettled } from "./steps.ts"

/** The state of a workflow before its first event; that event has to be `workflow.created`. */
export const birth = (event: JournalEvent, rules: Rules): State => {
  const { body } = event
  if (body._tag !== "workflow.created") throw new Error(`a journal begins with workflow.created, not ${body._tag}`)
  return emptyState({
    workflowId: body.workflowId,
    rules,
    rootSessionId: body.sessionId,
    createdAt: event.at,
    deadline: body.deadline,
  })
}

/** Applies one event. `rows`, when given, receives the projections that change. */
export const evolve = (state: State, event: JournalEvent, rows?: Array<Projection>): State => {
  if (event.seq !== state.seq + 1) throw new Error(`event ${event.seq} does not follow ${state.seq}`)
  const context: EventContext = { seq: event.seq, at: event.at, actor: event.actor, rows }
  state.seq = event.seq
  apply(state, event.body, context)
  compactDeadlines(state)
  return state
}

const apply = (state: State, body: JournalEvent["body"], context: EventContext): void => {
  switch (body._tag) {
    case "workflow.created":
      return workflowCreated(state, body, context)
    case "handoff.offered":
      return handoffOffered(state, body, context)
    case "handoff.claimed":
      return handoffClaimed(state, body, context)
    case "budget.reserved":
      return budgetReserved(state, body, context)
    case "budget.returned":
      return budgetReturned(state, body)
    case "usage.settled":
      return usageSettled(state, body)
    case "steps.proposed":
      return stepsProposed(state, body, context)
    case "step.approved":
      return stepApproved(state, body, context)
    case "steps.resolved":
      return stepsResolved(state, body, context)
    case "lease.renewed":
      return leaseRenewed(state, body, context)
    case "resources.released":
      return resourcesReleased(state, body, context)
    case "session.completed":
      return sessionCompleted(state, body, context)
    case "session.failed":
      return sessionFailed(state, body, context)
    case "handoff.reclaimed":
      return handoffReclaimed(state, body, context)
    case "handoff.withdrawn":
      return handoffWithdrawn(state, body, context)
    case "handoff.expired":
      return handoffExpired(state, body, context)
    case "killed":
      return killed(state, body, context)
    case "limits.raised":
      return limitsRaised(state, body)
  }
}

const limitsRaised = (state: State, event: EventOf<"limits.raised">): void => {
  const raised = event.limits as Partial<Limits>
  if (event.role === null) state.limits = { ...state.limits, ...raised }
  else state.roleLimits.set(event.role, { ...(state.roleLimits.get(event.role) ?? state.limits), ...raised })
  if (event.deadline === undefined) return
  state.deadline = event.deadline
  state.deadlines.add({ at: event.deadline, kind: "workflow", id: "" })
}
