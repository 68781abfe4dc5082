/** Fencing on SQLite, on a real file with several connections. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import { FenceError, SqliteFences, StaleFenceError } from "../../../src/fences.ts"
import { arrivals, fence, landed, landing, runs } from "./fixtures.ts"

const open = () => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-fences-"))
  const connect = () => {
    const database = new Database(join(folder, "data.db"))
    onTestFinished(() => {
      database.close()
    })
    return database
  }
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const database = connect()
  database.exec(`create table "odd ""name" (id integer primary key, version text, "set" text, handrail_fence integer not null default 0);
    insert into "odd ""name" (id, version) values (1, 'old'), (2, 'other')`)
  const fences = new SqliteFences(database)
  fences.createTable()
  return { database, fences, connect }
}

const row = (version: string, where: Readonly<Record<string, unknown>> = { id: 1 }) => ({
  table: 'odd "name',
  where,
  set: { version, set: "it's" },
})

test("of a row, exactly the writes land whose token is not older than all before", async () => {
  const { database, fences } = open()
  await fc.assert(
    fc.asyncProperty(arrivals, async (tokens) => {
      database.exec(`update "odd ""name" set version = 'old', handrail_fence = 0`)
      const found = await Promise.all(
        tokens.map((token, index) => landed(() => fences.updateRow(row(`${token} ${index}`), fence(token)))),
      )
      expect(found).toEqual(landing(tokens))
      const last = landing(tokens).lastIndexOf(true)
      expect(database.prepare(`select version, handrail_fence from "odd ""name" order by id`).all()).toEqual([
        { version: `${tokens[last]} ${last}`, handrail_fence: Math.max(...tokens) },
        { version: "old", handrail_fence: 0 },
      ])
    }),
    runs(100),
  )
})

test("of a table of tokens, too; and nothing stays of the work that was refused, or that failed", async () => {
  const { database, fences } = open()
  database.exec("create table log (token integer)")
  await fc.assert(
    fc.asyncProperty(arrivals, async (tokens) => {
      database.exec("delete from log; delete from handrail_fences")
      const write = (token: number) => () => database.prepare("insert into log values (?)").run(token)
      const found = await Promise.all(
        tokens.map((token) => landed(() => fences.transaction([fence(token), fence(1, "b")], write(token)))),
      )
      expect(found).toEqual(landing(tokens))
      expect(database.prepare("select token from log").pluck().all()).toEqual(tokens.filter((_, at) => found[at]))
      const broken = () =>
        fences.transaction([fence(99)], () => {
          write(99)()
          throw new Error("broken")
        })
      expect(broken).toThrow("broken")
      // Its token was rolled back with it.
      expect(fences.transaction([fence(Math.max(...tokens))], () => "in")).toBe("in")
    }),
    runs(50),
  )
})

test("a stale write names its token and the newest", () => {
  const { fences } = open()
  fences.updateRow(row("new"), fence(7))
  const stale = () => fences.updateRow(row("late"), fence(5))
  expect(stale).toThrow(StaleFenceError)
  expect(stale).toThrow(expect.objectContaining({ fence: fence(5), newest: 7 }))
})

test("a transaction of one's own is joined", () => {
  const { database, fences } = open()
  fences.transaction([fence(7)], () => {})
  const own = database.transaction(() => {
    database.exec(`update "odd ""name" set version = 'mine'`)
    fences.transaction([fence(5)], () => {})
  })
  expect(own).toThrow(StaleFenceError)
  expect(database.prepare(`select version from "odd ""name" where id = 1`).pluck().get()).toBe("old")
})

test("another connection's token counts", () => {
  const { fences, connect } = open()
  new SqliteFences(connect()).transaction([fence(2)], () => {})
  expect(() => fences.transaction([fence(1)], () => {})).toThrow(StaleFenceError)
})

test("a row that is not there is no error, and several rows are one", () => {
  const { database, fences } = open()
  expect(fences.updateRow(row("new", { id: 3 }), fence(1))).toBe(false)
  database.exec(`update "odd ""name" set version = 'same'`)
  expect(() => fences.updateRow(row("new", { version: "same" }), fence(1))).toThrow(/more than one row/)
  expect(database.prepare(`select count(*) from "odd ""name" where version = 'same'`).pluck().get()).toBe(2)
})

test("what can't be right is refused before anything is written", () => {
  const { fences } = open()
  const wrong: ReadonlyArray<() => unknown> = [
    () => fences.updateRow({ ...row("x"), where: {} }, fence(1)),
    () => fences.updateRow({ ...row("x"), where: { id: null } }, fence(1)),
    () => fences.updateRow({ ...row("x"), set: {} }, fence(1)),
    () => fences.updateRow({ ...row("x"), set: { handrail_fence: 0 } }, fence(1)),
    () => fences.updateRow({ ...row("x"), table: "x".repeat(64) }, fence(1)),
    () => fences.updateRow(row("x"), { ...fence(1), token: 0.5 }),
    () => fences.transaction([], () => {}),
    () => fences.transaction([fence(1), fence(2)], () => {}),
    () => fences.transaction([fence(1)], async () => {}),
  ]
  for (const call of wrong) expect(call).toThrow(FenceError)
  expect(fences.transaction([fence(1)], () => "still 1")).toBe("still 1")
})
