/**
 * Reads of the SQLite store: synchronous, on a connection of the calling thread, each in one snapshot.
 *
 * What is looked up by name and the events of a workflow are the tables with the tail on top. Listings and deadlines read
 * the tables alone; whoever calls them has had the pending groups folded first (`hasPending`).
 */
import type Database from "better-sqlite3"
import type { KillReceipt } from "../../machines/answers.ts"
import { resourceKey } from "../../machines/ids.ts"
import type {
  AnswerRow,
  Archive,
  ArchiveRefs,
  HandoffRow,
  ResourceRow,
  SessionRow,
  StepRow,
  WorkflowRow,
} from "../../machines/projection.ts"
import {
  type Entry,
  genesisHash,
  type Loaded,
  type Snapshot,
  StorageCorrupt,
  type StoredDefinition,
} from "../../runtime/Journal.ts"
import { checkChain } from "../chain.ts"
import * as Rows from "../rows.ts"
import { type AnswerColumns, type HandoffColumns, type KillColumns, toAnswer, toHandoff, toReceipt } from "./columns.ts"
import type { PendingItem } from "./messages.ts"
import * as Reads from "./reads.ts"
import { idsOf, parseSpans } from "./spans.ts"
import type { Change, Tail, WorkflowTail } from "./Tail.ts"

/** Runs, and events, that one statement reads at most. */
const runsPerPage = 64
const eventsPerPage = 2048

interface EventColumns extends Entry {
  readonly id: number
  readonly tenant: string
  readonly workflowId: string
}

export class Reader {
  readonly #db: Database.Database
  readonly #tail: Tail
  readonly #begin: Database.Statement
  readonly #commit: Database.Statement
  readonly #range: Database.Statement<[], { first: number | null; last: number | null }>
  readonly #after: Database.Statement<[number], { id: number; body: string }>
  readonly #runs: Database.Statement<unknown[], { firstSeq: number; lastSeq: number; spans: string }>
  readonly #events: Database.Statement<[string], EventColumns>
  readonly #definition: Database.Statement<[string, string], StoredDefinition>
  readonly #snapshot: Database.Statement<[string, string], Snapshot>
  readonly #workflow: Database.Statement<[string, string], WorkflowRow>
  readonly #session: Database.Statement<[string, string], SessionRow>
  readonly #handoff: Database.Statement<[string, string, string], HandoffColumns>
  readonly #step: Database.Statement<[string, string, string], StepRow>
  readonly #kill: Database.Statement<[string, string, string], KillColumns>
  readonly #resource: Database.Statement<[string, string, string, string], ResourceRow>
  readonly #answer: Database.Statement<[string, string, string], AnswerColumns>

  constructor(db: Database.Database, tail: Tail) {
    this.#db = db
    this.#tail = tail
    this.#begin = db.prepare("begin")
    this.#commit = db.prepare("commit")
    this.#range = db.prepare(Reads.pendingRange().sqlite)
    this.#after = db.prepare(Reads.pendingAfter().sqlite)
    this.#runs = db.prepare(Reads.runsAfter().sqlite)
    this.#events = db.prepare(Reads.eventsByIds().sqlite)
    this.#definition = db.prepare(Reads.definition().sqlite)
    this.#snapshot = db.prepare(Reads.snapshot().sqlite)
    this.#workflow = db.prepare(Reads.workflow().sqlite)
    this.#session = db.prepare(Reads.session().sqlite)
    this.#handoff = db.prepare(Reads.handoff().sqlite)
    this.#step = db.prepare(Reads.step().sqlite)
    this.#kill = db.prepare(Reads.kill().sqlite)
    this.#resource = db.prepare(Reads.resource().sqlite)
    this.#answer = db.prepare(Reads.answer().sqlite)
  }

  hasPending(): boolean {
    return this.#range.get()?.last != null
  }

