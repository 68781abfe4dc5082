/** Brings a SQLite file to the newest schema, or says why it cannot. Any number of processes may do so at once. */
import type Database from "better-sqlite3"
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  Kysely,
  Migrator,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from "kysely"
import { type Capabilities, migrationProvider, migrations } from "./migrations/index.ts"

const has: Capabilities = {
  integer: "integer",
  sortable: "",
  fill: undefined,
  storedColumns: false,
  strictTables: true,
  denseJournal: true,
}

export class SchemaTooNew extends Error {}

/** A plain BEGIN takes the write lock lazily: two processes that read and then write would fail instead of waiting. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"))
  }
}
/**
 * Kysely migrates SQLite without a transaction unless it is told that SQLite can: two processes that opened a new file would
 * both create its tables, and one that was killed in between would leave a file that nobody could open again.
 */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
class ImmediateDialect extends SqliteDialect {
  readonly #database: Database.Database
  constructor(database: Database.Database) {
    super({ database })
    this.#database = database
  }
  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }
  override createDriver(): Driver {
    return new ImmediateDriver({ database: this.#database })
  }
}

/** Every migration that this version knows. */
export const knownMigrations = (): ReadonlyArray<string> => Object.keys(migrations(has))

/** The migrations that the file has had; empty for a new one. */
export const executed = (db: Database.Database): ReadonlyArray<string> => {
  const table = db.prepare("select 1 from sqlite_master where name = 'kysely_migration'").get()
  return table === undefined
    ? []
    : db.prepare<[], string>("select name from kysely_migration order by name").pluck().all()
}

let before: Promise<unknown> = Promise.resolve()

/**
 * Throws `SchemaTooNew` for a file that a newer version has written, and what SQLite throws. Closes nothing.
 *
 * One after another within this process: SQLite waits for a lock without letting anything else run, so a connection that waited
 * for another one's migration here would keep that from ever ending.
 */
export const migrate = (db: Database.Database): Promise<void> => {
  const migrated = before.then(() => migrateAlone(db))
  before = migrated.catch(() => {})
  return migrated
}

const migrateAlone = async (db: Database.Database): Promise<void> => {
  const known = knownMigrations()
  const done = executed(db)
  if (done.some((name) => !known.includes(name))) throw new SchemaTooNew()
  if (done.length === known.length) return
  const kysely = new Kysely<unknown>({ dialect: new ImmediateDialect(db) })
  const { error } = await new Migrator({ db: kysely, provider: migrationProvider(has) }).migrateToLatest()
  if (error === undefined) return
  // A newer version may have migrated the file in the meantime.
  if (executed(db).some((name) => !known.includes(name))) throw new SchemaTooNew()
  throw error
}
