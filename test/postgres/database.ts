/** The Postgres that the tests use (scripts/vitest-setup.mjs), and a schema of its own in it for each store under test. */
import { randomBytes } from "node:crypto"
import pg from "pg"

/** Undefined where `HANDRAIL_TEST_STORES=sqlite` leaves Postgres out. */
export const postgresUrl: string | undefined = process.env.HANDRAIL_TEST_POSTGRES

/** A name that no other test has. */
export const freshSchema = (): string => `t_${randomBytes(6).toString("hex")}`

export const withClient = async <A>(url: string, use: (client: pg.Client) => Promise<A>): Promise<A> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

export const dropSchema = (url: string, schema: string): Promise<unknown> =>
  withClient(url, (client) => client.query(`drop schema if exists ${client.escapeIdentifier(schema)} cascade`))
