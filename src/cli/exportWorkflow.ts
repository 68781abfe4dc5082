/** Reads one workflow out of a journal, a page at a time, as the lines of a `journalFile`. */
import { createHash } from "node:crypto"
import { Effect } from "effect"
import { sha256Hex } from "../definition/index.ts"
import type { JournalEvent } from "../machines/events.ts"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { AnswerRow } from "../machines/projection.ts"
import { type Entry, genesisHash, type Journal, StorageCorrupt, type StorageError } from "../runtime/Journal.ts"
import { limits } from "../runtime/limits.ts"
import { CommandError } from "./Command.ts"
import { answerLine, entryLine, footerLine, headerLine } from "./journalFile.ts"

interface Source {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
}

/** Verifies the chain on the way: what does not fit it is not handed on as if it did. */
export const exportWorkflow = (
  journal: Journal["Service"],
  { tenant, workflowId }: Source,
  write: (line: string) => void,
  now: number,
): Effect.Effect<{ readonly events: number; readonly hash: string }, StorageError | CommandError> =>
  Effect.gen(function* () {
    const sum = createHash("sha256")
    const put = (line: string): void => {
      sum.update(line).update("\n")
      write(line)
    }
    const loaded = yield* journal.load(tenant, workflowId)
    if (loaded === undefined)
      return yield* Effect.fail(new CommandError("workflow_not_found", `There is no workflow ${workflowId}.`))
    put(headerLine(workflowId, loaded.definition, now))
    const answers: Array<AnswerRow> = []
    let hash = genesisHash
    let seq = 0
    for (;;) {
      const page: ReadonlyArray<Entry> = yield* journal.read(tenant, workflowId, seq, limits.eventPage)
      if (page.length === 0) break
      for (const entry of page) {
        const next = sha256Hex(hash + entry.text)
        if (entry.seq !== seq + 1 || next !== entry.hash)
          return yield* new StorageCorrupt({ detail: "The hash chain is broken.", workflowId, seq: entry.seq })
        put(entryLine(entry))
        hash = next
        seq = entry.seq
      }
      const keys = keysIn(page)
      const archive = yield* journal.lookup(tenant, workflowId, { answers: keys })
      answers.push(...archive.answers.values())
    }
    for (const answer of answers) put(answerLine(answer))
    write(footerLine(seq, answers.length, hash, sum.digest("hex")))
    return { events: seq, hash }
  })

/** The keys of the commands that these events come from: each is remembered with its answer. */
const keysIn = (page: ReadonlyArray<Entry>): ReadonlyArray<string> => [
  ...new Set(
    page.flatMap(({ text }) => {
      const { key }: Pick<JournalEvent, "key"> = JSON.parse(text)
      return key === undefined ? [] : [key]
    }),
  ),
]
