/** What a store is, without opening it as one: nothing is created and nothing migrated. For `handrail doctor`. */
import { existsSync } from "node:fs"
import Database from "better-sqlite3"
import { Kysely, PostgresDialect, sql } from "kysely"
import pg from "pg"
import { StorageUnavailable } from "../../runtime/Journal.ts"
import { storageError } from "./errors.ts"
import { failureOf } from "./failures.ts"
import { executed, knownMigrations } from "./migrate.ts"
import { storageError as postgresError } from "./postgres/failures.ts"
import { executed as executedInSchema } from "./postgres/migrate.ts"

export interface Inspection {
  /** Such as `SQLite 3.50.4`. */
  readonly database: string
  readonly writable: boolean
  /** The migrations that it has had, and those that this version knows. */
  readonly executed: ReadonlyArray<string>
  readonly known: ReadonlyArray<string>
  /** Of the database's own clock, epoch ms; null where it has none of its own. */
  readonly now: number | null
}

/** Throws a `StorageError` where it can't be read. */
export const inspectSqlite = (filename: string): Inspection => {
  if (!existsSync(filename)) throw new StorageUnavailable({ reason: "no_file", detail: `${filename} does not exist` })
  try {
    const db = new Database(filename, { fileMustExist: true, timeout: 5000 })
    try {
      const version = db.prepare<[], string>("select sqlite_version()").pluck().get()
      return {
        database: `SQLite ${version}`,
        writable: isWritable(db),
        executed: executed(db),
        known: knownMigrations(),
        now: null,
      }
    } finally {
      db.close()
    }
  } catch (error) {
    const failure = failureOf(error)
    throw failure === undefined ? error : storageError(failure)
  }
}

/** Takes the lock of a writer for a moment. */
const isWritable = (db: Database.Database): boolean => {
  try {
    db.exec("begin immediate; rollback")
    return true
  } catch (error) {
    const failure = failureOf(error)
    if (failure?.reason === "readonly") return false
    throw error
  }
}

interface ServerRow {
  readonly version: string
  readonly readonly: boolean
  readonly now: string
}

/** Rejects with a `StorageError` where it does not answer. */
export const inspectPostgres = async (url: string, schema: string, timeoutMs: number): Promise<Inspection> => {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "handrail doctor",
  })
  pool.on("error", () => {})
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const { rows } = await sql<ServerRow>`
      select current_setting('server_version') as version, pg_is_in_recovery() as readonly,
        (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(db)
    const [server] = rows
    return {
      database: `PostgreSQL ${server?.version.split(" ")[0] ?? "unknown"}`,
      writable: server?.readonly === false,
      executed: await executedInSchema(db, schema),
      known: knownMigrations(),
      now: server === undefined ? null : Number(server.now),
    }
  } catch (error) {
    throw postgresError(error)
  } finally {
    await db.destroy()
  }
}
