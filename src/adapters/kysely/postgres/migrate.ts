/**
 * Brings a schema of a Postgres database to the newest version, or says why it cannot. Any number of nodes may do so at once:
 * the migrations run in one transaction under an advisory lock that ends with it.
 */
import { Kysely, Migrator, PostgresDialect, sql } from "kysely"
import pg from "pg"
import { type Capabilities, migrationProvider, migrations } from "../migrations/index.ts"
import { isVanished, unavailable } from "./failures.ts"

const has: Capabilities = {
  integer: "bigint",
  sortable: ' collate "C"',
  fill: 70,
  storedColumns: true,
  strictTables: false,
  denseJournal: false,
}
const oldest = 140_000
/** Kysely looks at every table of the database, and stumbles over one that somebody drops at that moment, whoever's it is. */
const maxTries = 10

/** Rejects with `StorageUnavailable` for a database that will not do, and with what `pg` throws. */
export const migrate = async (url: string, schema: string, timeoutMs: number): Promise<void> => {
  // Of its own, and of one connection: migrations may take longer than anything else is allowed to.
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: timeoutMs })
  pool.on("error", () => {})
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    await checkServer(db)
    const known = Object.keys(migrations(has))
    const done = await executed(db, schema)
    refuseNewer(done, known)
    if (done.length === known.length) return
    for (let tries = 1; ; tries++) {
      const { error } = await new Migrator({
        db,
        provider: migrationProvider(has, (to) => to.withSchema(schema)),
        migrationTableSchema: schema,
      }).migrateToLatest()
      if (error === undefined) return
      // A newer version may have migrated the schema in the meantime.
      refuseNewer(await executed(db, schema), known)
      if (tries === maxTries || !isVanished(error)) throw error
    }
  } finally {
    await db.destroy()
  }
}

const refuseNewer = (done: ReadonlyArray<string>, known: ReadonlyArray<string>): void => {
  if (done.some((name) => !known.includes(name))) {
    throw unavailable(
      "schema_newer",
      "the schema was written by a newer version of Handrail; open it with that version",
    )
  }
}

const checkServer = async (db: Kysely<unknown>): Promise<void> => {
  const { rows } = await sql<{ version: string; encoding: string }>`
    select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding`.execute(db)
  const [server] = rows
  if (Number(server?.version) < oldest) throw unavailable("version", "Postgres 14 or later is needed")
  if (server?.encoding !== "UTF8") throw unavailable("encoding", "the database must be encoded in UTF8")
}

/** The migrations that the schema has had; empty for a new one. */
export const executed = async (db: Kysely<unknown>, schema: string): Promise<ReadonlyArray<string>> => {
  const table = await sql`
    select from pg_catalog.pg_tables where schemaname = ${schema} and tablename = 'kysely_migration'`.execute(db)
  if (table.rows.length === 0) return []
  const done = await sql<{
    name: string
  }>`select name from ${sql.id(schema, "kysely_migration")} order by name`.execute(db)
  return done.rows.map((row) => row.name)
}
