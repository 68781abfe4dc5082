/** An operator who now and then interferes: takes work back, says what became of a step, kills something. */
import type { Command } from "../../machines/commands.ts"
import type { State } from "../../machines/state.ts"
import type { Random } from "./Random.ts"
import { workflowId } from "./World.ts"

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
