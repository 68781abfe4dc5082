/**
 * The statements of the SQL checkers, for Postgres and SQLite alike: text and values apart, identifiers quoted.
 *
 * They run on tables of the user's own, so names come from outside: each is checked and quoted, and no value is ever in the
 * text.
 */
import type { Fence } from "../../machines/ids.ts"
import { FenceError } from "./errors.ts"

/** Columns by name. In a condition: equality with every one of them. */
export type Columns = Readonly<Record<string, unknown>>

/** One row, named by its key. */
export interface RowWrite {
  /** A name, or schema and name. */
  readonly table: string | readonly [schema: string, table: string]
  /** Equality of columns, all of them, that hold for one row at most: its primary key. No value is null. */
  readonly where: Columns
  /** What to write: at least one column. */
  readonly set: Columns
  /** The fence column. Default `handrail_fence`. */
  readonly column?: string
}

export interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<unknown>
}

export type Placeholder = (number: number) => string

/** Postgres cuts longer names off without a word, so that two would be one. */
const longestName = 63

const quoted = (name: unknown): string => {
  if (typeof name !== "string" || name === "" || name.includes("\0") || Buffer.byteLength(name) > longestName)
    throw new FenceError(
      "invalid",
      `${JSON.stringify(name)} can't name a table or column: a name is text of 1 to ${longestName} bytes.`,
    )
  return `"${name.replaceAll('"', '""')}"`
}

export const quotedTable = (table: RowWrite["table"]): string =>
  typeof table === "string" ? quoted(table) : `${quoted(table[0])}.${quoted(table[1])}`

/**
 * Writes the row and the token where the stored token is not newer. Changes one row or none: none also where the condition
 * holds for several rows, because some could be stale and others not.
 */
export const updateRow = (write: RowWrite, fence: Fence, at: Placeholder): Statement => {
  const column = fenceColumn(write)
  const table = quotedTable(write.table)
  const values: Array<unknown> = []
  const value = (item: unknown): string => at(values.push(item))
  const set = entries(write.set, "set").map(([name, item]) => `${quoted(name)} = ${value(item)}`)
  const condition = conditionOf(write, value)
  const token = value(fence.token)
  return {
    text:
      `update ${table} set ${set.join(", ")}, ${column} = ${token} where ${condition} and coalesce(${column}, 0) <= ${token} ` +
      `and not exists (select 1 from ${table} where ${condition} limit 1 offset 1)`,
    values,
  }
}

/** The stored tokens of the rows that the condition holds for, two of them at most. */
export const readRow = (write: RowWrite, at: Placeholder): Statement => {
  const values: Array<unknown> = []
  const condition = conditionOf(write, (item) => at(values.push(item)))
  return {
    text: `select coalesce(${fenceColumn(write)}, 0) as token from ${quotedTable(write.table)} where ${condition} limit 2`,
    values,
  }
}

export const createFenceTable = (table: string): string =>
  `create table if not exists ${table} (name text not null, key text not null, token bigint not null, primary key (name, key))`

/** Stores the token unless a newer one is there; answers with a row if it did, and locks the row in any case. */
export const advance = (table: string, { name, key, token }: Fence, at: Placeholder): Statement => ({
  text:
    `insert into ${table} as held (name, key, token) values (${at(1)}, ${at(2)}, ${at(3)}) ` +
    "on conflict (name, key) do update set token = excluded.token where held.token <= excluded.token returning token",
  values: [name, key, token],
})

export const readToken = (table: string, { name, key }: Fence, at: Placeholder): Statement => ({
  text: `select token from ${table} where name = ${at(1)} and key = ${at(2)}`,
  values: [name, key],
})

/** Drivers give a bigint as text, as a number or as a bigint. Tokens are below 2^53. */
export const tokenOf = (row: unknown): number => {
  const token = typeof row === "object" && row !== null && "token" in row ? Number(row.token) : Number.NaN
  if (!Number.isSafeInteger(token)) throw new FenceError("failed", "The stored fencing token is no number.")
  return token
}

const fenceColumn = ({ column = "handrail_fence", set }: RowWrite): string => {
  if (Object.hasOwn(set, column))
    throw new FenceError("invalid", `set must not write the fence column ${column} itself.`)
  return quoted(column)
}

const conditionOf = (write: RowWrite, value: (item: unknown) => string): string =>
  entries(write.where, "where")
    .map(([name, item]) => {
      if (item === null || item === undefined)
        throw new FenceError("invalid", `where.${name} is ${item}: nothing equals that. Name the row by its key.`)
      return `${quoted(name)} = ${value(item)}`
    })
    .join(" and ")

const entries = (columns: Columns, what: string): ReadonlyArray<readonly [string, unknown]> => {
  const all = Object.entries(columns)
  if (all.length === 0) throw new FenceError("invalid", `${what} names no column.`)
  return all
}
