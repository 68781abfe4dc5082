/**
 * People: an operator who now and then interferes (takes work back, says what became of a step, kills something), and whoever
 * is asked for approval.
 */
import type { Command } from "../../machines/commands.ts"
import type { Session, State } from "../../machines/state.ts"
import type { Random } from "./Random.ts"
import { workflowId } from "./World.ts"

/**
 * What a person says of a step of the session that awaits approval. Undefined where none does, or nobody has looked yet; now and
 * then nobody ever does.
 */
export const approverTurn = (state: State, session: Session, random: Random): Command | undefined => {
  for (const stepId of session.steps) {
    if (state.steps.get(stepId)?.status !== "awaiting_approval") continue
    if (!random.chance(35)) return undefined
    return random.chance(80)
      ? { _tag: "approveStep", workflowId, stepId }
      : { _tag: "rejectStep", workflowId, stepId, reason: "not this one" }
  }
  return undefined
}

/** Undefined where there is nothing to do. */
export const operatorTurn = (state: State, random: Random): Command | undefined => {
  const step = random.pick([...state.steps.values()])
  const handoff = random.pick([...state.handoffs.values()])
  if (step !== undefined && random.chance(50))
    return {
      _tag: "resolveStep",
      workflowId,
      stepId: step.stepId,
      outcome: random.chance(50) ? "committed" : "aborted",
      reason: "looked it up",
    }
  if (handoff === undefined) return undefined
  const about = { workflowId, handoffId: handoff.handoffId }
  switch (random.below(4)) {
    case 0:
      return { _tag: "reclaim", ...about }
    case 1:
      return { _tag: "withdraw", ...about }
    case 2:
      return { _tag: "failHandoff", ...about, reason: "stuck" }
    default:
      return handoff.sessionId === null
        ? undefined
        : {
            _tag: "kill",
            scope: random.chance(50) ? "session" : "subtree",
            sessionId: handoff.sessionId,
            reason: "misbehaved",
          }
  }
}
