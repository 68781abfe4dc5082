/**
 * Steps that a session had begun before its process died: a hook per tool finds out what became of them.
 *
 * Only the tool's author knows how to look ("is there a refund with this step's id?"). A step without a hook, or whose hook does
 * not know, stays unresolved and visible: nothing is guessed.
 */
import type { UnresolvedStep } from "../../machines/answers.ts"
import type { Session } from "../../runtime/Session.ts"
import type { Retry } from "./retry.ts"

/** Rejecting keeps the session from opening; it may be tried again. */
export type Recovery = (step: UnresolvedStep) => RecoveredOutcome | Promise<RecoveredOutcome>
/**
 * `unknown` leaves the step unresolved. `again`: it had no effect, or may have it twice, and the same call of its tool runs it
 * under the same admission and approval.
 */
export type RecoveredOutcome = "committed" | "aborted" | "unknown" | "again"
/** By tool. */
export type Recoveries = Readonly<Record<string, Recovery>>

export interface Recovered {
  /** Steps that are still unresolved. */
  readonly unresolved: ReadonlyArray<UnresolvedStep>
  /** Of these, the ones that the same call takes up: they never ran, or may run again. */
  readonly resumable: ReadonlyArray<UnresolvedStep>
}

/** Asks the hooks, and tells the journal what they know. */
export const recovered = async (
  session: Session,
  steps: ReadonlyArray<UnresolvedStep>,
  recoveries: Recoveries,
  retry: Retry,
): Promise<Recovered> => {
  const unresolved: Array<UnresolvedStep> = []
  const resumable: Array<UnresolvedStep> = []
  for (const step of steps) {
    const outcome = await outcomeOfStep(step, recoveries)
    if (outcome === "again") resumable.push(step)
    if (outcome === "again" || outcome === "unknown") {
      unresolved.push(step)
      continue
    }
    const fences = outcome === "committed" ? { fences: step.fences } : {}
    await retry(() => session.receipt({ receipts: [{ stepId: step.stepId, outcome, ...fences }] }))
  }
  return { unresolved, resumable }
}

const outcomeOfStep = async (step: UnresolvedStep, recoveries: Recoveries): Promise<RecoveredOutcome> => {
  // It was never admitted, so nothing of it ran: it keeps its place, and its approval, for the same call.
  if (step.status !== "admitted") return "again"
  const recover = Object.hasOwn(recoveries, step.tool) ? recoveries[step.tool] : undefined
  return recover === undefined ? "unknown" : recover(step)
}
