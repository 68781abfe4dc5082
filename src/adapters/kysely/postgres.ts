/**
 * The `Journal` on Postgres: durable, for any number of nodes on one database.
 *
 * Every append is committed with `synchronous_commit = on` before it is answered. Any node may write any workflow: the journal's
 * key (tenant, workflow_id, seq) decides between two that do so at once, whatever either believes to own. All tables live in
 * one schema of the database, whose name is up to you; tenants share the tables and never see each other's rows.
 *
 * Nothing is assumed of a session: a pooler that gives each transaction another connection may stand in between. Only the
 * notifications of other nodes' commits then take up to a tenth of a second instead of arriving at once.
 */
import { randomBytes } from "node:crypto"
import { Effect, Layer, type Scope } from "effect"
import { Journal, StorageCorrupt, type StorageError, type StorageUnavailable } from "../../runtime/Journal.ts"
import { handoffListing, sessionListing, workflowListing } from "./listings.ts"
import { Appender } from "./postgres/Appender.ts"
import { Connections } from "./postgres/Connections.ts"
import { storageError, unavailable } from "./postgres/failures.ts"
import { migrate } from "./postgres/migrate.ts"
import { Reader } from "./postgres/Reader.ts"
import { Watch } from "./postgres/Watch.ts"

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with the parameters of libpq (`?sslmode=require`). */
  readonly url: string
  /** Where the tables live; it is created where it is missing. Default `handrail`. */
  readonly schema?: string
  /** Connections that the store uses at most, beside one for notifications. Default 8. */
  readonly maxConnections?: number
  /** How long anything may wait for the database before it is `storage_unavailable`. Default 10,000. */
  readonly timeoutMs?: number
}

const defaults = { schema: "handrail", maxConnections: 8, timeoutMs: 10_000 }
/** Postgres cuts longer names off. */
const longestName = 63

/** Opens the database, creating or migrating the schema. Its connections end with the scope. */
export const openPostgresJournal = Effect.fnUntraced(function* (
  options: PostgresOptions,
): Effect.fn.Return<Journal["Service"], StorageError, Scope.Scope> {
  const all = { ...defaults, ...options }
  const problem = problemWith(all)
  if (problem !== undefined) return yield* problem
  yield* attempt(() => migrate(all.url, all.schema, all.timeoutMs))
  const store = yield* Effect.acquireRelease(
    Effect.sync(() => new Store(all)),
    (it) => Effect.promise(() => it.close()),
  )
  return store.journal
})

export const postgres = (options: PostgresOptions): Layer.Layer<Journal, StorageError> =>
  Layer.effect(Journal, openPostgresJournal(options))

const problemWith = ({ url, schema }: Required<PostgresOptions>): StorageUnavailable | undefined => {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    return unavailable("url", "a Postgres store is named by postgres://user:password@host:port/database")
  const bytes = Buffer.byteLength(schema)
  if (bytes === 0 || bytes > longestName || schema.includes("\u0000") || schema.startsWith("pg_"))
    return unavailable("schema", `a schema's name has 1 to ${longestName} bytes and does not begin with pg_`)
  return undefined
}

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, StorageError> =>
  Effect.callback((resume) => {
    run().then(
      (value) => resume(Effect.succeed(value)),
      (error: unknown) => resume(failure(error)),
    )
  })

/** A bug is a defect, not a failure of the store. */
const failure = (error: unknown): Effect.Effect<never, StorageError> => {
  try {
    return Effect.fail(storageError(error))
  } catch {
    return Effect.die(error)
  }
}

class Store {
  readonly #connections: Connections
  readonly #reader: Reader
  readonly #watch: Watch
  readonly #appender: Appender

  constructor({ url, schema, maxConnections, timeoutMs }: Required<PostgresOptions>) {
    this.#connections = new Connections({ url, maxConnections, timeoutMs, applicationName: "handrail" })
    this.#reader = new Reader(this.#connections, schema)
    this.#watch = new Watch(
      {
        channel: `handrail ${schema}`.slice(0, longestName),
        connect: () => this.#connections.dedicated(),
        notify: (channel, payload) => this.#connections.query(notify, [channel, payload]),
        heads: (workflows) => this.#reader.heads(workflows),
      },
      randomBytes(9).toString("base64url"),
    )
    this.#appender = new Appender(this.#connections, this.#reader, schema, (appends) => {
      this.#watch.committed(appends.filter((append) => append.entries.length > 0))
    })
  }

  get journal(): Journal["Service"] {
    const reader = this.#reader
    const appender = this.#appender
    return {
      append: (group) =>
        Effect.mapError(
          attempt(() => appender.append(group)),
          asUnavailable,
        ),
      load: (tenant, workflowId) => attempt(() => reader.load(tenant, workflowId)),
      read: (tenant, workflowId, after, limit) => attempt(() => reader.read(tenant, workflowId, after, limit)),
      lookup: (tenant, workflowId, refs) => attempt(() => reader.lookup(tenant, workflowId, refs)),
      listWorkflows: (tenant, query) => attempt(() => reader.page(workflowListing(tenant, query))),
      listSessions: (tenant, query) => attempt(() => reader.page(sessionListing(tenant, query))),
      listHandoffs: (tenant, query) => attempt(() => reader.page(handoffListing(tenant, query))),
      due: (now, limit) => attempt(() => reader.due(now, limit)),
      nextWake: attempt(() => reader.nextWake()),
      subscribe: (tenant, workflowId, listener) => this.#watch.subscribe(tenant, workflowId, listener),
      stages: () => ({ encode: appender.encodeUs, commit: appender.commitUs }),
    }
  }

  async close(): Promise<void> {
    await this.#watch.close()
    await this.#connections.close()
  }
}

/** Of one statement, in a transaction of its own, for which nobody need wait for the disk. */
const notify = "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"

/** An append has one kind of failure. */
const asUnavailable = (error: StorageError): StorageUnavailable =>
  error instanceof StorageCorrupt ? unavailable("corrupt", error.detail) : error
