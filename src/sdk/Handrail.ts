/**
 * `Handrail`: the runtime in your own process, in one line.
 *
 * `Handrail.open({ store })` opens a store, hosts the actors of its workflows, and is a `Client`. Several may be open in one
 * process and several processes may open the same file: the journal's key decides (architecture.md).
 */
import { Effect, Exit, Layer, ManagedRuntime, Schema } from "effect"
import { sqlite } from "../adapters/kysely/sqlite.ts"
import { makeMemoryStore, memoryJournal } from "../adapters/memory/MemoryJournal.ts"
import { MemoryStore } from "../adapters/memory/MemoryStore.ts"
import { Tenant } from "../machines/ids.ts"
import { EmbeddedClient } from "../runtime/EmbeddedClient.ts"
import { fail, fromStorage } from "../runtime/errors.ts"
import { Governance } from "../runtime/Governance.ts"
import { Journal, type StorageError } from "../runtime/Journal.ts"

export interface OpenOptions {
  /** `memory:` (gone when it closes), or `sqlite:PATH`; or a store object of `makeMemoryStore` to share between runtimes. */
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
}

const isTenant = Schema.is(Tenant)

export class Handrail extends EmbeddedClient {
  /** Opens a store. Fails with `storage_unavailable` where it can't, and `invalid_request` where `store` names none. */
  static async open(options: OpenOptions): Promise<Handrail> {
    const tenant = options.tenant ?? "default"
    if (!isTenant(tenant)) throw fail("invalid_request", `The tenant ${JSON.stringify(tenant)} is not an id.`, {})
    const runtime = ManagedRuntime.make(Layer.provide(Governance.layer, journalOf(options)))
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
}

/** The layer of a store by its URL: for Effect programs that provide `Governance.layer` themselves. */
export const journalOf = (options: OpenOptions): Layer.Layer<Journal, StorageError> => {
  const { store } = options
  if (store instanceof MemoryStore) return Layer.succeed(Journal, memoryJournal(store))
  if (typeof store !== "string")
    throw fail("invalid_request", 'A store is "memory:", "sqlite:PATH" or what makeMemoryStore made.', {})
  if (store === "memory:") return Layer.sync(Journal, () => memoryJournal(makeMemoryStore()))
  const filename = /^sqlite:(.+)$/.exec(store)?.[1]
  if (filename === undefined)
    throw fail("invalid_request", `The store ${JSON.stringify(store)} is none. Write "memory:" or "sqlite:PATH".`, {
      store,
    })
  return sqlite({
    filename,
    ...(options.synchronous === undefined ? {} : { synchronous: options.synchronous }),
    ...(options.busyTimeoutMs === undefined ? {} : { busyTimeoutMs: options.busyTimeoutMs }),
  })
}
