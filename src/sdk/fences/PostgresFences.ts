/**
 * Fencing on Postgres: a row that carries its own token, or a table of tokens that guards any writes of a transaction.
 *
 * Works over what `pg` gives (`Client`, `Pool`, `PoolClient`) and over anything with the same `query`; nothing is imported.
 */
import type { Fence } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFence, checkedFences } from "./fence.ts"
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

export interface PostgresConnection {
  query(
    text: string,
    values?: Array<unknown>,
  ): Promise<{ readonly rows: ReadonlyArray<unknown>; readonly rowCount: number | null }>
}
/** A pool's connection goes back by `release`; one that may be broken is given back with the error, and thrown away. */
export interface PostgresPooled extends PostgresConnection {
  release(error?: Error | boolean): void
}
export interface PostgresPool {
  connect(): Promise<PostgresPooled>
}

export interface FenceTableOptions {
  /** Where the tokens are kept. Default `handrail_fences`. */
  readonly table?: RowWrite["table"]
}

const at = (number: number): string => `$${number}`
/** As often as a row may appear, or lose its stored token, between two looks. */
const tries = 3

export class PostgresFences {
  readonly #table: string

  constructor({ table = "handrail_fences" }: FenceTableOptions = {}) {
    this.#table = quotedTable(table)
  }

  /** Creates the table of tokens where it is missing. Not needed for `updateRow`. */
  async createTable(connection: PostgresConnection): Promise<void> {
    await connection.query(createFenceTable(this.#table))
  }

  /**
   * Writes one row that carries its token in a column (`handrail_fence bigint not null default 0`).
   *
   * Guarantee: one statement checks the token, writes the row and stores the token, so no write lands after one with a greater
   * token, at any isolation level and whoever else writes through this method. False where there is no such row.
   * Limits: whoever updates the row without the column is not fenced; a deleted row takes its token along, so guard what is
   * inserted and deleted with `transaction`. Throws `StaleFenceError`; `FenceError` `invalid` where `where` holds for two rows.
   */
  async updateRow(connection: PostgresConnection, write: RowWrite, fence: Fence): Promise<boolean> {
    const mine = checkedFence(fence)
    const update = updateRow(write, mine, at)
    const look = readRow(write, at)
    for (let left = tries; left > 0; left -= 1) {
      const { rowCount } = await send(connection, update)
      if (rowCount === 1) return true
      const { rows } = await send(connection, look)
      const [row, second] = rows
      if (row === undefined) return false
      if (second !== undefined)
        throw new FenceError("invalid", "where holds for more than one row. Name one by its key, or use transaction.")
      const newest = tokenOf(row)
      if (newest > mine.token) throw new StaleFenceError(mine, newest)
    }
    throw new FenceError("contended", "The row was made anew by others each time. Try again.")
  }

  /**
   * Checks and stores the tokens inside a transaction of the caller's own, whose writes they guard; call it first, on the
   * connection of that transaction. Their rows stay locked until it ends. Outside of a transaction it guards nothing.
   * Throws `StaleFenceError`: roll back then.
   */
  async claim(connection: PostgresConnection, fences: ReadonlyArray<Fence>): Promise<void> {
    // In one order, so that two transactions with the same fences never wait for each other.
    for (const fence of checkedFences(fences)) {
      const { rows } = await send(connection, advance(this.#table, fence, at))
      if (rows.length > 0) continue
      const { rows: stored } = await send(connection, readToken(this.#table, fence, at))
      throw new StaleFenceError(fence, tokenOf(stored[0]))
    }
  }

  /**
   * Runs writes, many rows and tables, in a transaction that is guarded by the fences; `work` writes through the connection
   * that it gets, and through no other.
   *
   * Guarantee: transactions with a fence in common run one after another, and none commits after one with a greater token
   * has. Where `work` throws, everything is rolled back and its error is thrown. Limits: as long as `work` runs, others with
   * the same resource wait. Throws `StaleFenceError`.
   */
  async transaction<A>(
    pool: PostgresPool,
    fences: ReadonlyArray<Fence>,
    work: (connection: PostgresConnection) => Promise<A>,
  ): Promise<A> {
    const all = checkedFences(fences)
    const own = await pool.connect()
    let broken: Error | undefined
    try {
      return await this.#inTransaction(
        own,
        all,
        () => work(own),
        (error) => {
          broken = error
        },
      )
    } finally {
      own.release(broken)
    }
  }

  async #inTransaction<A>(
    connection: PostgresConnection,
    fences: ReadonlyArray<Fence>,
    work: () => Promise<A>,
    onBroken: (error: Error) => void,
  ): Promise<A> {
    await connection.query("begin isolation level read committed")
    try {
      await this.claim(connection, fences)
      const result = await work()
      await connection.query("commit")
      return result
    } catch (error) {
      await connection.query("rollback").catch(onBroken)
      throw error
    }
  }
}

const send = (connection: PostgresConnection, { text, values }: Statement) => connection.query(text, [...values])
