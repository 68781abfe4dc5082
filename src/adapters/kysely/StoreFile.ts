/**
 * A whole SQLite store, read from end to end: for `verify`, for export, and for whoever compares projections with a fold.
 *
 * Opens read-only and holds one snapshot while it is open, so it can run beside writers; memory is bounded by a page, whatever
 * the store holds. Rows are as the journal's reads give them, with what is not folded yet.
 */
import { existsSync } from "node:fs"
import Database from "better-sqlite3"
import type { KillReceipt } from "../../machines/answers.ts"
import { type ResourceRef, resourceKey, type Tenant, type WorkflowId } from "../../machines/ids.ts"
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
import { type Entry, type Snapshot, StorageUnavailable } from "../../runtime/Journal.ts"
import { Reader } from "./Reader.ts"
import * as Reads from "./reads.ts"
import { Tail } from "./Tail.ts"

const pageRows = 500

export interface WorkflowKey {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
}

export class StoreFile {
  readonly #db: Database.Database
  readonly #tail = new Tail()
  readonly #reader: Reader

  /** Throws what SQLite throws, and `StorageUnavailable` when there is no such file. */
  constructor(filename: string) {
    if (!existsSync(filename)) throw new StorageUnavailable({ reason: "no_file", detail: `${filename} does not exist` })
    this.#db = new Database(filename, { readonly: true })
    this.#reader = new Reader(this.#db, this.#tail)
    this.#db.exec("begin")
  }

  close(): void {
    this.#db.close()
  }

  /** Every workflow, by tenant and id; then those that were created too lately to be in the tables. */
  *workflows(tenant?: string): Generator<WorkflowKey> {
    const page = this.#db.prepare<[string, string, number], WorkflowKey>(Reads.workflowKeys().sqlite)
    // Also brings the tail up to this snapshot.
    this.#reader.workflowRow("", "")
    for (let from = { tenant: tenant ?? "", workflowId: "" }; ; ) {
      const keys = page.all(from.tenant, from.workflowId, pageRows)
      for (const key of keys) {
        if (tenant !== undefined && key.tenant !== tenant) return yield* this.#recent(tenant)
        yield key
      }
      const last = keys.at(-1)
      if (last === undefined || keys.length < pageRows) return yield* this.#recent(tenant)
      from = last
    }
  }

  countEvents(): number {
    return this.#db.prepare<[], number>(Reads.countEvents().sqlite).pluck().get() ?? 0
  }
  countEventsOf({ tenant, workflowId }: WorkflowKey): number {
    const count = this.#db.prepare<[string, string], number>(Reads.countEventsOf().sqlite).pluck()
    return count.get(tenant, workflowId) ?? 0
  }

  workflow(key: WorkflowKey): WorkflowRow | undefined {
    return this.#reader.workflowRow(key.tenant, key.workflowId)
  }
  snapshot(key: WorkflowKey): Snapshot | undefined {
    return this.#reader.snapshot(key.tenant, key.workflowId)
  }
  /** Null also where there is no workflow. */
  wakeAt(key: WorkflowKey): number | null {
    const wakes = this.#tail.workflow(key.tenant, key.workflowId)?.changes("workflow", "") ?? []
    const last = wakes.findLast(({ p }) => p._tag === "wakeAt")?.p
    if (last?._tag === "wakeAt") return last.at
    return (
      this.#db
        .prepare<[string, string], number | null>(Reads.wakeOf().sqlite)
        .pluck()
        .get(key.tenant, key.workflowId) ?? null
    )
  }

  /** In order. Throws `StorageCorrupt` at a gap or a break in the hash chain. */
  *entries(key: WorkflowKey, after = 0): Generator<Entry> {
    for (let from = after; ; ) {
      const page = this.#reader.read(key.tenant, key.workflowId, from, pageRows)
      yield* page
      if (page.length < pageRows) return
      from = page.at(-1)?.seq ?? from
    }
  }

