/**
 * The writer: one connection, one transaction a group, one fsync. Runs in its own thread (worker.ts) and knows of none.
 *
 * A group takes the write lock, checks each append against the head of its workflow, writes what is left, and commits. The
 * lock is held from the check to the commit, so no other process can come between. When enough is pending, the same
 * transaction folds it (Fold.ts).
 */
import { performance } from "node:perf_hooks"
import Database from "better-sqlite3"
import type { Appended } from "../../runtime/Journal.ts"
import { Folder } from "./Fold.ts"
import { type Failure, failureOf, sqliteCode } from "./failures.ts"
import { Heads } from "./Heads.ts"
import type { GroupMessage, PendingItem, WriterMessage, WriterOptions, WriterReply } from "./messages.ts"

const conflict: Appended = { _tag: "conflict" }
const appended: Appended = { _tag: "appended" }

export class Writer {
  readonly #options: WriterOptions
  readonly #db: Database.Database
  readonly #heads: Heads
  readonly #folder: Folder
  readonly #begin: Database.Statement
  readonly #beginRead: Database.Statement
  readonly #commit: Database.Statement
  readonly #savepoint: Database.Statement
  readonly #release: Database.Statement
  readonly #insert1: Database.Statement
  readonly #insertMany: Database.Statement
  readonly #insertPending: Database.Statement
  readonly #answer: Database.Statement
  readonly #definition: Database.Statement
  readonly #snapshot: Database.Statement
  #verified = false
  /** A fold failed on what is pending, so that it is not tried with every group. */
  #stuck = false
  #folded = 0
  #sqlUs = 0
  #fsyncUs = 0
  #foldUs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    const db = new Database(options.filename, { fileMustExist: true, timeout: options.busyTimeoutMs })
    this.#db = db
    const synchronous = options.synchronous === "full" ? 2 : 1
    db.pragma(`synchronous = ${synchronous}`)
    db.pragma("cache_size = -65536")
    db.pragma("temp_store = memory")
    db.pragma("wal_autocheckpoint = 4000")
    if (options.maxPages !== null) db.pragma(`max_page_count = ${options.maxPages}`)
    const { statements } = options
    this.#heads = new Heads(db, statements.heads)
    this.#folder = new Folder(db, statements.fold)
    this.#begin = db.prepare("begin immediate")
    this.#beginRead = db.prepare("begin")
    this.#commit = db.prepare("commit")
    this.#savepoint = db.prepare("savepoint fold")
    this.#release = db.prepare("release fold")
    this.#insert1 = db.prepare(statements.event)
    this.#insertMany = db.prepare(statements.events)
    this.#insertPending = db.prepare(statements.pending)
    this.#answer = db.prepare(statements.fold.answer)
    this.#definition = db.prepare(statements.definition)
    this.#snapshot = db.prepare(statements.snapshot)
  }

  /** Milliseconds after which `fold` should be called if nothing comes; infinite when nothing is pending. */
  get restMs(): number {
    return this.#heads.pendingAppends > 0 && !this.#stuck ? this.#options.idleMs : Number.POSITIVE_INFINITY
  }

  handle(message: WriterMessage): WriterReply {
    const started = performance.now()
    let results: ReadonlyArray<Appended> | null = null
    let failure: Failure | null = null
    let first = 0
    const before = { id: 0 }
    try {
      switch (message.kind) {
        case "group": {
          if (message.body === "[]" && message.answers.length === 0) results = this.#confirm(message)
          else {
            const done = this.#write(message, before)
            first = done.first
            results = done.results
          }
          break
        }
        case "fold":
        case "close":
          this.fold()
          break
        case "ping":
          this.#beginRead.run()
          this.#heads.refresh()
          this.#commit.run()
      }
    } catch (error) {
      failure = failureOf(error) ?? null
      this.#rollback()
      if (failure === null) throw error
    }
    this.#sqlUs += (performance.now() - started) * 1000
    return {
      id: message.id,
      results,
      failure,
      first,
      before: before.id,
      folded: this.#folded,
      foreign: this.#heads.foreign,
      stages: { sql: this.#sqlUs - this.#fsyncUs - this.#foldUs, fsync: this.#fsyncUs, fold: this.#foldUs },
    }
  }

  /** Carries all that is pending into the tables, in a transaction of its own. */
  fold(): void {
    this.#begin.run()
    this.#heads.refresh()
    if (this.#heads.pendingAppends === 0) {
      this.#commit.run()
      return
    }
    this.#foldNow()
    this.#commitNow()
    this.#settleFold()
  }

  close(): void {
    this.#db.close()
  }

  #write(group: GroupMessage, before: { id: number }): { first: number; results: ReadonlyArray<Appended> | null } {
    this.#begin.run()
    const heads = this.#heads
    heads.refresh()
    const results = this.#check(group)
    const skip = results === undefined ? undefined : results.map((result) => result._tag !== "appended")
    const body = skip === undefined ? group.body : remaining(group, skip)
    const answered = this.#writeAnswers(group, skip)
    if (body === "[]") {
      if (answered) this.#commitNow()
      else this.#commit.run()
      return { first: 0, results: results ?? null }
    }
    const first = heads.nextId
    before.id = heads.lastPending
    const events = this.#insertEvents(group, skip, first)
    this.#insertPending.run(first, body)
    const { definitions, snapshots, tenants, workflowIds } = group
    for (let i = 0; i < definitions.length; i += 3) {
      const at = definitions[i] as number
      if (skip?.[at] !== true) this.#definition.run(tenants[at], definitions[i + 1], definitions[i + 2])
    }
    for (let i = 0; i < snapshots.length; i += 4) {
      const at = snapshots[i] as number
      if (skip?.[at] === true) continue
      this.#snapshot.run(tenants[at], workflowIds[at], snapshots[i + 1], snapshots[i + 2], snapshots[i + 3])
    }
    heads.added(first, body, group.counts.length, events)
    const { foldAppends, foldBytes } = this.#options
    const due = heads.pendingAppends >= foldAppends || heads.pendingBytes >= foldBytes
    const folded = due && !this.#stuck && this.#tryFold()
    this.#commitNow()
    if (folded) this.#settleFold()
    return { first, results: results ?? null }
  }

  /** The answers of commands that changed nothing. False when there was none. */
  #writeAnswers({ answers, tenants, workflowIds }: GroupMessage, skip: ReadonlyArray<boolean> | undefined): boolean {
    let written = false
    for (let i = 0; i < answers.length; i += 4) {
      const at = answers[i] as number
      if (skip?.[at] === true) continue
      this.#answer.run(tenants[at], workflowIds[at], answers[i + 1], answers[i + 2], answers[i + 3])
      written = true
    }
    return written
  }

  /** Undefined when every append is taken. Moves the heads of those that are. */
  #check(group: GroupMessage): Array<Appended> | undefined {
    const { tenants, workflowIds, expectedSeqs, counts, creates } = group
    const heads = this.#heads
    let results: Array<Appended> | undefined
    let create = 0
    for (let i = 0; i < tenants.length; i++) {
      const tenant = tenants[i] as string
      const workflowId = workflowIds[i] as string
      const expected = expectedSeqs[i] as number
      const from = create
      while (creates[create] === i) create += 3
      let result = heads.head(tenant, workflowId) === expected ? undefined : conflict
      if (result === undefined && from < create) result = this.#create(group, i, from, create)
      if (result === undefined) {
        if ((counts[i] as number) > 0) heads.setHead(tenant, workflowId, expected + (counts[i] as number))
      } else {
        results ??= new Array<Appended>(tenants.length).fill(appended)
        results[i] = result
      }
    }
    return results
  }

  /** Notes what one append creates; what exists already refuses it, and takes back what it noted. */
  #create(group: GroupMessage, index: number, from: number, to: number): Appended | undefined {
    const tenant = group.tenants[index] as string
    const workflowId = group.workflowIds[index] as string
    const heads = this.#heads
    const own = new Set<string>()
    for (let i = from; i < to; i += 3) {
      const session = group.creates[i + 1] === "s"
      const id = group.creates[i + 2] as string
      const known = session ? heads.sessionExists(tenant, id) : heads.handoffExists(tenant, workflowId, id)
      const name = session ? `s${id}` : `h${id}`
      if (known || own.has(name)) return { _tag: "exists", kind: session ? "session" : "handoff", id }
      if (to - from > 3) own.add(name)
    }
    for (let i = from; i < to; i += 3) {
      const id = group.creates[i + 2] as string
      if (group.creates[i + 1] === "s") heads.createdSession(tenant, id)
      else heads.createdHandoff(tenant, workflowId, id)
    }
    return undefined
  }

  #insertEvents(group: GroupMessage, skip: ReadonlyArray<boolean> | undefined, first: number): number {
    const { tenants, workflowIds, expectedSeqs, counts, entries } = group
    let id = first
    let entry = 0
    let values: Array<string | number> = []
    for (let i = 0; i < counts.length; i++) {
      const count = counts[i] as number
      if (skip?.[i] === true) {
        entry += 2 * count
        continue
      }
      const expected = expectedSeqs[i] as number
      for (let n = 1; n <= count; n++, entry += 2) {
        values.push(
          id++,
          tenants[i] as string,
          workflowIds[i] as string,
          expected + n,
          entries[entry] as string,
          entries[entry + 1] as string,
        )
        if (values.length === 6 * this.#options.statements.eventsPerInsert) {
          this.#insertMany.run(values)
          values = []
        }
      }
    }
    for (let i = 0; i < values.length; i += 6) this.#insert1.run(values.slice(i, i + 6))
    return id - first
  }

  /** A group that only asks: no lock, no transaction that writes, no fsync. */
  #confirm({ tenants, workflowIds, expectedSeqs }: GroupMessage): ReadonlyArray<Appended> | null {
    this.#beginRead.run()
    this.#heads.refresh()
    const results = tenants.map((tenant, i) =>
      this.#heads.head(tenant, workflowIds[i] as string) === expectedSeqs[i] ? appended : conflict,
    )
    this.#commit.run()
    return results.every((result) => result === appended) ? null : results
  }

  #foldNow(): void {
    const started = performance.now()
    this.#folder.fold(this.#heads.pending())
    this.#foldUs += (performance.now() - started) * 1000
  }
  /**
   * A fold on the way of an append. A change that a table refuses is a bug, found after it was acknowledged: the append goes
   * through without the fold, reads by name keep working from the pending groups, and whoever needs the tables is told.
   */
  #tryFold(): boolean {
    this.#savepoint.run()
    try {
      this.#foldNow()
      this.#release.run()
      return true
    } catch (error) {
      if (!sqliteCode(error).startsWith("SQLITE_CONSTRAINT")) throw error
      this.#db.exec("rollback to fold; release fold")
      this.#stuck = true
      return false
    }
  }
  #settleFold(): void {
    this.#stuck = false
    this.#folded = this.#heads.lastPending
    this.#heads.folded()
  }
  #commitNow(): void {
    const started = performance.now()
    this.#commit.run()
    this.#fsyncUs += (performance.now() - started) * 1000
    if (this.#verified) return
    // better-sqlite3 lets WAL fall back to NORMAL when the first write comes, unless FULL was set; seen here, not believed.
    const synchronous = this.#db.pragma("synchronous", { simple: true })
    if (synchronous !== (this.#options.synchronous === "full" ? 2 : 1)) {
      throw new Error(`synchronous is ${String(synchronous)} after a write`)
    }
    this.#verified = true
  }
  #rollback(): void {
    this.#heads.forget()
    if (this.#db.inTransaction) this.#db.exec("rollback")
  }
}

/** The body without the appends that were refused. */
const remaining = (group: GroupMessage, skip: ReadonlyArray<boolean>): string => {
  const items = JSON.parse(group.body) as ReadonlyArray<PendingItem>
  let item = 0
  const kept: Array<PendingItem> = []
  group.counts.forEach((count, i) => {
    if (count === 0) return
    if (skip[i] !== true) kept.push(items[item] as PendingItem)
    item++
  })
  return JSON.stringify(kept)
}
