/** The migrations, in order, forward only. The same list runs on every database; what differs is a capability. */
import type { Kysely, Migration, MigrationProvider } from "kysely"
import { init } from "./0001_init.ts"
import { keys } from "./0002_keys.ts"

/** What differs between the databases. */
export interface Capabilities {
  /** The type of a column that holds integers below 2^53. */
  readonly integer: "integer" | "bigint"
  /** Ends the type of a text column that is compared and sorted: byte by byte everywhere, so that cursors agree. */
  readonly sortable: "" | ' collate "C"'
  /** Percent of a page that is filled with new rows where rows change soon, so that a change finds room beside its row. */
  readonly fill: number | undefined
  /** A generated column is kept with its row, rather than computed when it is read. */
  readonly storedColumns: boolean
  /** Tables may be declared to hold exactly the declared types, and to be stored in their key. */
  readonly strictTables: boolean
  /**
   * Where rows in the order of commits are cheaper to make durable than rows in the order of their keys (SQLite, whose one
   * file is written page by page): the journal is dense, and the other tables are filled later from `pending`.
   */
  readonly denseJournal: boolean
}

export const migrations = (has: Capabilities): Readonly<Record<string, Migration>> => ({
  "0001_init": { up: (db) => init(db, has) },
  "0002_keys": { up: (db) => keys(db, has) },
})

/** `place` says where the tables go: the identity, or a schema. */
export const migrationProvider = (
  has: Capabilities,
  place: (db: Kysely<unknown>) => Kysely<unknown> = (db) => db,
): MigrationProvider => ({
  getMigrations: async () =>
    Object.fromEntries(
      Object.entries(migrations(has)).map(([name, { up }]) => [name, { up: (db: Kysely<unknown>) => up(place(db)) }]),
    ),
})
