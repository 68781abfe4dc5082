/** What a group of appends leaves in the file where one of them is refused, and what verification sees of a chain (I9). */
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { expect, onTestFinished, test } from "vitest"
import { verify } from "../../src/adapters/kysely/verify.ts"
import type { Append } from "../../src/runtime/Journal.ts"
import { Chain } from "../../src/testing/conformance/Chain.ts"
import { type OpenedSqlite, openSqlite, temporaryDirectory } from "./sqliteStore.ts"

const placed = async (): Promise<{ readonly store: OpenedSqlite; readonly filename: string }> => {
  const directory = temporaryDirectory()
  const filename = join(directory.path, "handrail.db")
  const store = await openSqlite({ filename })
  onTestFinished(async () => {
    await store.close()
    directory.remove()
  })
  return { store, filename }
}
const append = (store: OpenedSqlite, ...group: ReadonlyArray<Append>) => Effect.runPromise(store.journal.append(group))

test("the snapshot of a refused append does not replace the good one, also beside an append that is taken", async () => {
  const { store } = await placed()
  const [a, b] = [new Chain("a"), new Chain("b")]
  await append(store, a.create(), b.create())
  const stale = a.fork()
  await append(store, { ...a.append(), snapshot: a.snapshot("good") })
  const results = await append(store, { ...stale.append(), snapshot: stale.snapshot("stale") }, b.append())
  expect(results.map(({ _tag }) => _tag)).toEqual(["conflict", "appended"])
  const loaded = await Effect.runPromise(store.journal.load(a.tenant, a.id))
  expect(loaded?.snapshot).toEqual(a.snapshot("good"))
})

test("an event whose text or hash was changed is found by verification, at its place", async () => {
  const { store, filename } = await placed()
  const chain = new Chain("a")
  await append(store, chain.create())
  await append(store, chain.append([], 4))
  const db = new Database(filename)
  onTestFinished(() => void db.close())
  // It parses, and its sequence is right: nothing but the chain tells.
  db.exec("update journal set event = replace(event, 'event', 'other') where seq = 3")
  const problems = async () => (await Effect.runPromise(verify({ filename }))).problems
  expect(await problems()).toMatchObject([{ workflowId: "a", seq: 3, problem: expect.stringContaining("chain") }])
  db.exec("update journal set event = replace(event, 'other', 'event') where seq = 3")
  expect(await problems()).toEqual([])
  db.prepare("update journal set hash = ? where seq = 5").run("0".repeat(64))
  expect(await problems()).toMatchObject([{ workflowId: "a", seq: 5, problem: expect.stringContaining("chain") }])
})
