/**
 * Rows as parameters: one array a column, whatever the number of rows, so that a statement is prepared once.
 *
 * Ids, hashes and JSON hold no control characters, so those arrays travel as one text with a separator, which costs neither
 * side an escape; only text that people write is quoted element by element.
 */
import { type RawBuilder, sql } from "kysely"

/** `id` and `json` hold no control characters; `free` may hold anything but NUL; `flag` is 0 or 1. */
export type Kind = "id" | "json" | "free" | "int" | "flag"
export type Value = string | number | null
export type Layout = Readonly<Record<string, Kind>>

const separator = "\u001f"
const none = "\u001e"

/** `unnest($1, $2, …) as c(name, …)`: the rows of a `Rows` of the same layout. */
export const unnested = (layout: Layout): RawBuilder<unknown> => {
  const arrays = Object.values(layout).map(arrayOf)
  return sql`unnest(${sql.join(arrays)}) as c(${sql.join(Object.keys(layout).map((name) => sql.ref(name)))})`
}

const parameter = sql`${""}`
const arrayOf = (kind: Kind): RawBuilder<unknown> => {
  switch (kind) {
    case "int":
    case "flag":
      return sql`${parameter}::bigint[]`
    case "free":
      return sql`${parameter}::text[]`
    default:
      return sql`string_to_array(${parameter}::text, E'\\x1f', E'\\x1e')`
  }
}

/** Collects rows of one layout. */
export class Rows {
  readonly #kinds: ReadonlyArray<Kind>
  readonly #columns: ReadonlyArray<Array<string | number>>
  size = 0

  constructor(layout: Layout) {
    this.#kinds = Object.values(layout)
    this.#columns = this.#kinds.map(() => [])
  }

  /** In the order of the layout. */
  push(...row: ReadonlyArray<Value>): void {
    this.size += 1
    for (let i = 0; i < row.length; i++) {
      this.#columns[i]?.push(encoded(this.#kinds[i] as Kind, row[i] as Value))
    }
  }

  parameters(): ReadonlyArray<string> {
    return this.#columns.map((column, i) => {
      const kind = this.#kinds[i]
      return kind === "id" || kind === "json" ? column.join(separator) : `{${column.join(",")}}`
    })
  }
}

const encoded = (kind: Kind, value: Value): string | number => {
  if (value === null) return kind === "id" || kind === "json" ? none : "NULL"
  return kind === "free" ? `"${String(value).replace(/["\\]/g, "\\$&")}"` : value
}
