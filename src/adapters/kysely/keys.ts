/**
 * `Keys` in the database of the journal, so that all servers of a store know the same keys: SQLite or Postgres, the same
 * statements.
 *
 * Keys are few and seldom written, so they have a connection of their own and stay out of the way of the journal.
 */
import { resolve } from "node:path"
import Database from "better-sqlite3"
import { Kysely, PostgresDialect, SqliteDialect } from "kysely"
import pg from "pg"
import { Tenant } from "../../machines/ids.ts"
import { fromStorage } from "../../runtime/errors.ts"
import type { StorageError } from "../../runtime/Journal.ts"
import { type KeyRecord, type Keys, type Scope, scopes } from "../http/auth/Keys.ts"
import { storageError } from "./errors.ts"
import { failureOf } from "./failures.ts"
import { migrate } from "./migrate.ts"
import { storageError as postgresError } from "./postgres/failures.ts"
import { migrate as migratePostgres } from "./postgres/migrate.ts"
import type { Schema } from "./schema.ts"
import { checkPath } from "./sqlite.ts"

type KeyTables = Pick<Schema, "api_keys" | "server_secrets">

const busyTimeoutMs = 5000

/** The keys of a SQLite file, which is created or migrated. Rejects with `storage_unavailable`. */
export const openSqliteKeys = async (filename: string): Promise<Keys> => {
  const known = (error: unknown): StorageError | undefined => {
    const failure = failureOf(error)
    return failure === undefined ? undefined : storageError(failure)
  }
  const problem = checkPath(filename)
  if (problem !== undefined) throw fromStorage(problem)
  return asked(known, async () => {
    const database = new Database(resolve(filename), { timeout: busyTimeoutMs })
    try {
      // A key that was shown to somebody must not be gone after a power cut.
      database.pragma("synchronous = full")
      await migrate(database)
    } catch (error) {
      database.close()
      throw error
    }
    return new DatabaseKeys(new Kysely<KeyTables>({ dialect: new SqliteDialect({ database }) }), known)
  })
}

export interface PostgresKeysOptions {
  readonly url: string
  /** Default `handrail`. */
  readonly schema?: string
  /** Default 10,000. */
  readonly timeoutMs?: number
}

/** The keys of a schema in Postgres, which is created or migrated. Rejects with `storage_unavailable`. */
export const openPostgresKeys = async (options: PostgresKeysOptions): Promise<Keys> => {
  const { url, schema = "handrail", timeoutMs = 10_000 } = options
  return asked(postgresError, async () => {
    await migratePostgres(url, schema, timeoutMs)
    const pool = new pg.Pool({
      connectionString: url,
      max: 2,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      query_timeout: timeoutMs,
      application_name: "handrail keys",
    })
    pool.on("error", () => {})
    const db = new Kysely<KeyTables>({ dialect: new PostgresDialect({ pool }) })
    return new DatabaseKeys(db.withSchema(schema), postgresError)
  })
}

/** What a store reported, or undefined where it is a bug. */
type Known = (error: unknown) => StorageError | undefined

const asked = async <A>(known: Known, ask: () => Promise<A>): Promise<A> => {
  try {
    return await ask()
  } catch (error) {
    const failure = known(error)
    throw failure === undefined ? error : fromStorage(failure)
  }
}

class DatabaseKeys implements Keys {
  readonly #db: Kysely<KeyTables>
  readonly #known: Known

  constructor(db: Kysely<KeyTables>, known: Known) {
    this.#db = db
    this.#known = known
  }

  async find(keyId: string): Promise<KeyRecord | undefined> {
    const row = await this.#ask((db) =>
      db.selectFrom("api_keys").selectAll().where("key_id", "=", keyId).executeTakeFirst(),
    )
    return row === undefined ? undefined : recordOf(row)
  }

  async insert(record: KeyRecord): Promise<void> {
    await this.#ask((db) =>
      db
        .insertInto("api_keys")
        .values({
          key_id: record.keyId,
          tenant: record.tenant,
          name: record.name,
          scopes: record.scopes.join(" "),
          hash: record.hash,
          created_at: record.createdAt,
          expires_at: record.expiresAt,
          revoked_at: record.revokedAt,
        })
        .execute(),
    )
  }

  async list(tenant?: Tenant): Promise<ReadonlyArray<KeyRecord>> {
    const rows = await this.#ask((db) => {
      const all = db.selectFrom("api_keys").selectAll().orderBy("created_at").orderBy("key_id")
      return (tenant === undefined ? all : all.where("tenant", "=", tenant)).execute()
    })
    return rows.map(recordOf)
  }

  async revoke(keyId: string, at: number): Promise<boolean> {
    await this.#ask((db) =>
      db
        .updateTable("api_keys")
        .set({ revoked_at: at })
        .where("key_id", "=", keyId)
        .where("revoked_at", "is", null)
        .execute(),
    )
    return (await this.find(keyId)) !== undefined
  }

  async expire(keyId: string, at: number): Promise<boolean> {
    await this.#ask((db) =>
      db
        .updateTable("api_keys")
        .set({ expires_at: at })
        .where("key_id", "=", keyId)
        .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", at)]))
        .execute(),
    )
    return (await this.find(keyId)) !== undefined
  }

  async any(): Promise<boolean> {
    const row = await this.#ask((db) => db.selectFrom("api_keys").select("key_id").limit(1).executeTakeFirst())
    return row !== undefined
  }

  async secret(name: string, candidate: string): Promise<string> {
    await this.#ask((db) =>
      db
        .insertInto("server_secrets")
        .values({ name, value: candidate })
        .onConflict((on) => on.column("name").doNothing())
        .execute(),
    )
    const row = await this.#ask((db) =>
      db.selectFrom("server_secrets").select("value").where("name", "=", name).executeTakeFirstOrThrow(),
    )
    return row.value
  }

  close(): Promise<void> {
    return this.#db.destroy()
  }

  #ask<A>(ask: (db: Kysely<KeyTables>) => Promise<A>): Promise<A> {
    return asked(this.#known, () => ask(this.#db))
  }
}

/** Postgres gives integers of 64 bits as text. */
const recordOf = (row: KeyTables["api_keys"]): KeyRecord => ({
  keyId: row.key_id,
  tenant: Tenant.make(row.tenant),
  name: row.name,
  scopes: row.scopes.split(" ").filter(isScope),
  hash: row.hash,
  createdAt: Number(row.created_at),
  expiresAt: row.expires_at === null ? null : Number(row.expires_at),
  revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
})

const isScope = (text: string): text is Scope => scopes.some((scope) => scope === text)
