/** Runtimes for tests over any journal, on the real clock or on a virtual one. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Exit, Layer, ManagedRuntime } from "effect"
import { postgres } from "../../src/adapters/kysely/postgres.ts"
import { type SqliteOptions, sqlite } from "../../src/adapters/kysely/sqlite.ts"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { Tenant } from "../../src/machines/ids.ts"
import { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { Governance, type GovernanceService } from "../../src/runtime/Governance.ts"
import { Journal, type StorageError } from "../../src/runtime/Journal.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import type { VirtualClock } from "./VirtualClock.ts"

export const tenant = Tenant.make("default")

export interface Opened {
  readonly client: EmbeddedClient
  readonly governance: GovernanceService
  run<A, E>(effect: Effect.Effect<A, E>): Promise<A>
}

/** A client over a journal. `wrap` may watch or spoil what the runtime asks of it. */
export const openRuntime = async (
  journal: Layer.Layer<Journal, StorageError>,
  options: {
    readonly clock?: VirtualClock
    readonly tenant?: Tenant
    readonly wrap?: (journal: Journal["Service"]) => Journal["Service"]
  } = {},
): Promise<Opened> => {
  const { clock, wrap } = options
  const wrapped =
    wrap === undefined ? journal : Layer.provide(Layer.effect(Journal, Effect.map(Journal, wrap)), journal)
  const layer = Layer.provide(Governance.layer, wrapped)
  const timed =
    clock === undefined ? layer : Layer.provide(layer, Layer.succeed(Clock.Clock, clock as unknown as Clock.Clock))
  const runtime = ManagedRuntime.make(timed)
  const governance = await runtime.runPromise(Effect.map(Governance, (it) => it))
  const client = new EmbeddedClient({
    governance,
    tenant: options.tenant ?? tenant,
    run: (effect) => runtime.runPromiseExit(effect),
    close: () => runtime.dispose(),
  })
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit = await Effect.runPromiseExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    const error = Exit.findErrorOption(exit)
    throw error._tag === "Some" ? error.value : new Error(`a defect: ${String(exit.cause)}`)
  }
  return { client, governance, run }
}

/** A place where several runtimes can meet. */
export interface Place {
  readonly name: string
  /** Of SQLite only. */
  readonly filename: string | undefined
  layer(options?: Partial<SqliteOptions>): Layer.Layer<Journal, StorageError>
  remove(): Promise<unknown>
}

export const memoryPlace = (): Place => {
  const store = makeMemoryStore()
  return {
    name: "memory",
    filename: undefined,
    layer: () => Layer.sync(Journal, () => memoryJournal(store)),
    remove: async () => {},
  }
}

export const sqlitePlace = (): Place => {
  const directory = mkdtempSync(join(tmpdir(), "handrail-runtime-"))
  const filename = join(directory, "store.db")
  return {
    name: "sqlite",
    filename,
    layer: (options) => sqlite({ ...options, filename }),
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** A schema of its own in the Postgres that the tests use. */
const postgresPlace = (url: string) => (): Place => {
  const schema = freshSchema()
  return {
    name: "postgres",
    filename: undefined,
    layer: () => postgres({ url, schema, maxConnections: 4 }),
    remove: () => dropSchema(url, schema),
  }
}

export const places: ReadonlyArray<readonly [name: string, make: () => Place]> = [
  ["memory", memoryPlace],
  ["sqlite", sqlitePlace],
  ...(postgresUrl === undefined ? [] : [["postgres", postgresPlace(postgresUrl)] as const]),
]
