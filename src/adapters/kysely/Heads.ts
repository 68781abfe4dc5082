/**
 * What the writer knows of the store without asking it: heads of workflows, groups that are not folded, ids that they
 * created. True only while no other connection has committed; the writer looks at `data_version` under its lock, before
 * it believes any of it.
 */
import type Database from "better-sqlite3"
import type { PendingGroup } from "./Fold.ts"
import type { PendingItem } from "./messages.ts"
import { op } from "./ops.ts"
import type { WriterStatements } from "./writerStatements.ts"

/** Heads that are kept although nothing of their workflow is pending. */
const coldHeads = 65_536

interface Kept {
  readonly id: number
  /** Parsed when a fold or a look-up needs it. */
  readonly body: string
}

export class Heads {
  readonly #version: Database.Statement<[], number>
  readonly #ids: Database.Statement<[], number>
  readonly #after: Database.Statement<[number], { id: number; body: string }>
  readonly #lastEvent: Database.Statement<[], { id: number | null }>
  readonly #lastRun: Database.Statement<[string, string], { lastSeq: number }>
  readonly #session: Database.Statement<[string, string], unknown>
  readonly #handoff: Database.Statement<[string, string, string], unknown>

  #dataVersion = -1
  #heads = new Map<string, number>()
  #pending: Array<Kept> = []
  #created = new Set<string>()
  /** Appends in pending groups. */
  pendingAppends = 0
  /** Their length in characters. */
  pendingBytes = 0
  /** The journal id that the next event gets. */
  nextId = 1
  /** How often the store had changed, or may have, since it was last looked at. */
  foreign = 0

  constructor(db: Database.Database, statements: WriterStatements["heads"]) {
    this.#version = db.prepare<[], number>("pragma data_version").pluck()
    this.#ids = db.prepare<[], number>(statements.pendingIds).pluck()
    this.#after = db.prepare(statements.pendingAfter)
    this.#lastEvent = db.prepare(statements.lastEventId)
    this.#lastRun = db.prepare(statements.lastRun)
    this.#session = db.prepare(statements.sessionExists)
    this.#handoff = db.prepare(statements.handoffExists)
  }

  /** To be called first in every transaction. */
  refresh(): void {
    const version = this.#version.get()
    if (version === this.#dataVersion) return
    this.foreign++
    this.#reload()
    this.#dataVersion = version ?? -1
  }

  /** After a rollback: what was noted in the transaction never was. */
  forget(): void {
    this.#dataVersion = -1
    this.#pending = []
  }

  get lastPending(): number {
    return this.#pending.at(-1)?.id ?? 0
  }

  head(tenant: string, workflowId: string): number {
    const key = `${tenant}\u0000${workflowId}`
    const known = this.#heads.get(key)
    if (known !== undefined) return known
    const head = this.#lastRun.get(tenant, workflowId)?.lastSeq ?? 0
    this.#heads.set(key, head)
    return head
  }
  setHead(tenant: string, workflowId: string, seq: number): void {
    this.#heads.set(`${tenant}\u0000${workflowId}`, seq)
  }

  sessionExists(tenant: string, id: string): boolean {
    return this.#created.has(`${tenant}\u0000${id}`) || this.#session.get(tenant, id) !== undefined
  }
  handoffExists(tenant: string, workflowId: string, id: string): boolean {
    return (
      this.#created.has(`${tenant}\u0000${workflowId}\u0000${id}`) ||
      this.#handoff.get(tenant, workflowId, id) !== undefined
    )
  }
  createdSession(tenant: string, id: string): void {
    this.#created.add(`${tenant}\u0000${id}`)
  }
  createdHandoff(tenant: string, workflowId: string, id: string): void {
    this.#created.add(`${tenant}\u0000${workflowId}\u0000${id}`)
  }

  added(id: number, body: string, appends: number, events: number): void {
    this.#pending.push({ id, body })
    this.pendingAppends += appends
    this.pendingBytes += body.length
    this.nextId = id + events
  }

  pending(): ReadonlyArray<PendingGroup> {
    return this.#pending.map(({ id, body }) => ({ id, items: JSON.parse(body) as ReadonlyArray<PendingItem> }))
  }
  folded(): void {
    this.#pending = []
    this.#created.clear()
    this.pendingAppends = 0
    this.pendingBytes = 0
    if (this.#heads.size > coldHeads) this.#heads.clear()
  }

  /** Groups are never changed, so only those that are not known yet are read. */
  #reload(): void {
    this.#heads.clear()
    this.#created.clear()
    this.pendingAppends = 0
    const ids = this.#ids.all()
    const known = new Map(this.#pending.map((group) => [group.id, group]))
    const firstUnknown = ids.findIndex((id) => !known.has(id))
    const kept = (firstUnknown === -1 ? ids : ids.slice(0, firstUnknown)).map((id) => known.get(id) as Kept)
    const read = firstUnknown === -1 ? [] : this.#after.all((ids[firstUnknown] as number) - 1)
    this.#pending = [...kept, ...read]
    this.pendingBytes = this.#pending.reduce((bytes, group) => bytes + group.body.length, 0)
    for (const group of this.pending()) {
      this.pendingAppends += group.items.length
      for (const item of group.items) this.#note(item)
    }
    this.nextId = (this.#lastEvent.get()?.id ?? 0) + 1
  }

  #note([tenant, workflowId, firstSeq, count, ops]: PendingItem): void {
    this.setHead(tenant, workflowId, firstSeq + count - 1)
    for (let i = 0; i < ops.length; i += 2) {
      const [id] = ops[i + 1] as ReadonlyArray<string>
      if (id === undefined) continue
      if (ops[i] === op.sessionCreated) this.createdSession(tenant, id)
      else if (ops[i] === op.handoffOffered) this.createdHandoff(tenant, workflowId, id)
    }
  }
}
