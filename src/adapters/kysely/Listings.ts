/** Listings and deadlines of the SQLite store: pages over the tables, after everything pending has been folded. */
import type Database from "better-sqlite3"
import type { HandoffRow, SessionRow, WorkflowRow } from "../../machines/projection.ts"
import type { DueWorkflow, MemberQuery, Page, WorkflowQuery } from "../../runtime/Journal.ts"
import { decodeCursor, encodeCursor, type Place } from "../cursors.ts"
import { type HandoffColumns, toHandoff } from "./columns.ts"
import * as Reads from "./reads.ts"

const statuses = ["active", "completed", "failed", "killed"] as const
const newest: Place = { order: Number.MAX_SAFE_INTEGER, id: "" }
const oldest: Place = { order: -1, id: "" }
const nothing: Page<never> = { items: [], cursor: null }

/** One row more than the page was read, to know whether another page follows. */
const toPage = <A>(rows: ReadonlyArray<A>, limit: number, place: (row: A) => Place): Page<A> => {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, cursor: rows.length > limit && last !== undefined ? encodeCursor(place(last)) : null }
}

export class Listings {
  readonly #db: Database.Database
  readonly #prepared = new Map<string, Database.Statement<unknown[], unknown>>()
  readonly #due: Database.Statement<[number, number], DueWorkflow>
  readonly #nextWake: Database.Statement<[], { at: number | null }>

  constructor(db: Database.Database) {
    this.#db = db
    this.#due = db.prepare(Reads.dueWorkflows())
    this.#nextWake = db.prepare(Reads.nextWake())
  }

  workflows(tenant: string, query: WorkflowQuery): Page<WorkflowRow> {
    const from = query.cursor === undefined ? newest : decodeCursor(query.cursor)
    if (from === undefined) return nothing
    const { status, role, limit } = query
    const rows =
      role !== undefined
        ? this.#all<WorkflowRow>("role", Reads.workflowsOfRolePage, [
            tenant,
            role,
            from.order,
            from.id,
            status ?? null,
            status ?? null,
            limit + 1,
          ])
        : (status === undefined ? statuses : [status])
            .flatMap((one) =>
              this.#all<WorkflowRow>("workflows", Reads.workflowsPage, [tenant, one, from.order, from.id, limit + 1]),
            )
            .sort((a, b) => b.createdAt - a.createdAt || (a.workflowId < b.workflowId ? 1 : -1))
    return toPage(rows, limit, (row) => ({ order: row.createdAt, id: row.workflowId }))
  }

  sessions(tenant: string, query: MemberQuery): Page<SessionRow> {
    const rows = this.#members<SessionRow>("sessions", Reads.sessionsPage, tenant, query)
    return rows === undefined
      ? nothing
      : toPage(rows, query.limit, (row) => ({ order: row.createdSeq, id: row.sessionId }))
  }

  handoffs(tenant: string, query: MemberQuery): Page<HandoffRow> {
    const rows = this.#members<HandoffColumns>("handoffs", Reads.handoffsPage, tenant, query)
    if (rows === undefined) return nothing
    return toPage(rows.map(toHandoff), query.limit, (row) => ({ order: row.offeredSeq, id: row.handoffId }))
  }

  due(now: number, limit: number): ReadonlyArray<DueWorkflow> {
    return this.#due.all(now, limit)
  }
  nextWake(): number | null {
    return this.#nextWake.get()?.at ?? null
  }

  #members<A>(
    name: string,
    statement: (selection: Reads.MemberSelection, direction: Reads.Direction) => string,
    tenant: string,
    query: MemberQuery,
  ): ReadonlyArray<A> | undefined {
    const direction = query.newestFirst === true ? "desc" : "asc"
    const from = query.cursor === undefined ? (direction === "desc" ? newest : oldest) : decodeCursor(query.cursor)
    if (from === undefined) return undefined
    const selection = query.open === undefined ? "all" : query.open ? "open" : "ended"
    return this.#all<A>(`${name} ${selection} ${direction}`, () => statement(selection, direction), [
      tenant,
      query.workflowId,
      from.order,
      from.id,
      query.limit + 1,
    ])
  }

  #all<A>(name: string, sql: () => string, parameters: ReadonlyArray<string | number | null>): ReadonlyArray<A> {
    let statement = this.#prepared.get(name)
    if (statement === undefined) {
      statement = this.#db.prepare<unknown[], unknown>(sql())
      this.#prepared.set(name, statement)
    }
    return statement.all(...parameters) as ReadonlyArray<A>
  }
}
