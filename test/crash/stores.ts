/**
 * Stores by a URL, so that processes can be told where they work: `sqlite:PATH`, or `postgres://…#schema`.
 *
 * A `StoreMaker` makes a new, empty one for each history; `remove` leaves nothing of it behind.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Layer, Scope } from "effect"
import { openPostgresJournal } from "../../src/adapters/kysely/postgres.ts"
import { openSqliteJournal } from "../../src/adapters/kysely/sqlite.ts"
import { Journal, type StorageError } from "../../src/runtime/Journal.ts"
import { dropSchema, freshSchema } from "../postgres/database.ts"

export interface TestStore {
  readonly url: string
  remove(): Promise<void>
}
export type StoreMaker = () => Promise<TestStore>

export const sqliteUrl = (filename: string): string => `sqlite:${filename}`

/** In a folder of its own, in `parent` or in the system's folder for temporary files. */
export const sqliteStores =
  (parent: string = tmpdir()): StoreMaker =>
  () => {
    const directory = mkdtempSync(join(parent, "handrail-crash-"))
    return Promise.resolve({
      url: sqliteUrl(join(directory, "store.db")),
      remove: () => Promise.resolve(rmSync(directory, { recursive: true, force: true })),
    })
  }

/** A schema of its own on a server that others may use too. */
export const postgresStores =
  (server: string): StoreMaker =>
  () => {
    const schema = freshSchema()
    return Promise.resolve({
      url: `${server}#${schema}`,
      remove: async () => {
        await dropSchema(server, schema)
      },
    })
  }

export const filenameOf = (url: string): string | undefined => /^sqlite:(.+)$/.exec(url)?.[1]
/** The server's URL and the schema in it. */
export const databaseOf = (url: string): { readonly url: string; readonly schema: string } => {
  const [server = "", schema = ""] = url.split("#")
  return { url: server, schema }
}

const openJournal = (url: string): Effect.Effect<Journal["Service"], StorageError, Scope.Scope> => {
  const filename = filenameOf(url)
  return filename === undefined ? openPostgresJournal(databaseOf(url)) : openSqliteJournal({ filename })
}
export const journalAt = (url: string): Layer.Layer<Journal, StorageError> => Layer.effect(Journal, openJournal(url))

/** Opens the store with nobody deciding anything in it: what is there is looked at, and no deadline fires. */
export const withJournal = async <A>(
  url: string,
  use: (journal: Journal["Service"], run: <B, E>(effect: Effect.Effect<B, E>) => Promise<B>) => Promise<A>,
): Promise<A> => {
  const scope = await Effect.runPromise(Scope.make())
  try {
    const journal = await Effect.runPromise(Effect.provideService(openJournal(url), Scope.Scope, scope))
    return await use(journal, (effect) => Effect.runPromise(effect))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
