/** Postgres stores for tests: a schema for each. The connections of a faulty writer pass through a proxy that cuts them. */
import { Effect, Exit, Scope } from "effect"
import { openPostgresJournal, type PostgresOptions } from "../../src/adapters/kysely/postgres.ts"
import { type OpenedStore, type StoreUnderTest, type WriteOutcome, writeOutcome } from "../../src/testing/index.ts"
import { CuttingProxy } from "../postgres/CuttingProxy.ts"
import { dropSchema, freshSchema } from "../postgres/database.ts"

export const openPostgres = async (options: PostgresOptions): Promise<OpenedStore> => {
  const scope = await Effect.runPromise(Scope.make())
  const journal = await Effect.runPromise(Scope.provide(openPostgresJournal(options), scope))
  return { journal, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

export const postgresStore = (url: string, name = "postgres"): StoreUnderTest => ({
  name,
  make: async () => {
    const schema = freshSchema()
    // Few connections, as the clauses open many stores on a server that other tests use too.
    const options = { schema, maxConnections: 3 }
    return {
      open: () => openPostgres({ ...options, url }),
      openFaulty: async () => {
        const proxy = await CuttingProxy.start(url)
        const opened = await openPostgres({ ...options, url: proxy.url })
        const died = proxy.died.then((): WriteOutcome => ({ _tag: "died" }))
        return {
          append: (group) => Promise.race([died, writeOutcome(opened.journal.append(group))]),
          arm: async (fault) => proxy.arm(fault),
          thaw: () => proxy.thaw(),
          kill: async () => proxy.die(),
          close: async () => {
            await opened.close()
            await proxy.close()
          },
        }
      },
      remove: async () => {
        await dropSchema(url, schema)
      },
    }
  },
})
