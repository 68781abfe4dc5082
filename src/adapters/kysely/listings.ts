/**
 * Listings as data: which statements a page is read with, and how their rows become the page. What runs them, and when it
 * answers, is the database's affair.
 */
import type { HandoffRow, SessionRow, WorkflowRow } from "../../machines/projection.ts"
import type { MemberQuery, Page, WorkflowQuery } from "../../runtime/Journal.ts"
import { decodeCursor, encodeCursor, type Place } from "../cursors.ts"
import { type HandoffColumns, toHandoff } from "./columns.ts"
import type { Statement } from "./query.ts"
import * as Reads from "./reads.ts"

/** One statement with its parameters. `name` tells statements apart. */
export interface Ask {
  readonly name: string
  readonly statement: () => Statement
  readonly parameters: ReadonlyArray<string | number | null>
}
export interface Listing<Row, A> {
  readonly asks: ReadonlyArray<Ask>
  /** From the rows of all the asks. */
  page(rows: ReadonlyArray<Row>): Page<A>
}

const statuses = ["active", "completed", "failed", "killed"] as const
const newest: Place = { order: Number.MAX_SAFE_INTEGER, id: "" }
const oldest: Place = { order: -1, id: "" }

/** One row more than the page was read, to know whether another page follows. */
const toPage = <A>(rows: ReadonlyArray<A>, limit: number, place: (row: A) => Place): Page<A> => {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, cursor: rows.length > limit && last !== undefined ? encodeCursor(place(last)) : null }
}
/** A cursor that no page gave leads nowhere. */
const nowhere = <Row, A>(): Listing<Row, A> => ({ asks: [], page: () => ({ items: [], cursor: null }) })

export const workflowListing = (tenant: string, query: WorkflowQuery): Listing<WorkflowRow, WorkflowRow> => {
  const from = query.cursor === undefined ? newest : decodeCursor(query.cursor)
  if (from === undefined) return nowhere()
  const { status, role, limit } = query
  const { order, id } = from
  const ofStatus = (one: string): Ask => ({
    name: "workflowsPage",
    statement: Reads.workflowsPage,
    parameters: [tenant, one, order, id, limit + 1],
  })
  const ofRole = (name: string): Ask => ({
    name: "workflowsOfRolePage",
    statement: Reads.workflowsOfRolePage,
    parameters: [tenant, name, order, id, status ?? null, status ?? null, limit + 1],
  })
  return {
    asks: role !== undefined ? [ofRole(role)] : (status === undefined ? statuses : [status]).map(ofStatus),
    page: (rows) =>
      toPage(
        rows.toSorted((a, b) => b.createdAt - a.createdAt || (a.workflowId < b.workflowId ? 1 : -1)),
        limit,
        (row) => ({ order: row.createdAt, id: row.workflowId }),
      ),
  }
}

export const sessionListing = (tenant: string, query: MemberQuery): Listing<SessionRow, SessionRow> =>
  members("sessionsPage", Reads.sessionsPage, tenant, query, (rows) =>
    toPage(rows, query.limit, (row) => ({ order: row.createdSeq, id: row.sessionId })),
  )

export const handoffListing = (tenant: string, query: MemberQuery): Listing<HandoffColumns, HandoffRow> =>
  members("handoffsPage", Reads.handoffsPage, tenant, query, (rows) =>
    toPage(rows.map(toHandoff), query.limit, (row) => ({ order: row.offeredSeq, id: row.handoffId })),
  )

const members = <Row, A>(
  name: string,
  statement: (selection: Reads.MemberSelection, direction: Reads.Direction) => Statement,
  tenant: string,
  query: MemberQuery,
  page: (rows: ReadonlyArray<Row>) => Page<A>,
): Listing<Row, A> => {
  const direction = query.newestFirst === true ? "desc" : "asc"
  const from = query.cursor === undefined ? (direction === "desc" ? newest : oldest) : decodeCursor(query.cursor)
  if (from === undefined) return nowhere()
  const selection = query.open === undefined ? "all" : query.open ? "open" : "ended"
  return {
    asks: [
      {
        name: `${name} ${selection} ${direction}`,
        statement: () => statement(selection, direction),
        parameters: [tenant, query.workflowId, from.order, from.id, query.limit + 1],
      },
    ],
    page,
  }
}
