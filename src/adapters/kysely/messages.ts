/**
 * What the calling thread and the writer's thread say to each other.
 *
 * A group of appends travels as a few flat arrays of strings and numbers and one text: cloning a message costs by the
 * object, not by the byte, so there is none for each append or projection.
 */
import type { Tenant, WorkflowId } from "../../machines/ids.ts"
import type { Append, Appended } from "../../runtime/Journal.ts"
import type { Failure } from "./failures.ts"
import { encodeOp } from "./ops.ts"
import type { WriterStatements } from "./writerStatements.ts"

/** What one append left for the fold: tenant, workflow, first sequence, count of events, ops (ops.ts). */
export type PendingItem = readonly [
  tenant: Tenant,
  workflowId: WorkflowId,
  firstSeq: number,
  count: number,
  ops: ReadonlyArray<unknown>,
]

export interface GroupMessage {
  readonly kind: "group"
  readonly id: number
  /** Per append. */
  readonly tenants: ReadonlyArray<string>
  readonly workflowIds: ReadonlyArray<string>
  readonly expectedSeqs: ReadonlyArray<number>
  readonly counts: ReadonlyArray<number>
  /** Event and hash of every entry, flat. */
  readonly entries: ReadonlyArray<string>
  /** `PendingItem`s of the appends that have entries, as JSON; kept as it is unless an append falls out. */
  readonly body: string
  /** What must not exist yet: index of the append, then `s` or `h`, then the id; flat. */
  readonly creates: ReadonlyArray<number | string>
  /** Of the appends without entries, index, key, fingerprint and answer as JSON; flat. Written at once: nothing is to fold. */
  readonly answers: ReadonlyArray<number | string>
  /** Index of the append, hash, text; flat. */
  readonly definitions: ReadonlyArray<number | string>
  /** Index of the append, seq, hash, text; flat. */
  readonly snapshots: ReadonlyArray<number | string>
}
export type WriterMessage =
  | GroupMessage
  /** Fold all that is pending; `close` also ends the writer. */
  | { readonly kind: "fold" | "ping" | "close"; readonly id: number }

/** Microseconds since the writer started. */
export interface WriterStages {
  readonly sql: number
  readonly fsync: number
  readonly fold: number
}
export interface WriterReply {
  readonly id: number
  /** Null when every append was taken. */
  readonly results: ReadonlyArray<Appended> | null
  readonly failure: Failure | null
  /** The journal id of the group's first event, and the group that was the last pending one before it (0: none). */
  readonly first: number
  readonly before: number
  /** Groups up to this id have been folded (0: none by this writer). */
  readonly folded: number
  /** How often another connection was seen to have committed. */
  readonly foreign: number
  readonly stages: WriterStages
}

/** The first message of a writer that runs, and what its options were. */
export interface WriterOptions {
  readonly filename: string
  readonly synchronous: "full" | "normal"
  readonly busyTimeoutMs: number
  /** Appends, and bytes, after which a fold is due. */
  readonly foldAppends: number
  readonly foldBytes: number
  /** Rest after which what is pending is folded. */
  readonly idleMs: number
  /** For tests: a database that cannot grow beyond this many pages. */
  readonly maxPages: number | null
  readonly statements: WriterStatements
}

export const packGroup = (id: number, group: ReadonlyArray<Append>): GroupMessage => {
  const tenants: Array<string> = []
  const workflowIds: Array<string> = []
  const expectedSeqs: Array<number> = []
  const counts: Array<number> = []
  const entries: Array<string> = []
  const creates: Array<number | string> = []
  const answers: Array<number | string> = []
  const definitions: Array<number | string> = []
  const snapshots: Array<number | string> = []
  const items: Array<PendingItem> = []
  group.forEach((append, index) => {
    tenants.push(append.tenant)
    workflowIds.push(append.workflowId)
    expectedSeqs.push(append.expectedSeq)
    counts.push(append.entries.length)
    if (append.entries.length === 0) {
      for (const p of append.projections)
        if (p._tag === "answered") answers.push(index, p.row.key, p.row.fingerprint, JSON.stringify(p.row.answer))
      return
    }
    for (const entry of append.entries) entries.push(entry.text, entry.hash)
    const ops: Array<unknown> = []
    for (const p of append.projections) {
      encodeOp(ops, p)
      if (p._tag === "sessionCreated") creates.push(index, "s", p.row.sessionId)
      else if (p._tag === "handoffOffered") creates.push(index, "h", p.row.handoffId)
    }
    if (append.definition !== undefined) definitions.push(index, append.definition.hash, append.definition.text)
    const { snapshot } = append
    if (snapshot !== undefined) snapshots.push(index, snapshot.seq, snapshot.hash, snapshot.text)
    items.push([append.tenant, append.workflowId, append.expectedSeq + 1, append.entries.length, ops])
  })
  const body = JSON.stringify(items)
  return {
    kind: "group",
    id,
    tenants,
    workflowIds,
    expectedSeqs,
    counts,
    entries,
    body,
    creates,
    answers,
    definitions,
    snapshots,
  }
}
