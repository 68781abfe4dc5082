import { Effect, Exit, Scope } from "effect"
import { openPostgresJournal } from "../../src/adapters/kysely/postgres.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import { journalSuite } from "./journalSuite.ts"
const url = postgresUrl
if (url !== undefined)
  journalSuite("postgres", async () => {
    const schema = freshSchema()
    return {
      open: async () => {
        const scope = await Effect.runPromise(Scope.make())
        const journal = await Effect.runPromise(Scope.provide(openPostgresJournal({ url, schema }), scope))
        return { journal, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
      },
      remove: async () => {
        await dropSchema(url, schema)
      },
    }
  })