  workflowRow(tenant: string, workflowId: string): WorkflowRow | undefined {
    return this.#snapshotOf(() => {
      let row = this.#workflow.get(tenant, workflowId)
      for (const { p } of this.#tail.workflow(tenant, workflowId)?.changes("workflow", "") ?? []) {
        if (p._tag === "workflowCreated") row = p.row
        else if (p._tag === "workflowEnded" && row !== undefined) row = Rows.workflowEnded(row, p)
      }
      return row
    })
  }

  snapshot(tenant: string, workflowId: string): Snapshot | undefined {
    return this.#snapshot.get(tenant, workflowId)
  }

  load(tenant: string, workflowId: string): Loaded | undefined {
    return this.#snapshotOf(() => {
      const hash = this.#definitionHash(tenant, workflowId)
      if (hash === undefined) return undefined
      const definition = this.#definition.get(tenant, hash)
      if (definition === undefined) throw new StorageCorrupt({ detail: "its definition is missing", workflowId })
      const snapshot = this.#snapshot.get(tenant, workflowId) ?? null
      const after = snapshot?.seq ?? 0
      const entries = this.#eventsAfter(tenant, workflowId, after, Number.MAX_SAFE_INTEGER)
      checkChain(workflowId, snapshot?.hash ?? genesisHash, entries)
      return { definition, snapshot, entries }
    })
  }

  read(tenant: string, workflowId: string, after: number, limit: number): ReadonlyArray<Entry> {
    if (limit <= 0) return []
    const from = Math.max(after, 0)
    // The event before the page comes along for its hash, so that a page from anywhere can be checked.
    const entries = this.#snapshotOf(() =>
      this.#eventsAfter(tenant, workflowId, Math.max(from - 1, 0), from === 0 ? limit : limit + 1),
    )
    const previous = from === 0 ? undefined : entries.shift()
    checkChain(workflowId, previous?.hash ?? genesisHash, entries)
    return entries
  }

  lookup(tenant: string, workflowId: string, refs: ArchiveRefs): Archive {
    return this.#snapshotOf(() => {
      const tail = this.#tail.workflow(tenant, workflowId)
      const resources = refs.resources?.map((ref): readonly [string, () => ResourceRow | undefined] => [
        resourceKey(ref),
        () =>
          latest(
            this.#resource.get(tenant, workflowId, ref.name, ref.key),
            tail?.changes("resource", resourceKey(ref)),
          ),
      ])
      return {
        sessions: found(refs.sessions, (id) => this.#sessionRow(tenant, id)),
        handoffs: found(refs.handoffs, (id) => this.#handoffRow(tenant, workflowId, id, tail)),
        steps: found(refs.steps, (id) =>
          latest<StepRow>(this.#step.get(tenant, workflowId, id), tail?.changes("step", id)),
        ),
        kills: found(refs.kills, (id) => this.#receipt(tenant, workflowId, id, tail)),
        resources: new Map(
          (resources ?? []).flatMap(([key, get]) => {
            const row = get()
            return row === undefined ? [] : [[key, row] as const]
          }),
        ),
        answers: found(refs.answers, (id) => this.#answerRow(tenant, workflowId, id, tail)),
      }
    })
  }

  /** `use` sees one state of the store, with the tail that belongs to it. */
  #snapshotOf<A>(use: () => A): A {
    // Whoever walks a whole store holds one transaction around many reads.
    const own = !this.#db.inTransaction
    if (own) this.#begin.run()
    try {
      const range = this.#range.get()
      this.#tail.sync(range?.first ?? null, range?.last ?? null, (after) =>
        this.#after.all(after).map(({ id, body }) => ({ id, items: parseBody(body) })),
      )
      return use()
    } finally {
      if (own) this.#commit.run()
    }
  }

  #definitionHash(tenant: string, workflowId: string): string | undefined {
    for (const { p } of this.#tail.workflow(tenant, workflowId)?.changes("workflow", "") ?? []) {
      if (p._tag === "workflowCreated") return p.row.definitionHash
    }
    return this.#workflow.get(tenant, workflowId)?.definitionHash
  }

  #sessionRow(tenant: string, id: string): SessionRow | undefined {
    const row = this.#session.get(tenant, id)
    const tail =
      row === undefined ? this.#tail.workflowOfSession(tenant, id) : this.#tail.workflow(tenant, row.workflowId)
    return (tail?.changes("session", id) ?? []).reduce(changeSession, row)
  }

  #handoffRow(tenant: string, workflowId: string, id: string, tail: WorkflowTail | undefined): HandoffRow | undefined {
    const row = this.#handoff.get(tenant, workflowId, id)
    return (tail?.changes("handoff", id) ?? []).reduce(changeHandoff, row === undefined ? undefined : toHandoff(row))
  }

  #receipt(tenant: string, workflowId: string, id: string, tail: WorkflowTail | undefined): KillReceipt | undefined {
    const row = this.#kill.get(tenant, workflowId, id)
    let receipt = row === undefined ? undefined : toReceipt(row, workflowId)
    for (const { p } of tail?.changes("kill", id) ?? []) {
      if (p._tag === "killIssued") receipt = p.receipt
      else if (receipt !== undefined) receipt = Rows.killQuiescent(receipt)
    }
    return receipt
  }

  #answerRow(tenant: string, workflowId: string, id: string, tail: WorkflowTail | undefined): AnswerRow | undefined {
    const row = this.#answer.get(tenant, workflowId, id)
    return latest(row === undefined ? undefined : toAnswer(row, workflowId), tail?.changes("answer", id))
  }

  #eventsAfter(tenant: string, workflowId: string, after: number, limit: number): Array<Entry> {
    const ids = this.#idsAfter(tenant, workflowId, after, limit)
    const entries: Array<Entry> = []
    for (let i = 0; i < ids.length; i += eventsPerPage) {
      const rows = this.#events.all(JSON.stringify(ids.slice(i, i + eventsPerPage))).sort((a, b) => a.seq - b.seq)
      for (const row of rows) {
        const seq = after + entries.length + 1
        if (row.seq !== seq || row.workflowId !== workflowId || row.tenant !== tenant) {
          throw new StorageCorrupt({ detail: `event ${seq} is missing or in the wrong place`, workflowId, seq })
        }
        entries.push({ seq, text: row.text, hash: row.hash })
      }
      if (entries.length < Math.min(ids.length, i + eventsPerPage)) {
        const seq = after + entries.length + 1
        throw new StorageCorrupt({ detail: `event ${seq} is missing`, workflowId, seq })
      }
    }
    return entries
  }

  /** The journal ids of the events after `after`, in order: those of the runs, then those of the tail. */
  #idsAfter(tenant: string, workflowId: string, after: number, limit: number): Array<number> {
    const ids: Array<number> = []
    let next = after + 1
    while (ids.length < limit) {
      const runs = this.#runs.all(tenant, workflowId, tenant, workflowId, next, next - 1, runsPerPage)
      for (const { firstSeq, lastSeq, spans } of runs) {
        const parsed = parseSpans(spans)
        if (parsed === undefined || firstSeq > next) {
          throw new StorageCorrupt({ detail: `event ${next} is missing from the index`, workflowId, seq: next })
        }
        idsOf(parsed, next - firstSeq, limit - ids.length, ids)
        next = lastSeq + 1
      }
      if (runs.length < runsPerPage) break
    }
    for (const item of this.#tail.workflow(tenant, workflowId)?.items ?? []) {
      for (let n = Math.max(0, next - item.firstSeq); n < item.count && ids.length < limit; n++) {
        ids.push(item.firstId + n)
        next = item.firstSeq + n + 1
      }
    }
    return ids
  }
}

