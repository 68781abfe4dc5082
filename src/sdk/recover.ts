/**
 * Steps that a session had begun before its process died: a hook per tool finds out what became of them.
 *
 * Only the tool's author knows how to look ("is there a refund with this step's id?"). A step without a hook, or whose hook does
 * not know, stays unresolved and visible: nothing is guessed.
 */
import type { UnresolvedStep } from "../machines/answers.ts"
import type { Session } from "../runtime/Session.ts"
import type { Retry } from "./retry.ts"

/** `unknown` leaves the step unresolved. Rejecting keeps the session from opening; it may be tried again. */
export type Recovery = (step: UnresolvedStep) => RecoveredOutcome | Promise<RecoveredOutcome>
export type RecoveredOutcome = "committed" | "aborted" | "unknown"
/** By tool. */
export type Recoveries = Readonly<Record<string, Recovery>>

/** Asks the hooks, tells the journal, and answers with the steps that are still unresolved. */
export const recovered = async (
  session: Session,
  steps: ReadonlyArray<UnresolvedStep>,
  recoveries: Recoveries,
  retry: Retry,
): Promise<ReadonlyArray<UnresolvedStep>> => {
  const left: Array<UnresolvedStep> = []
  for (const step of steps) {
    const outcome = await outcomeOfStep(step, recoveries)
    if (outcome === "unknown") {
      left.push(step)
      continue
    }
    const fences = outcome === "committed" ? { fences: step.fences } : {}
    await retry(() => session.receipt({ receipts: [{ stepId: step.stepId, outcome, ...fences }] }))
  }
  return left
}

const outcomeOfStep = async (step: UnresolvedStep, recoveries: Recoveries): Promise<RecoveredOutcome> => {
  const recover = Object.hasOwn(recoveries, step.tool) ? recoveries[step.tool] : undefined
  if (recover === undefined) return "unknown"
  // It was never admitted, so nothing of it ran: it keeps its place, and its approval, for the same call.
  return step.status === "admitted" ? recover(step) : "unknown"
}
