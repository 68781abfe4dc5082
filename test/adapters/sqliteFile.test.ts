/** What only a file can do: be full, locked, damaged, missing, or left behind by a process that died. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { StoreFile } from "../../src/adapters/kysely/StoreFile.ts"
import { openSqliteJournal, type SqliteOptions, sqlite } from "../../src/adapters/kysely/sqlite.ts"
import { verify } from "../../src/adapters/kysely/verify.ts"
import type { Projection } from "../../src/machines/projection.ts"
import { type Append, Journal } from "../../src/runtime/Journal.ts"
import { Chain } from "../../src/testing/conformance/Chain.ts"
import { handoffRow, hid, receipt, sessionRow, stepRow, tenantId, wf } from "../../src/testing/conformance/rows.ts"
import { crash, type OpenedSqlite, openSqlite, temporaryDirectory } from "./sqliteStore.ts"

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
const failure = <A, E>(effect: Effect.Effect<A, E>): Promise<E> => run(Effect.flip(effect))
const appended = [{ _tag: "appended" }]

describe("a SQLite file", () => {
  let directory = temporaryDirectory()
  let filename = ""
  let opened: Array<OpenedSqlite> = []
  const open = async (options: Partial<SqliteOptions> = {}) => {
    const store = await openSqlite({ filename, ...options })
    opened.push(store)
    return store
  }
  const raw = <A>(use: (db: Database.Database) => A): A => {
    const db = new Database(filename)
    try {
      return use(db)
    } finally {
      db.close()
    }
  }
  const refused = (options: SqliteOptions) =>
    openSqlite(options).then(
      () => undefined,
      (error: unknown) => error,
    )
  beforeEach(() => {
    directory = temporaryDirectory()
    filename = join(directory.path, "handrail.db")
  })
  afterEach(async () => {
    for (const store of opened) await store.close()
    opened = []
    directory.remove()
  })
  const append = (store: OpenedSqlite, ...group: ReadonlyArray<Append>) => run(store.journal.append(group))
  const begun = async (store: OpenedSqlite, id = "wf") => {
    const chain = new Chain(id)
    expect(await append(store, chain.create())).toEqual(appended)
    return chain
  }

  describe("opening", () => {
    test("a missing directory is named", async () => {
      const path = join(directory.path, "missing")
      expect(await refused({ filename: join(path, "x.db") })).toMatchObject({
        _tag: "StorageUnavailable",
        reason: "no_directory",
        detail: expect.stringContaining(path),
      })
    })

    test(":memory: is refused with a hint", async () => {
      expect(await refused({ filename: ":memory:" })).toMatchObject({
        reason: "filename",
        detail: expect.stringContaining("memory:"),
      })
    })

    test("a directory is no file", async () => {
      mkdirSync(filename)
      expect(await refused({ filename })).toMatchObject({ reason: "filename" })
    })

    test("a file that is not a database is damaged", async () => {
      writeFileSync(filename, "this is a text and nothing else, ".repeat(100))
      expect(await refused({ filename })).toMatchObject({ _tag: "StorageCorrupt" })
    })

    test("a file of a newer version says so", async () => {
      await (await open()).close()
      raw((db) => db.prepare("insert into kysely_migration values ('9999_later', '')").run())
      expect(await refused({ filename })).toMatchObject({ _tag: "StorageUnavailable", reason: "schema_newer" })
    })
  })

  describe("what was acknowledged", () => {
    test.each([
      ["pending", 4096],
      ["folded", 1],
    ])("is there after a reopen, %s", async (_, foldAppends) => {
      const store = await open({ foldAppends })
      const chain = await begun(store)
      const row = handoffRow("wf", "h")
      const later = chain.append([{ _tag: "handoffOffered", row }], 3)
      await append(store, { ...later, snapshot: chain.snapshot() })
      await store.close()
      const again = await open({ foldAppends })
      const loaded = await run(again.journal.load(chain.tenant, chain.id))
      expect(loaded?.snapshot).toEqual(chain.snapshot())
      expect((await run(again.journal.lookup(chain.tenant, chain.id, { handoffs: ["h"] }))).handoffs.get("h")).toEqual(
        row,
      )
      expect(await append(again, chain.append())).toEqual(appended)
      expect(await run(again.journal.read(chain.tenant, chain.id, 0, 10))).toHaveLength(5)
    })

    test("is there after the writer was killed with groups pending (I7)", async () => {
      const store = await open()
      const chain = await begun(store)
      await append(store, chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }]))
      await crash(store.thread)
      expect(await append(store, chain.append([{ _tag: "stepResolved", row: stepRow("st") }]))).toEqual(appended)
      const exists = await append(store, chain.fork().append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }]))
      expect(exists).toEqual([{ _tag: "exists", kind: "handoff", id: "h" }])
      const archive = await run(store.journal.lookup(chain.tenant, chain.id, { handoffs: ["h"], steps: ["st"] }))
      expect([archive.handoffs.size, archive.steps.size]).toEqual([1, 1])
      expect(
        (await run(store.journal.listHandoffs(chain.tenant, { workflowId: chain.id, limit: 5 }))).items,
      ).toHaveLength(1)
    })
  })

  describe("trouble", () => {
    test("a full disk fails the append, and only that", async () => {
      const store = await open({ maxPages: 60 })
      const chain = await begun(store)
      const before = chain.fork()
      const error = await failure(store.journal.append([chain.append([], 1, "x".repeat(1024 * 1024))]))
      expect(error).toMatchObject({ _tag: "StorageUnavailable", reason: "disk_full" })
      expect(await append(store, before.append())).toEqual(appended)
      expect(await run(store.journal.read(chain.tenant, chain.id, 0, 10))).toHaveLength(2)
    })

    test("a database that another process holds fails after the time that was given, and works when it is free", async () => {
      const store = await open({ busyTimeoutMs: 50 })
      const chain = await begun(store)
      const other = new Database(filename)
      other.exec("begin immediate")
      const next = chain.append()
      expect(await failure(store.journal.append([next]))).toMatchObject({ _tag: "StorageUnavailable", reason: "busy" })
      other.exec("rollback")
      other.close()
      expect(await append(store, next)).toEqual(appended)
    })

    test("calls in flight when the writer dies fail, and the next one starts it again", async () => {
      const store = await open()
      const chain = await begun(store)
      // Awaited: the last reply of a thread may get lost with it, and is then an answer that never came.
      expect(await append(store, chain.append())).toEqual(appended)
      const crashed = crash(store.thread)
      const calls = [chain.append(), chain.append()].map((item) => failure(store.journal.append([item])))
      for (const error of await Promise.all(calls)) {
        expect(error).toMatchObject({ _tag: "StorageUnavailable", reason: "crashed" })
      }
      await crashed
      expect(await run(store.journal.read(chain.tenant, chain.id, 0, 9))).toHaveLength(2)
      const later = new Chain("later")
      expect(await append(store, later.create())).toEqual(appended)
    })

    test("a closed store refuses everything, and finishes what it had taken", async () => {
      const store = await open()
      const chain = await begun(store)
      const last = append(store, chain.append())
      await store.close()
      expect(await last).toEqual(appended)
      const { journal } = store
      for (const call of [
        journal.append([chain.append()]),
        journal.load(chain.tenant, chain.id),
        journal.read(chain.tenant, chain.id, 0, 1),
        journal.lookup(chain.tenant, chain.id, {}),
        journal.listWorkflows(chain.tenant, { limit: 1 }),
        journal.due(1, 1),
        journal.nextWake,
      ]) {
        expect(await failure<unknown, unknown>(call)).toMatchObject({ _tag: "StorageUnavailable", reason: "closed" })
      }
    })

    test("a change that a table refuses stops the fold, not the workflow", async () => {
      const store = await open({ foldAppends: 2 })
      const chain = await begun(store)
      // No rule makes such a row; a bug might.
      const row = sessionRow("wf", "s", { version: 0, createdSeq: 2 })
      expect(await append(store, chain.append([{ _tag: "sessionCreated", row }]))).toEqual(appended)
      expect(await append(store, chain.append())).toEqual(appended)
      expect((await run(store.journal.lookup(chain.tenant, chain.id, { sessions: ["s"] }))).sessions.get("s")).toEqual(
        row,
      )
      const error = await failure(store.journal.listSessions(chain.tenant, { workflowId: chain.id, limit: 5 }))
      expect(error).toMatchObject({ _tag: "StorageCorrupt" })
      expect(await append(store, chain.append())).toEqual(appended)
    })
  })

  describe("damage", () => {
    const damaged = async (sql: string) => {
      const store = await open({ foldAppends: 1 })
      const chain = await begun(store)
      await append(store, chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }], 4))
      await store.close()
      raw((db) => db.exec(sql))
      return { chain, store: await open() }
    }

    test("an event that was changed is found where it is", async () => {
      const { chain, store } = await damaged(
        "update journal set event = replace(event, 'event', 'EVENT') where seq = 3",
      )
      const error = { _tag: "StorageCorrupt", workflowId: "wf", seq: 3 }
      expect(await failure(store.journal.load(chain.tenant, chain.id))).toMatchObject(error)
      expect(await failure(store.journal.read(chain.tenant, chain.id, 2, 2))).toMatchObject(error)
      expect(await run(store.journal.read(chain.tenant, chain.id, 0, 2))).toHaveLength(2)
    })

    test("an event that is missing is found where it was", async () => {
      const { chain, store } = await damaged("delete from journal where seq = 3")
      const error = { _tag: "StorageCorrupt", workflowId: "wf", seq: 3 }
      expect(await failure(store.journal.load(chain.tenant, chain.id))).toMatchObject(error)
      expect(await failure(store.journal.read(chain.tenant, chain.id, 0, 9))).toMatchObject(error)
    })

    test("an index that lost a run is found", async () => {
      const { chain, store } = await damaged("delete from journal_runs where first_seq = 1")
      expect(await failure(store.journal.load(chain.tenant, chain.id))).toMatchObject({
        _tag: "StorageCorrupt",
        seq: 1,
      })
    })

    test("a column that does not parse names its workflow", async () => {
      const { chain, store } = await damaged("update handoffs set summary = '{'")
      const lookup = store.journal.lookup(chain.tenant, chain.id, { handoffs: ["h"] })
      expect(await failure(lookup)).toMatchObject({ _tag: "StorageCorrupt", workflowId: "wf" })
    })

    test("a snapshot that is not the chain's is found by the events after it", async () => {
      const store = await open()
      const chain = await begun(store)
      await append(store, { ...chain.append(), snapshot: { ...chain.snapshot(), hash: "0".repeat(64) } })
      await append(store, chain.append())
      expect(await failure(store.journal.load(chain.tenant, chain.id))).toMatchObject({
        _tag: "StorageCorrupt",
        seq: 3,
      })
      const report = await run(verify({ filename }))
      expect(report.problems).toMatchObject([
        { workflowId: "wf", seq: 2, problem: expect.stringContaining("snapshot") },
      ])
    })

    test("a damaged page is damage", async () => {
      const { chain, store } = await damaged("select 1")
      await store.close()
      const size = raw((db) => Number(db.pragma("page_size", { simple: true })))
      const file = await import("node:fs")
      const bytes = file.readFileSync(filename)
      file.writeFileSync(filename, Buffer.concat([bytes.subarray(0, size), Buffer.alloc(bytes.length - size, 0xa5)]))
      const error = await refused({ filename }).then(async (refusal) =>
        refusal === undefined ? failure((await open()).journal.load(chain.tenant, chain.id)) : refusal,
      )
      expect(error).toMatchObject({ _tag: "StorageCorrupt" })
    })
  })

  describe("verify", () => {
    test.each([
      ["pending", 4096],
      ["folded", 1],
    ])("counts what is there and finds nothing wrong, %s (I9)", async (_, foldAppends) => {
      const store = await open({ foldAppends })
      const [a, b] = [await begun(store, "a"), await begun(store, "b")]
      await append(store, { ...a.append([], 1200), snapshot: a.snapshot() }, b.append([], 2))
      const other = new Chain("a", "t2")
      await append(store, other.create())
      expect(await run(verify({ filename }))).toEqual({ workflows: 3, events: 1205, problems: [] })
      expect(await run(verify({ filename }, tenantId("t1")))).toEqual({ workflows: 2, events: 1204, problems: [] })
      expect(await run(verify({ filename }, tenantId("t1"), wf("b")))).toEqual({
        workflows: 1,
        events: 3,
        problems: [],
      })
    })

    test("tells each problem with its workflow and event", async () => {
      const store = await open({ foldAppends: 1 })
      for (const id of ["a", "b", "c"]) await append(store, (await begun(store, id)).append([], 3))
      await store.close()
      raw((db) => {
        db.exec("update journal set event = 'x' where workflow_id = 'a' and seq = 2")
        db.exec("delete from journal where workflow_id = 'b' and seq = 3")
        db.exec(
          "insert into journal select id + 100, tenant, 'd', seq, event, hash from journal where workflow_id = 'c'",
        )
      })
      const { problems } = await run(verify({ filename }))
      expect(problems).toMatchObject([
        { workflowId: "a", seq: 2 },
        { workflowId: "b", seq: 3 },
        { workflowId: "", seq: null },
      ])
    })

    test("a file that is missing or none", async () => {
      expect(await failure(verify({ filename }))).toMatchObject({ reason: "no_file" })
      writeFileSync(filename, "x".repeat(4096))
      expect(await failure(verify({ filename }))).toMatchObject({ _tag: "StorageCorrupt" })
    })
  })

  test.each([
    ["pending", 4096],
    ["folded", 1],
    ["both", 3],
  ])("every row of a workflow can be walked, %s", async (_, foldAppends) => {
    const store = await open({ foldAppends, idleMs: 60_000 })
    const chain = await begun(store)
    for (let i = 0; i < 3; i++) {
      const rows: ReadonlyArray<Projection> = [
        { _tag: "sessionCreated", row: sessionRow("wf", `s${i}`, { createdSeq: 2 + i }) },
        { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: 2 + i }) },
        { _tag: "stepResolved", row: stepRow(`st${i}`) },
        { _tag: "killIssued", receipt: receipt("wf", `k${i}`) },
        { _tag: "resourceIdled", row: { name: "repo", key: `${i % 2}`, fence: i, version: 1 } },
        { _tag: "answered", row: { key: `key${i}`, fingerprint: "f", answer: [i] } },
        { _tag: "handoffsKilled", handoffs: [hid("h0")], at: 10 + i, reason: "x" },
        { _tag: "wakeAt", at: 100 + i },
      ]
      await append(store, chain.append(rows))
    }
    const file = new StoreFile(filename)
    const keys = [...file.workflows()]
    expect(keys).toMatchObject([{ tenant: "t1", workflowId: "wf" }])
    const key = { tenant: chain.tenant, workflowId: chain.id }
    expect(file.workflow(key)?.status).toBe("active")
    expect(file.wakeAt(key)).toBe(102)
    expect([...file.entries(key)].map((entry) => entry.seq)).toEqual([1, 2, 3, 4])
    expect([...file.sessions(key)].map((row) => row.sessionId).sort()).toEqual(["s0", "s1", "s2", "wf.root"])
    const handoffs = [...file.handoffs(key)].sort((a, b) => (a.handoffId < b.handoffId ? -1 : 1))
    expect(handoffs.map((row) => [row.handoffId, row.status, row.updatedAt])).toEqual([
      ["h0", "killed", 12],
      ["h1", "offered", 1000],
      ["h2", "offered", 1000],
    ])
    expect([...file.steps(key)].map((row) => row.stepId).sort()).toEqual(["st0", "st1", "st2"])
    expect([...file.kills(key)].map((row) => row.killId).sort()).toEqual(["k0", "k1", "k2"])
    expect([...file.answers(key)].map((row) => row.key).sort()).toEqual(["key0", "key1", "key2"])
    expect([...file.resources(key)].map((row) => [row.key, row.fence]).sort()).toEqual([
      ["0", 2],
      ["1", 1],
    ])
    file.close()
  })

  test("a journal ends with its scope, a layer with its program; both are on the same file", async () => {
    const chain = new Chain("wf")
    const create = Effect.flatMap(openSqliteJournal({ filename }), (journal) => journal.append([chain.create()]))
    expect(await run(Effect.scoped(create))).toEqual(appended)
    const load = Journal.use((journal) => journal.load(chain.tenant, chain.id))
    expect((await run(Effect.provide(load, sqlite({ filename }))))?.entries).toHaveLength(1)
  })

  test("a group that only asks writes nothing", async () => {
    const store = await open()
    const chain = await begun(store)
    const other = new Database(filename)
    const version = () => other.pragma("data_version", { simple: true })
    const before = version()
    const fsync = store.journal.stages().fsync
    expect(await append(store, chain.confirm())).toEqual(appended)
    expect(version()).toBe(before)
    expect(store.journal.stages().fsync).toBe(fsync)
    other.close()
  })

  test("every commit is synced: FULL stays FULL after the first write", async () => {
    const store = await open()
    await begun(store)
    expect(Object.keys(store.journal.stages()).sort()).toEqual(["encode", "fold", "fsync", "message", "sql"])
    expect(store.journal.stages().fsync).toBeGreaterThan(0)
  })
})