  /** In no order, like all rows of members. */
  sessions(key: WorkflowKey): Generator<SessionRow> {
    const page = this.#db.prepare<Place, { sessionId: string; createdSeq: number }>(
      Reads.sessionsPage("all", "asc").sqlite,
    )
    return this.#rows(
      key,
      "session",
      (ids) => this.#lookup(key, { sessions: ids }).sessions,
      (from: Numbered | undefined) =>
        page
          .all(key.tenant, key.workflowId, from?.order ?? -1, from?.id ?? "", pageRows)
          .map((row) => ({ id: row.sessionId, order: row.createdSeq })),
    )
  }
  handoffs(key: WorkflowKey): Generator<HandoffRow> {
    const page = this.#db.prepare<Place, { handoffId: string; offeredSeq: number }>(
      Reads.handoffsPage("all", "asc").sqlite,
    )
    return this.#rows(
      key,
      "handoff",
      (ids) => this.#lookup(key, { handoffs: ids }).handoffs,
      (from: Numbered | undefined) =>
        page
          .all(key.tenant, key.workflowId, from?.order ?? -1, from?.id ?? "", pageRows)
          .map((row) => ({ id: row.handoffId, order: row.offeredSeq })),
    )
  }
  steps(key: WorkflowKey): Generator<StepRow> {
    return this.#rows(
      key,
      "step",
      (ids) => this.#lookup(key, { steps: ids }).steps,
      this.#ids(key, Reads.stepsPage().sqlite),
    )
  }
  kills(key: WorkflowKey): Generator<KillReceipt> {
    return this.#rows(
      key,
      "kill",
      (ids) => this.#lookup(key, { kills: ids }).kills,
      this.#ids(key, Reads.killsPage().sqlite),
    )
  }
  answers(key: WorkflowKey): Generator<AnswerRow> {
    return this.#rows(
      key,
      "answer",
      (ids) => this.#lookup(key, { answers: ids }).answers,
      this.#ids(key, Reads.answersPage().sqlite),
    )
  }
  resources(key: WorkflowKey): Generator<ResourceRow> {
    const page = this.#db.prepare<[string, string, string, string, number], ResourceRef>(Reads.resourcesPage().sqlite)
    const rows = (ids: ReadonlyArray<string>) => this.#lookup(key, { resources: ids.map(refOf) }).resources
    return this.#rows(key, "resource", rows, (from: Identified | undefined) => {
      const { name, key: entity } = refOf(from?.id ?? "\u0000")
      return page.all(key.tenant, key.workflowId, name, entity, pageRows).map((ref) => ({ id: resourceKey(ref) }))
    })
  }

  *#recent(tenant: string | undefined): Generator<WorkflowKey> {
    const created = [...this.#tail.all()].filter((one) => tenant === undefined || one.tenant === tenant)
    for (const one of created) {
      if (one.changes("workflow", "").some(({ p }) => p._tag === "workflowCreated")) yield one
    }
  }

  #lookup({ tenant, workflowId }: WorkflowKey, refs: ArchiveRefs): Archive {
    return this.#reader.lookup(tenant, workflowId, refs)
  }
  #ids(key: WorkflowKey, sql: string): (from: Identified | undefined) => ReadonlyArray<Identified> {
    const page = this.#db.prepare<[string, string, string, number], string>(sql).pluck()
    return (from) => page.all(key.tenant, key.workflowId, from?.id ?? "", pageRows).map((id) => ({ id }))
  }

  /** First what the tail touches, then the tables without that. */
  *#rows<A, P extends Identified>(
    key: WorkflowKey,
    kind: string,
    rows: (ids: ReadonlyArray<string>) => ReadonlyMap<string, A>,
    page: (from: P | undefined) => ReadonlyArray<P>,
  ): Generator<A> {
    const touched = new Set(this.#tail.workflow(key.tenant, key.workflowId)?.ids(kind))
    yield* rows([...touched]).values()
    for (let from: P | undefined; ; ) {
      const places = page(from)
      yield* rows(places.map((place) => place.id).filter((id) => !touched.has(id))).values()
      if (places.length < pageRows) return
      from = places.at(-1)
    }
  }
}

type Place = [tenant: string, workflowId: string, order: number, id: string, limit: number]
interface Identified {
  readonly id: string
}
interface Numbered extends Identified {
  readonly order: number
}

const refOf = (key: string): ResourceRef => {
  const [name = "", entity = ""] = key.split("\u0000")
  return { name, key: entity }
}
