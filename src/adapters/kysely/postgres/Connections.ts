/**
 * The connections of one store: a bounded pool that mends itself, with a limit on how long anything may take.
 *
 * No state of a session is relied upon, so a pooler that gives each transaction another connection may stand in between;
 * where it does not know our prepared statements, they are no longer kept.
 */
import { createHash } from "node:crypto"
import pg from "pg"
import { isFatal, isForeignSession, storageError, unavailable } from "./failures.ts"
import { type Part, Pipeline } from "./pipeline.ts"

export interface ConnectionOptions {
  readonly url: string
  readonly maxConnections: number
  /** Of one statement or pipeline, with the wait for a connection. */
  readonly timeoutMs: number
  readonly applicationName: string
}

/** Columns of bigint hold integers below 2^53 (schema.ts). */
const int8 = 20
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === int8 ? Number : pg.types.getTypeParser(oid, format as "text")) as typeof pg.types.getTypeParser,
}

const ignore = (): void => {}

export class Connections {
  readonly #pool: pg.Pool
  readonly #options: ConnectionOptions
  /** Whether statements are prepared once a connection, or anew each time. */
  #keepsPrepared = true
  readonly #names = new Map<string, string>()
  #closed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#pool = new pg.Pool({ ...this.#config(), max: options.maxConnections, idleTimeoutMillis: 30_000 })
    this.#pool.on("error", ignore)
    // A connection that breaks while nothing waits on it would otherwise end the process; whoever uses it is told.
    this.#pool.on("connect", (client) => client.on("error", ignore))
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Rows of one statement, or `StorageError`. */
  async query<Row>(text: string, values: ReadonlyArray<unknown>): Promise<ReadonlyArray<Row>> {
    this.#check()
    for (;;) {
      const prepared = this.#keepsPrepared
      try {
        const config = { text, values: [...values], ...(prepared ? { name: this.#nameOf(text) } : {}) }
        return (await this.#pool.query<Row & pg.QueryResultRow>(config)).rows
      } catch (error) {
        if (!this.#forgot(error, prepared)) throw storageError(error)
      }
    }
  }

  /** Commits all parts or none. Rejects with what `pg` says, for the caller to tell a lost race from a failure. */
  async commit(parts: ReadonlyArray<Part>): Promise<void> {
    this.#check()
    for (;;) {
      const prepared = this.#keepsPrepared
      try {
        return await this.#pipeline(parts, prepared)
      } catch (error) {
        if (!this.#forgot(error, prepared)) throw error
      }
    }
  }

  /** A connection of its own outside of the pool; whoever asks for it ends it. */
  dedicated(): pg.Client {
    const client = new pg.Client({ ...this.#config(), query_timeout: undefined })
    client.on("error", ignore)
    return client
  }

  /** Waits for what is under way, but not for a server that no longer answers. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pool.end().catch(ignore)
  }

  #config(): pg.ClientConfig {
    const { url, timeoutMs, applicationName } = this.#options
    return {
      connectionString: url,
      application_name: applicationName,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
      types,
    }
  }

  /**
   * The name of a prepared statement follows from its text: where a pooler hands us a session in which somebody else has
   * prepared a statement of that name, it is the same statement, and never that of another schema.
   */
  readonly #nameOf = (text: string): string => {
    let name = this.#names.get(text)
    if (name === undefined) {
      name = `handrail ${createHash("sha256").update(text).digest("hex").slice(0, 24)}`
      this.#names.set(text, name)
    }
    return name
  }

  #check(): void {
    if (this.#closed) throw unavailable("closed", "the store is closed")
  }

  #forgot(error: unknown, prepared: boolean): boolean {
    if (!prepared || !isForeignSession(error)) return false
    this.#keepsPrepared = false
    return true
  }

  #pipeline(parts: ReadonlyArray<Part>, prepared: boolean): Promise<void> {
    return new Promise((done, failed) => {
      this.#pool.connect((refused, client, release) => {
        if (client === undefined) return failed(refused)
        let settled = false
        const settle = (error: unknown): void => {
          if (settled) return
          settled = true
          clearTimeout(timer)
          release(error !== undefined && isFatal(error))
          if (error === undefined) done()
          else failed(error)
        }
        const timer = setTimeout(
          () => settle(unavailable("timeout", "the database did not answer in time; what was sent may have happened")),
          this.#options.timeoutMs,
        )
        client.query(new Pipeline(parts, prepared ? this.#nameOf : undefined, settle))
      })
    })
  }
}
