/** The migrations, in order, forward only. The same list runs on every database; what differs is a capability. */
import type { Migration, MigrationProvider } from "kysely"
import { init } from "./0001_init.ts"

export interface Capabilities {
  /** The type of a column that holds integers below 2^53. */
  readonly integer: "integer" | "bigint"
  /** Tables may be declared to hold exactly the declared types, and to be stored in their key. */
  readonly strictTables: boolean
}

export const migrations = (has: Capabilities): Readonly<Record<string, Migration>> => ({
  "0001_init": { up: (db) => init(db, has) },
})

export const migrationProvider = (has: Capabilities): MigrationProvider => ({
  getMigrations: async () => ({ ...migrations(has) }),
})
