/** Waits of `state`: for a step's turn or approval, and for the end of a handoff. Follows the events and polls nothing. */
import type { SessionView, UnresolvedStep } from "../machines/answers.ts"
import type { HandoffRow } from "../machines/projection.ts"
import type { Client } from "../runtime/Client.ts"

const open: ReadonlySet<HandoffRow["status"]> = new Set(["offered", "claimed", "in_progress"])

export const hasEnded = (handoff: HandoffRow): boolean => !open.has(handoff.status)
export const stepIn = (view: SessionView, stepId: string): UnresolvedStep | undefined =>
  view.steps.find((step) => step.stepId === stepId)
export const isWaiting = (step: UnresolvedStep | undefined): boolean =>
  step?.status === "queued" || step?.status === "awaiting_approval"

export interface Wait {
  readonly client: Client
  readonly workflowId: string
  readonly waitMs: number
  /** Aborts when the caller no longer wants the answer. */
  readonly signal: AbortSignal
}

/** What `look` says once `isDone`, or as it is when the time is over. */
export const until = async <A extends { readonly seq: number }>(
  { client, workflowId, waitMs, signal }: Wait,
  look: () => Promise<A>,
  isDone: (found: A) => boolean,
): Promise<A> => {
  let found = await look()
  if (waitMs === 0 || isDone(found)) return found
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
  for await (const event of client.events({ workflowId, after: found.seq, signal: over })) {
    // Several events may have been there already when it looked last.
    if (event.seq <= found.seq) continue
    found = await look()
    if (isDone(found)) break
  }
  return found
}
