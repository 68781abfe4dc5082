/** The systems that every property runs against. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Layer } from "effect"
import { postgres } from "../../src/adapters/kysely/postgres.ts"
import { sqlite } from "../../src/adapters/kysely/sqlite.ts"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { Journal } from "../../src/runtime/Journal.ts"
import { modelSut } from "../../src/testing/model/modelSut.ts"
import { runtimeSut, type StoreFactory } from "../../src/testing/model/runtimeSut.ts"
import type { SutFactory } from "../../src/testing/model/sut.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"

const memory: StoreFactory = {
  name: "memory",
  make: async () => {
    const store = makeMemoryStore()
    return { layer: () => Layer.succeed(Journal, memoryJournal(store)), remove: async () => {} }
  },
}

/** A real file; what a restart finds was written by another opening of it. */
const sqliteFile: StoreFactory = {
  name: "sqlite",
  make: async () => {
    const directory = mkdtempSync(join(tmpdir(), "handrail-properties-"))
    const filename = join(directory, "store.db")
    return {
      layer: () => sqlite({ filename }),
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    }
  },
}

/** A schema of its own in a real database. */
const postgresSchema = (url: string): StoreFactory => ({
  name: "postgres",
  make: async () => {
    const schema = freshSchema()
    return {
      layer: () => postgres({ url, schema, maxConnections: 2 }),
      remove: async () => {
        await dropSchema(url, schema)
      },
    }
  },
})

export const suts: ReadonlyArray<SutFactory> = [
  modelSut(null, 100),
  runtimeSut(memory, 200),
  runtimeSut(sqliteFile, 40),
  ...(postgresUrl === undefined ? [] : [runtimeSut(postgresSchema(postgresUrl), 10)]),
]
