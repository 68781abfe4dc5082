/** Listings and deadlines of the SQLite store: pages over the tables, after everything pending has been folded. */
import type Database from "better-sqlite3"
import type { DueWorkflow, Page } from "../../runtime/Journal.ts"
import type { Ask, Listing } from "./listings.ts"
import * as Reads from "./reads.ts"

export class ListingReader {
  readonly #db: Database.Database
  readonly #prepared = new Map<string, Database.Statement<unknown[], unknown>>()
  readonly #due: Database.Statement<[number, number], DueWorkflow>
  readonly #nextWake: Database.Statement<[], { at: number | null }>

  constructor(db: Database.Database) {
    this.#db = db
    this.#due = db.prepare(Reads.dueWorkflows().sqlite)
    this.#nextWake = db.prepare(Reads.nextWake().sqlite)
  }

  page<Row, A>(listing: Listing<Row, A>): Page<A> {
    return listing.page(listing.asks.flatMap((ask) => this.#all<Row>(ask)))
  }
  due(now: number, limit: number): ReadonlyArray<DueWorkflow> {
    return this.#due.all(now, limit)
  }
  nextWake(): number | null {
    return this.#nextWake.get()?.at ?? null
  }

  #all<Row>({ name, statement, parameters }: Ask): ReadonlyArray<Row> {
    let prepared = this.#prepared.get(name)
    if (prepared === undefined) {
      prepared = this.#db.prepare<unknown[], unknown>(statement().sqlite)
      this.#prepared.set(name, prepared)
    }
    return prepared.all(...parameters) as ReadonlyArray<Row>
  }
}
