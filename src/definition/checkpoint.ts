/**
 * `checkpoint` of a tool contract: whether a person approves a call before it runs, and how long the call waits for that.
 *
 * It is kept as it was written, so the one reading of what was kept stands beside the check of what is written.
 */
import { bounds } from "../machines/bounds.ts"
import type { Json } from "../machines/ids.ts"
import { Fields, type Read } from "./Fields.ts"
import { durationMs, readBoolean, readDuration } from "./values.ts"

/** `true`, `false`, or `{ timeout: 30m }`. */
export const readCheckpoint: Read<true> = (node, report) => {
  if (node.kind === "map")
    Fields.open(node, "checkpoint", ["timeout"], report)?.require("timeout", readDuration, "checkpoint")
  else readBoolean(node, report)
  return true
}

/** How long a call waits for approval, in milliseconds; null where it needs none. */
export const approvalMsOf = (checkpoint: Json | undefined): number | null => {
  if (checkpoint === undefined || checkpoint === false) return null
  const timeout =
    typeof checkpoint === "object" && checkpoint !== null && "timeout" in checkpoint ? checkpoint.timeout : undefined
  return (typeof timeout === "string" ? durationMs(timeout) : undefined) ?? bounds.approvalTimeoutMs
}
