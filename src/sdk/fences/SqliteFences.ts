/**
 * Fencing on SQLite: a row that carries its own token, or a table of tokens that guards any writes of a transaction.
 *
 * Works over a `better-sqlite3` database and anything of its shape; nothing is imported. Everything is synchronous, as the
 * driver is.
 */
import type { Fence } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFence, checkedFences } from "./fence.ts"
import type { FenceTableOptions } from "./PostgresFences.ts"
import {
  advance,
  createFenceTable,
  quotedTable,
  type RowWrite,
  readRow,
  readToken,
  type Statement,
  tokenOf,
  updateRow,
} from "./statements.ts"

export interface SqliteDatabase {
  readonly inTransaction: boolean
  exec(sql: string): unknown
  prepare(sql: string): {
    run(values: object): { readonly changes: number }
    all(values: object): ReadonlyArray<unknown>
  }
}

const at = (number: number): string => `@p${number}`

export class SqliteFences {
  readonly #database: SqliteDatabase
  readonly #table: string

  constructor(database: SqliteDatabase, { table = "handrail_fences" }: FenceTableOptions = {}) {
    this.#database = database
    this.#table = quotedTable(table)
  }

  /** Creates the table of tokens where it is missing. Not needed for `updateRow`. */
  createTable(): void {
    this.#database.exec(createFenceTable(this.#table))
  }

  /**
   * Writes one row that carries its token in a column (`handrail_fence integer not null default 0`).
   *
   * Guarantee: one statement checks the token, writes the row and stores the token, so no write lands after one with a greater
   * token, by any process on the file that writes through this method. False where there is no such row.
   * Limits: whoever updates the row without the column is not fenced; a deleted row takes its token along, so guard what is
   * inserted and deleted with `transaction`. Throws `StaleFenceError`; `FenceError` `invalid` where `where` holds for two rows.
   */
  updateRow(write: RowWrite, fence: Fence): boolean {
    const mine = checkedFence(fence)
    return this.#exclusively(() => {
      const update = updateRow(write, mine, at)
      if (this.#database.prepare(update.text).run(named(update)).changes === 1) return true
      const look = readRow(write, at)
      const [row, second] = this.#database.prepare(look.text).all(named(look))
      if (row === undefined) return false
      if (second !== undefined)
        throw new FenceError("invalid", "where holds for more than one row. Name one by its key, or use transaction.")
      throw new StaleFenceError(mine, tokenOf(row))
    })
  }

  /**
   * Runs writes, many rows and tables, in a transaction that is guarded by the fences. `work` is synchronous, as transactions
   * of this driver are: whatever is asynchronous comes before.
   *
   * Guarantee: no such transaction commits after one with a greater token has, by any process on the file; where `work`
   * throws, everything is rolled back and its error is thrown. Inside a transaction of the caller's own it joins that one,
   * which the caller then rolls back at an error. Throws `StaleFenceError`, and `FenceError` `invalid` where `work` returns a
   * promise.
   */
  transaction<A>(fences: ReadonlyArray<Fence>, work: () => A): A {
    const all = checkedFences(fences)
    return this.#exclusively(() => {
      for (const fence of all) this.#advance(fence)
      const result = work()
      if (typeof result === "object" && result !== null && "then" in result)
        throw new FenceError("invalid", "The work returned a promise: its writes would come after the transaction.")
      return result
    })
  }

  #advance(fence: Fence): void {
    const store = advance(this.#table, fence, at)
    if (this.#database.prepare(store.text).all(named(store)).length > 0) return
    const look = readToken(this.#table, fence, at)
    const [stored] = this.#database.prepare(look.text).all(named(look))
    throw new StaleFenceError(fence, tokenOf(stored))
  }

  /** The write lock first, so that what is read is what is written upon. */
  #exclusively<A>(work: () => A): A {
    const database = this.#database
    if (database.inTransaction) return work()
    database.exec("begin immediate")
    try {
      const result = work()
      database.exec("commit")
      return result
    } catch (error) {
      if (database.inTransaction) database.exec("rollback")
      throw error
    }
  }
}

const named = ({ values }: Statement): object =>
  Object.fromEntries(values.map((value, index) => [`p${index + 1}`, value]))
