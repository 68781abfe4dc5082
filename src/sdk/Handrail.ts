/**
 * `Handrail`: the runtime in your own process, in one line; or the one of a server.
 *
 * `Handrail.open({ store })` opens a store, hosts the actors of its workflows, and is a `Client`. Several may be open in one
 * process and several processes may open the same file: the journal's key decides (architecture.md).
 * `Handrail.connect({ url, apiKey })` is the same `Client` over HTTP.
 */
import { Effect, Exit, Layer, ManagedRuntime, Schema } from "effect"
import type { ConnectOptions } from "../adapters/http/client/options.ts"
import { RemoteClient } from "../adapters/http/client/RemoteClient.ts"
import { postgres } from "../adapters/kysely/postgres.ts"
import { sqlite } from "../adapters/kysely/sqlite.ts"
import { makeMemoryStore, memoryJournal } from "../adapters/memory/MemoryJournal.ts"
import { MemoryStore } from "../adapters/memory/MemoryStore.ts"
import type { Observability } from "../adapters/telemetry/Observability.ts"
import { Tenant } from "../machines/ids.ts"
import { EmbeddedClient } from "../runtime/EmbeddedClient.ts"
import { fail, fromStorage } from "../runtime/errors.ts"
import { Governance } from "../runtime/Governance.ts"
import { Journal, type StorageError } from "../runtime/Journal.ts"

export interface OpenOptions {
  /**
   * `memory:` (gone when it closes), `sqlite:PATH`, or `postgres://user:password@host:port/database`; or a store object of
   * `makeMemoryStore` to share between runtimes.
   */
  readonly store: string | MemoryStore
  /** Whose workflows: one tenant never sees another's (I12). Default `default`. */
  readonly tenant?: string
  /**
   * SQLite only. `full` (the default): what was answered survives a power cut. `normal`: several times faster alone, and a power
   * cut or kernel crash may take the last answers with it; a crash of the process alone takes nothing.
   */
  readonly synchronous?: "full" | "normal"
  /** SQLite only: how long to wait for another process's lock before `storage_unavailable`. Default 5,000. */
  readonly busyTimeoutMs?: number
  /** Postgres only: where the tables live, created where it is missing. Default `handrail`. */
  readonly schema?: string
  /** Postgres only: connections at most, beside one for notifications. Default 8. */
  readonly maxConnections?: number
  /** Postgres only: how long anything may wait for the database before `storage_unavailable`. Default 10,000. */
  readonly timeoutMs?: number
  /** Counts, traces and logs what this runtime does. Nothing is counted without it. */
  readonly observability?: Observability
}

const isTenant = Schema.is(Tenant)

export class Handrail extends EmbeddedClient {
  /** Opens a store. Fails with `storage_unavailable` where it can't, and `invalid_request` where `store` names none. */
  static async open(options: OpenOptions): Promise<Handrail> {
    const tenant = options.tenant ?? "default"
    if (!isTenant(tenant)) throw fail("invalid_request", `The tenant ${JSON.stringify(tenant)} is not an id.`, {})
    const governed = Layer.provide(Governance.layer, journalOf(options))
    const { observability } = options
    const runtime = ManagedRuntime.make(
      observability === undefined ? governed : Layer.provide(governed, observability.layer),
    )
    const exit = await runtime.runPromiseExit(Effect.map(Governance, (governance) => governance))
    if (Exit.isFailure(exit)) {
      await runtime.dispose()
      const error = Exit.findErrorOption(exit)
      throw error._tag === "Some" ? fromStorage(error.value) : fail("internal", "The runtime could not be started.")
    }
    return new Handrail({
      governance: exit.value,
      tenant,
      run: (effect) => runtime.runPromiseExit(effect),
      close: () => runtime.dispose(),
    })
  }

  /**
   * A client of a server. It sends nothing yet: a server that is away, or a key that is wrong, shows with the first call. Throws
   * `invalid_request` where an option can't be right.
   */
  static connect(options: ConnectOptions): RemoteClient {
    return new RemoteClient(options)
  }
}

/** The layer of a store by its URL: for Effect programs that provide `Governance.layer` themselves. */
export const journalOf = (options: OpenOptions): Layer.Layer<Journal, StorageError> => {
  const { store } = options
  if (store instanceof MemoryStore) return Layer.succeed(Journal, memoryJournal(store))
  if (typeof store !== "string") throw fail("invalid_request", `A store is ${stores} or what makeMemoryStore made.`, {})
  if (store === "memory:") return Layer.sync(Journal, () => memoryJournal(makeMemoryStore()))
  if (/^postgres(ql)?:/.test(store)) {
    const { schema, maxConnections, timeoutMs } = options
    return postgres({ url: store, ...given({ schema, maxConnections, timeoutMs }) })
  }
  const filename = /^sqlite:(.+)$/.exec(store)?.[1]
  // Its first letters tell what was meant, and no more of it is repeated: a URL may hold a password.
  const named = /^[a-z]{0,12}:?/i.exec(store)?.[0] ?? ""
  if (filename === undefined) throw fail("invalid_request", `The store "${named}…" is none. Write ${stores}.`, {})
  const { synchronous, busyTimeoutMs } = options
  return sqlite({ filename, ...given({ synchronous, busyTimeoutMs }) })
}

const stores = '"memory:", "sqlite:PATH", "postgres://…"'

/** Without what was left out, so that a default applies. */
const given = <A extends object>(options: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof A]?: Exclude<A[K], undefined>
  }
