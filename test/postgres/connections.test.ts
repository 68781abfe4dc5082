/** Connections that others share: what a session was told may be gone, and a statement is then sent whole. */
import { afterEach, describe, expect, test } from "vitest"
import { Connections } from "../../src/adapters/kysely/postgres/Connections.ts"
import { postgresUrl } from "./database.ts"

const parts = [{ text: "select $1::text", values: ["1"] }]

describe.skipIf(postgresUrl === undefined)("connections", () => {
  let connections: Connections
  const open = (timeoutMs = 10_000) => {
    const url = postgresUrl ?? ""
    connections = new Connections({ url, maxConnections: 1, timeoutMs, applicationName: "handrail test" })
  }
  const prepared = async () =>
    (await connections.query("select from pg_prepared_statements where statement like 'select $1%'", [])).length
  afterEach(() => connections.close())

  test("keep their prepared statements", async () => {
    open()
    await connections.commit(parts)
    await connections.query("select $1::int as n", [2])
    expect(await prepared()).toBe(2)
  })

  test("a pooler that forgets what a session prepared is noticed, and nothing is kept from then on", async () => {
    open()
    await connections.commit(parts)
    await connections.query("select $1::int as n", [2])
    await connections.query("deallocate all", [])
    await connections.commit(parts)
    expect(await connections.query("select $1::int as n", [2])).toEqual([{ n: 2 }])
    await connections.commit(parts)
    expect(await prepared()).toBe(0)
  })

  test("all of a pipeline happens or nothing of it", async () => {
    open()
    const table = `pipeline_${process.pid}_${Date.now()}`
    await connections.query(`create table ${table} (n int primary key)`, [])
    const insert = (n: number) => ({ text: `insert into ${table} values ($1)`, values: [`${n}`] })
    const rows = async () => (await connections.query<{ n: number }>(`select n from ${table}`, [])).map(({ n }) => n)
    await expect(connections.commit([insert(1), insert(2), insert(1)])).rejects.toMatchObject({ code: "23505" })
    expect(await rows()).toEqual([])
    await connections.commit([insert(1), insert(2)])
    expect(await rows()).toEqual([1, 2])
    await connections.query(`drop table ${table}`, [])
  })

  test("a database that does not answer in time is out of reach, and the next call has a new connection", async () => {
    open(300)
    const slow = { text: "select pg_sleep(60)", values: [] }
    await expect(connections.commit([slow])).rejects.toMatchObject({ reason: "timeout" })
    await expect(connections.query("select pg_sleep(60)", [])).rejects.toMatchObject({ reason: "connection" })
    await connections.commit(parts)
  })

  test("closed, they refuse", async () => {
    open()
    await connections.close()
    await expect(connections.commit(parts)).rejects.toMatchObject({ reason: "closed" })
  })
})
