/** The hash chain of what a store hands out: damage is found where it is read. */
import { createHash } from "node:crypto"
import { type Entry, StorageCorrupt } from "../runtime/Journal.ts"

/** Throws `StorageCorrupt` at the first entry whose hash does not follow from the one before; `start` is the hash before. */
export const checkChain = (workflowId: string, start: string, entries: ReadonlyArray<Entry>): void => {
  let hash = start
  for (const entry of entries) {
    hash = createHash("sha256").update(hash).update(entry.text).digest("hex")
    if (hash !== entry.hash) {
      throw new StorageCorrupt({ detail: "the hash chain is broken", workflowId, seq: entry.seq })
    }
  }
}
