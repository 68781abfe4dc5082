/** Fencing on a real Postgres, with writers on connections of their own. */
import fc from "fast-check"
import pg from "pg"
import { beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { FenceError, PostgresFences, StaleFenceError } from "../../../src/fences.ts"
import { dropSchema, freshSchema, postgresUrl, withClient } from "../../postgres/database.ts"
import { arrivals, fence, isGrowing, landed, landing, runs } from "./fixtures.ts"

const schema = freshSchema()
const table: readonly [string, string] = [schema, "deployments"]
const fences = new PostgresFences({ table: [schema, "handrail_fences"] })

const poolOf = (max: number): pg.Pool => {
  const pool = new pg.Pool({ connectionString: postgresUrl, max })
  onTestFinished(() => pool.end())
  return pool
}

describe.skipIf(postgresUrl === undefined)("on Postgres", () => {
  beforeAll(async () => {
    const url = postgresUrl ?? ""
    await withClient(url, async (client) => {
      await client.query(`create schema ${schema}`)
      await client.query(
        `create table ${schema}.deployments (id int primary key, version text, handrail_fence bigint not null default 0)`,
      )
      await client.query(`create table ${schema}.log (at serial primary key, token int)`)
      await fences.createTable(client)
    })
    return async () => {
      await dropSchema(url, schema)
    }
  })

  const reset = (pool: pg.Pool) =>
    pool.query(`truncate ${schema}.deployments, ${schema}.log, ${schema}.handrail_fences;
      insert into ${schema}.deployments values (1, 'old'), (2, 'old')`)

  test("of a row, exactly the writes land whose token is not older than all before", async () => {
    const pool = poolOf(1)
    await fc.assert(
      fc.asyncProperty(arrivals, async (tokens) => {
        await reset(pool)
        const write = (token: number) => () =>
          fences.updateRow(pool, { table, where: { id: 1 }, set: { version: `v${token}` } }, fence(token))
        const found = await Promise.all(tokens.map((token) => landed(write(token))))
        expect(found).toEqual(landing(tokens))
        const { rows } = await pool.query(`select version, handrail_fence from ${schema}.deployments order by id`)
        const newest = Math.max(...tokens)
        expect(rows).toEqual([
          { version: `v${newest}`, handrail_fence: String(newest) },
          { version: "old", handrail_fence: "0" },
        ])
      }),
      runs(30),
    )
  })

  test("writers at once: what lands has growing tokens, and the greatest is last", async () => {
    const pool = poolOf(8)
    await fc.assert(
      fc.asyncProperty(arrivals, async (tokens) => {
        await reset(pool)
        const byRow = tokens.map((token) =>
          landed(() =>
            fences.updateRow(pool, { table, where: { id: 2 }, set: { version: `v${token}` } }, fence(token)),
          ),
        )
        const byTable = tokens.map((token) =>
          landed(() =>
            fences.transaction(pool, [fence(token), fence(1, "b")], (connection) =>
              connection.query(`insert into ${schema}.log (token) values ($1)`, [token]),
            ),
          ),
        )
        const newest = Math.max(...tokens)
        const isNewest = tokens.map((token) => token === newest)
        for (const found of [await Promise.all(byRow), await Promise.all(byTable)])
          expect(isNewest.every((is, index) => !is || found[index])).toBe(true)
        const log = (await pool.query(`select token from ${schema}.log order by at`)).rows.map(({ token }) => token)
        expect(isGrowing(log)).toBe(true)
        expect(log.at(-1)).toBe(newest)
        const { rows } = await pool.query(`select version from ${schema}.deployments where id = 2`)
        expect(rows).toEqual([{ version: `v${newest}` }])
      }),
      runs(30),
    )
  })

  test("a writer that waited for a newer one's row is refused", async () => {
    const pool = poolOf(3)
    await reset(pool)
    const newer = await pool.connect()
    await newer.query("begin")
    await fences.updateRow(newer, { table, where: { id: 1 }, set: { version: "new" } }, fence(2))
    const late = fences.updateRow(pool, { table, where: { id: 1 }, set: { version: "late" } }, fence(1))
    await waiting(pool)
    await newer.query("commit")
    newer.release()
    await expect(late).rejects.toMatchObject({ name: "StaleFenceError", fence: fence(1), newest: 2 })
  })

  test("a frozen transaction is waited for, and refused where a newer one was faster", async () => {
    const pool = poolOf(3)
    await reset(pool)
    const frozen = await pool.connect()
    await frozen.query("begin")
    await fences.claim(frozen, [fence(1)])
    const newer = fences.transaction(pool, [fence(2)], async () => "landed")
    await waiting(pool)
    await frozen.query("commit")
    expect(await newer).toBe("landed")
    await frozen.query("begin")
    await expect(fences.claim(frozen, [fence(1)])).rejects.toBeInstanceOf(StaleFenceError)
    await frozen.query("rollback")
    frozen.release()
  })

  test("nothing stays of work that fails, and its connection is used again", async () => {
    const pool = poolOf(1)
    await reset(pool)
    const work = fences.transaction(pool, [fence(9)], async (connection) => {
      await connection.query(`insert into ${schema}.log (token) values (9)`)
      throw new Error("broken")
    })
    await expect(work).rejects.toThrow("broken")
    expect((await pool.query(`select 1 from ${schema}.log`)).rowCount).toBe(0)
    expect(await fences.transaction(pool, [fence(1)], async () => "in")).toBe("in")
  })

  test("a row that is not there is no error, and several rows are one", async () => {
    const pool = poolOf(1)
    await reset(pool)
    const write = (where: Readonly<Record<string, unknown>>) =>
      fences.updateRow(pool, { table, where, set: { version: "x" } }, fence(1))
    expect(await write({ id: 3 })).toBe(false)
    await expect(write({ version: "old" })).rejects.toBeInstanceOf(FenceError)
    expect((await pool.query(`select 1 from ${schema}.deployments where version = 'x'`)).rowCount).toBe(0)
  })
})

/** Until somebody waits for a lock. */
const waiting = async (pool: pg.Pool): Promise<void> => {
  for (;;) {
    const { rows } = await pool.query(
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    )
    if (rows.length > 0) return
  }
}
