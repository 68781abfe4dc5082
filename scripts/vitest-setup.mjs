/**
 * Before any test: dist is there and current, because workers and separate processes run the compiled files; and a real
 * Postgres answers at `HANDRAIL_TEST_POSTGRES`, which the tests inherit.
 *
 * The server is `DATABASE_URL` where that is set, otherwise one of our own for the length of the run. A machine where none can
 * start fails here; `HANDRAIL_TEST_STORES=sqlite` leaves Postgres out, and says so.
 */
import { build } from "./build.mjs"

export default async () => {
  const { ok, output } = build()
  // Not fatal: dist holds what could be emitted, types are checked on their own, and most tests run from src.
  if (!ok) console.error(`src does not compile, dist may be behind:\n${output}`)
  return startPostgres()
}

const startPostgres = async () => {
  if (process.env.HANDRAIL_TEST_STORES === "sqlite") {
    console.warn("HANDRAIL_TEST_STORES=sqlite: nothing is tested on Postgres")
    return
  }
  if (process.env.DATABASE_URL !== undefined) {
    process.env.HANDRAIL_TEST_POSTGRES = process.env.DATABASE_URL
    return
  }
  const { PostgresServer } = await import("../test/postgres/PostgresServer.ts")
  // The tests look at what a crash of a process does, not one of the machine: they need not wait for the disk.
  const server = await PostgresServer.start({ fsync: false }).catch((error) => {
    throw new Error(
      `The tests need Postgres. Set DATABASE_URL to a server, or HANDRAIL_TEST_STORES=sqlite to do without. ${error.message}`,
      { cause: error },
    )
  })
  process.env.HANDRAIL_TEST_POSTGRES = server.url()
  return () => server.remove()
}
