/** Places on Postgres for tests of several nodes. */
import { onTestFinished } from "vitest"
import { type PostgresOptions, postgres } from "../../src/adapters/kysely/postgres.ts"
import { dropSchema, freshSchema, postgresUrl, withClient } from "./database.ts"

export interface PostgresPlace {
  readonly url: string
  readonly schema: string
  layer(options?: Partial<PostgresOptions>): ReturnType<typeof postgres>
}

/** A schema that is dropped when the test ends. */
export const makePlace = async (schema = freshSchema()): Promise<PostgresPlace> => {
  const url = postgresUrl ?? ""
  onTestFinished(async () => {
    await dropSchema(url, schema)
  })
  return { url, schema, layer: (options) => postgres({ url, schema, maxConnections: 4, ...options }) }
}

/** As if a later version had been here. */
export const fromTheFuture = ({ url, schema }: PostgresPlace): Promise<unknown> =>
  withClient(url, (client) =>
    client.query(`insert into ${client.escapeIdentifier(schema)}.kysely_migration values ('9999_later', '')`),
  )