const parseBody = (body: string): ReadonlyArray<PendingItem> => {
  try {
    return JSON.parse(body) as ReadonlyArray<PendingItem>
  } catch {
    throw new StorageCorrupt({ detail: "a pending group does not parse" })
  }
}

const found = <A>(
  ids: ReadonlyArray<string> | undefined,
  get: (id: string) => A | undefined,
): ReadonlyMap<string, A> => {
  const rows = new Map<string, A>()
  for (const id of ids ?? []) {
    const row = get(id)
    if (row !== undefined) rows.set(id, row)
  }
  return rows
}

/** For rows that are replaced whole. */
const latest = <A extends StepRow | ResourceRow | AnswerRow>(
  row: A | undefined,
  changes: ReadonlyArray<Change> | undefined,
): A | undefined => {
  const last = changes?.at(-1)?.p
  return last !== undefined && "row" in last ? (last.row as A) : row
}

const changeSession = (row: SessionRow | undefined, { p, index }: Change): SessionRow | undefined => {
  if (p._tag === "sessionCreated") return p.row
  if (row === undefined) return undefined
  if (p._tag === "sessionEnded") return Rows.sessionEnded(row, p)
  return p._tag === "sessionsKilled" ? Rows.sessionKilled(row, p, index) : row
}

const changeHandoff = (row: HandoffRow | undefined, { p }: Change): HandoffRow | undefined => {
  if (p._tag === "handoffOffered") return p.row
  if (row === undefined) return undefined
  if (p._tag === "handoffChanged") return Rows.handoffChanged(row, p)
  if (p._tag === "handoffCompleted") return Rows.handoffCompleted(row, p)
  return p._tag === "handoffsKilled" ? Rows.handoffKilled(row, p) : row
}
