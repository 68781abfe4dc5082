/**
 * Decisions that time makes: the earliest deadline that is due fires as an event, like any other (semantics.md §9).
 *
 * One tick fires one deadline, so that the next is judged on the state that the first one left. The runtime ticks before it
 * decides any command at the same moment: a lease that has run out is never seen as still held.
 */
import { HandoffId, PreparedRequestId, StepId } from "../ids.ts"
import { must, type State } from "../state.ts"
import { rejected } from "./approvals.ts"
import { accept, type Decision, type Facts } from "./context.ts"
import { reclaimed } from "./handoffs.ts"
import { killed } from "./kill.ts"
import { lateEvent } from "./receipts.ts"

/** Whether a tick at `now` would fire anything. */
export const isDue = (state: State, now: number): boolean => {
  const deadline = state.deadlines.earliest(state)
  return deadline !== undefined && deadline.at <= now
}

export const tick = (state: State, facts: Facts): Decision<{ readonly fired: number }> => {
  const deadline = state.deadlines.earliest(state)
  if (deadline === undefined || deadline.at > facts.now) return accept([], { fired: 0 })
  switch (deadline.kind) {
    case "workflow":
      return { ...killed(state, "workflow", null, "max_duration", facts), ...fired }
    case "offer":
      return accept([{ _tag: "handoff.expired", handoffId: HandoffId.make(deadline.id) }], { fired: 1 })
    case "claim": {
      const handoff = must(state.handoffs, HandoffId.make(deadline.id), "handoff")
      return { ...reclaimed(state, handoff, "claim_timeout", facts), ...fired }
    }
    case "prepared":
      return accept([{ _tag: "budget.returned", preparedRequestId: PreparedRequestId.make(deadline.id) }], { fired: 1 })
    case "approval":
      return accept([rejected(state, must(state.steps, StepId.make(deadline.id), "step"), "approval_timeout")], {
        fired: 1,
      })
    case "step": {
      // Nobody said what became of the orphan in time: its estimate counts as spent, because it may have been.
      const step = must(state.steps, StepId.make(deadline.id), "step")
      const session = must(state.sessions, step.sessionId, "session")
      const outcome = { stepId: step.stepId, outcome: "committed" as const, cost: step.cost, tokens: step.tokens }
      return accept([lateEvent(state, session, [outcome], "pending_timeout")], { fired: 1 })
    }
  }
}

const fired = { _tag: "accepted", answer: { fired: 1 } } as const
