/** SQLite stores for tests: a directory of their own each, removed afterwards. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import type { WriterMessage } from "../../src/adapters/kysely/messages.ts"
import { openSqliteStore, type SqliteOptions, writerOptions } from "../../src/adapters/kysely/sqlite.ts"
import type { WriterThread } from "../../src/adapters/kysely/WriterThread.ts"
import type { OpenedStore, StoreUnderTest } from "../../src/testing/index.ts"
import { FaultyProcess } from "./FaultyProcess.ts"

export interface OpenedSqlite extends OpenedStore {
  readonly thread: WriterThread
}

export const openSqlite = async (options: SqliteOptions): Promise<OpenedSqlite> => {
  const scope = await Effect.runPromise(Scope.make())
  const store = await Effect.runPromise(Effect.provideService(openSqliteStore(options), Scope.Scope, scope))
  return { ...store, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/**
 * Makes the writer's thread die of an uncaught exception, after what was sent before; what is sent after it is in flight when it
 * dies. Not by `terminate`: better-sqlite3 aborts the process when its thread is stopped while it raises an error.
 */
export const crash = (thread: WriterThread): Promise<void> =>
  new Promise((resolve) => {
    const poison = { kind: "group", id: 0 } as unknown as WriterMessage
    thread.send(
      poison,
      () => resolve(),
      () => resolve(),
    )
  })

export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "handrail-sqlite-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A file for each store. Its faulty writers are processes of their own, which run the writer as the store's thread does. */
export const sqliteStore = (name: string, options: Partial<SqliteOptions> = {}): StoreUnderTest => ({
  name,
  make: async () => {
    const directory = temporaryDirectory()
    const filename = join(directory.path, "handrail.db")
    const open = () => openSqlite({ ...options, filename })
    return {
      open,
      openFaulty: async () => {
        // Whoever opens a file first makes its tables.
        if (!existsSync(filename)) await (await open()).close()
        return FaultyProcess.open(writerOptions({ ...options, filename }))
      },
      remove: async () => directory.remove(),
    }
  },
})
