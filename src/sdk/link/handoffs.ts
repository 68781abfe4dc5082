/** What an offering session learns of a handoff once it has ended. */
import type { HandoffStatus } from "../../machines/answers.ts"
import type { EventBody } from "../../machines/events.ts"
import type { Artifact, Json } from "../../machines/ids.ts"
import type { HandoffRow } from "../../machines/projection.ts"

/** A handoff that has ended. Only `completed` has a result; `reason` says why any other did not. */
export interface HandoffOutcome {
  readonly handoffId: string
  readonly status: Exclude<HandoffStatus, "offered" | "claimed" | "in_progress">
  readonly generation: number
  readonly result: Json
  /** Those of the result, not those that were handed over. */
  readonly artifacts: ReadonlyArray<Artifact>
  readonly reason: string | null
  /** The last session that claimed it; null where nobody did. */
  readonly sessionId: string | null
}

/** The outcome, or undefined while it is open. */
export const outcomeOfHandoff = (row: HandoffRow): HandoffOutcome | undefined => {
  const { handoffId, status, generation, result, resultArtifacts, reason, sessionId } = row
  if (status === "offered" || status === "claimed" || status === "in_progress") return undefined
  return { handoffId, status, generation, result, artifacts: resultArtifacts, reason, sessionId }
}

/** Whether an event may have ended the handoff: by name, or in a cascade, which names only its cause. */
export const mayEndHandoff =
  (handoffId: string) =>
  (body: EventBody): boolean => {
    switch (body._tag) {
      case "killed":
      case "session.failed":
        return true
      case "handoff.reclaimed":
        // Its claimant dies with all that it had offered.
        return true
      case "session.completed":
      case "handoff.withdrawn":
      case "handoff.expired":
        return body.handoffId === handoffId
      default:
        return false
    }
  }
