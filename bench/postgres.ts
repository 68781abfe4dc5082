/**
 * The Postgres that the benchmarks run on: `DATABASE_URL` where that is set, otherwise a server of our own on the disk that
 * `--dir` names, with the settings that it comes with. Whoever is measured on it gets a schema of its own, which is dropped
 * afterwards: the counterpart of the empty directory that SQLite gets.
 */
import { randomBytes } from "node:crypto"
import pg from "pg"
import { PostgresServer } from "../test/postgres/PostgresServer.ts"
import type { Sample } from "./measure.ts"

/** Where somebody may write, in a database that others use too. */
export interface Schema {
  readonly url: string
  readonly schema: string
}

export interface Postgres {
  /** Runs a slice in a schema that exists and is empty, and drops it with all that is in it. */
  inFreshSchema(slice: (place: Schema) => Promise<Sample>): Promise<Sample>
  /** What it is, for whoever reads the figures later. */
  readonly about: string
  close(): Promise<void>
}

/** Several runtimes and a peer have their pools open at once. */
const maxConnections = 400

/** Refuses a server that answers a commit before it is on its disk: nothing measured there would mean anything. */
export async function openPostgres(dir: string): Promise<Postgres> {
  const given = process.env.DATABASE_URL
  const server =
    given === undefined ? await PostgresServer.start({ fsync: true, parent: dir, maxConnections }) : undefined
  const url = given ?? server?.url() ?? ""
  try {
    return {
      about: `Postgres ${await durableVersion(url)}, ${server === undefined ? "DATABASE_URL" : "a server of its own"}`,
      inFreshSchema: (slice) => inFreshSchema(url, slice),
      close: async () => server?.remove(),
    }
  } catch (error) {
    await server?.remove()
    throw error
  }
}

async function inFreshSchema(url: string, slice: (place: Schema) => Promise<Sample>): Promise<Sample> {
  const schema = `bench_${randomBytes(6).toString("hex")}`
  await withClient(url, (client) => client.query(`create schema ${schema}`))
  try {
    return await slice({ url, schema })
  } finally {
    await withClient(url, (client) => client.query(`drop schema if exists ${schema} cascade`))
  }
}

async function durableVersion(url: string): Promise<string> {
  return withClient(url, async (client) => {
    for (const name of ["fsync", "synchronous_commit", "full_page_writes"]) {
      const { rows } = await client.query<Record<string, string>>(`show ${name}`)
      const value = rows[0]?.[name]
      if (value !== "on") throw new Error(`the Postgres to measure must run with ${name} = on, not ${value}`)
    }
    const { rows } = await client.query<{ server_version: string }>("show server_version")
    return rows[0]?.server_version ?? "of an unknown version"
  })
}

async function withClient<A>(url: string, use: (client: pg.Client) => Promise<A>): Promise<A> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
