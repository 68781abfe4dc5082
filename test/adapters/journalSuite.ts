/**
 * What every `Journal` must do, as one suite that each store runs (architecture.md, "The write path").
 *
 * `make` gives an empty store; each `open` of it is another writer on it: another connection, another runtime.
 */
import { Effect } from "effect"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { ArchiveRefs, Projection } from "../../src/machines/projection.ts"
import type { Append, Appended, Entry, Journal, Page } from "../../src/runtime/Journal.ts"
import {
  Chain,
  definition,
  handoffRow,
  hid,
  kid,
  receipt,
  sessionRow,
  sid,
  stepRow,
  tenantId,
  wf,
  workflowRow,
} from "./fixtures.ts"

export interface Opened {
  readonly journal: Journal["Service"]
  close(): Promise<void>
}
export interface Store {
  open(): Promise<Opened>
  remove(): Promise<void>
}

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
const appended: Appended = { _tag: "appended" }
const conflict: Appended = { _tag: "conflict" }

export const journalSuite = (name: string, make: () => Promise<Store>): void => {
  describe(`Journal (${name})`, () => {
    let store: Store
    let opened: Array<Opened> = []
    let journal: Journal["Service"]
    const open = async (): Promise<Journal["Service"]> => {
      const next = await store.open()
      opened.push(next)
      return next.journal
    }
    beforeEach(async () => {
      store = await make()
      journal = await open()
    })
    afterEach(async () => {
      for (const one of opened) await one.close()
      opened = []
      await store.remove()
    })
    const append = (...group: ReadonlyArray<Append>) => run(journal.append(group))
    const one = async (item: Append) => (await append(item))[0]
    const created = async (id: string, tenant = "t1") => {
      const chain = new Chain(id, tenant)
      expect(await one(chain.create())).toEqual(appended)
      return chain
    }
    const lookup = (chain: Chain, refs: ArchiveRefs) => run(journal.lookup(chain.tenant, chain.id, refs))

    describe("append", () => {
      test("what was appended is read back, in order", async () => {
        const chain = new Chain("wf")
        const first = chain.create()
        const second = chain.append([], 3)
        expect(await append(first)).toEqual([appended])
        expect(await append(second)).toEqual([appended])
        expect(await run(journal.load(chain.tenant, chain.id))).toEqual({
          definition,
          snapshot: null,
          entries: [...first.entries, ...second.entries],
        })
      })

      test("a group answers each append in order", async () => {
        const [a, b] = [new Chain("a"), new Chain("b")]
        expect(await append(a.create(), b.create())).toEqual([appended, appended])
        const stale = { ...a.append(), expectedSeq: 0 }
        expect(await append(stale, b.append())).toEqual([conflict, appended])
        expect(await run(journal.read(a.tenant, a.id, 0, 10))).toHaveLength(1)
        expect(await run(journal.read(b.tenant, b.id, 0, 10))).toHaveLength(2)
      })

      test("no groups and no appends are answered too", async () => {
        expect(await append()).toEqual([])
      })

      test("a taken seq is a conflict and changes nothing (I9)", async () => {
        const chain = await created("wf")
        const row = handoffRow("wf", "h")
        expect(await one({ ...chain.append([{ _tag: "handoffOffered", row }]), expectedSeq: 0 })).toEqual(conflict)
        expect((await lookup(chain, { handoffs: ["h"] })).handoffs.size).toBe(0)
        expect(await run(journal.read(chain.tenant, chain.id, 0, 10))).toHaveLength(1)
      })

      test("an append ahead of the head is a conflict: no gap, ever (I9)", async () => {
        const chain = await created("wf")
        chain.append()
        expect(await one(chain.append())).toEqual(conflict)
        const unknown = new Chain("unknown")
        unknown.append()
        expect(await one(unknown.append())).toEqual(conflict)
        expect(await run(journal.read(unknown.tenant, unknown.id, 0, 10))).toEqual([])
      })

      test("an append without entries confirms the head", async () => {
        const chain = new Chain("wf")
        expect(await one(chain.confirm(0))).toEqual(appended)
        expect(await one(chain.confirm(1))).toEqual(conflict)
        await append(chain.create(), new Chain("other").create())
        expect(await one(chain.confirm(0))).toEqual(conflict)
        expect(await one(chain.confirm(1))).toEqual(appended)
        expect(await one(chain.confirm(2))).toEqual(conflict)
        const more = new Chain("more")
        expect(await append(chain.confirm(0), more.create(), chain.confirm(1))).toEqual([conflict, appended, appended])
      })

      test("groups that overlap are carried out in the order of the calls", async () => {
        const chain = await created("wf")
        const groups = Array.from({ length: 50 }, () => chain.append())
        const results = await Promise.all(groups.map((item) => append(item)))
        expect(results.flat()).toEqual(groups.map(() => appended))
        expect((await run(journal.read(chain.tenant, chain.id, 0, 100))).map((entry) => entry.seq)).toEqual(
          Array.from({ length: 51 }, (_, i) => i + 1),
        )
      })
    })

    describe("what exists already", () => {
      test("a session of another workflow refuses its append, and only that", async () => {
        const a = await created("a")
        const b = await created("b")
        const row = sessionRow("a", "shared", { createdSeq: 2 })
        expect(await one(a.append([{ _tag: "sessionCreated", row }]))).toEqual(appended)
        const clash = b.append([
          { _tag: "handoffOffered", row: handoffRow("b", "h") },
          { _tag: "sessionCreated", row: sessionRow("b", "shared") },
        ])
        const exists = { _tag: "exists", kind: "session", id: "shared" }
        expect(await append(a.append(), clash, new Chain("c").create())).toEqual([appended, exists, appended])
        expect(await run(journal.read(b.tenant, b.id, 0, 10))).toHaveLength(1)
        const archive = await lookup(b, { handoffs: ["h"], sessions: ["shared"] })
        expect(archive.handoffs.size).toBe(0)
        expect(archive.sessions.get("shared")).toEqual(row)
        expect(await run(journal.load(tenantId(), wf("c")))).toBeDefined()
      })

      test("two appends of one group that create the same session: the first has it", async () => {
        const [a, b] = [await created("a"), await created("b")]
        const make = (chain: Chain) =>
          chain.append([{ _tag: "sessionCreated", row: sessionRow(chain.id, "same", { createdSeq: 2 }) }])
        expect(await append(make(a), make(b))).toEqual([appended, { _tag: "exists", kind: "session", id: "same" }])
      })

      test("one append that creates a session twice writes nothing", async () => {
        const chain = await created("a")
        const twice: Projection = { _tag: "sessionCreated", row: sessionRow("a", "same") }
        expect(await one(chain.append([twice, twice]))).toEqual({ _tag: "exists", kind: "session", id: "same" })
        expect(await run(journal.read(chain.tenant, chain.id, 0, 10))).toHaveLength(1)
      })

      test("a handoff id is taken in its workflow only", async () => {
        const [a, b] = [await created("a"), await created("b")]
        const offer = (chain: Chain) => chain.append([{ _tag: "handoffOffered", row: handoffRow(chain.id, "h") }])
        expect(await append(offer(a), offer(b))).toEqual([appended, appended])
        expect(await one(offer(a))).toEqual({ _tag: "exists", kind: "handoff", id: "h" })
      })

      test("a stale append is a conflict, whatever it would create", async () => {
        const chain = await created("a")
        const row = sessionRow("a", "a.root")
        expect(await one({ ...chain.append([{ _tag: "sessionCreated", row }]), expectedSeq: 0 })).toEqual(conflict)
      })
    })

    describe("load and read", () => {
      test("an unknown workflow is undefined, and has no events", async () => {
        expect(await run(journal.load(tenantId(), wf("none")))).toBeUndefined()
        expect(await run(journal.read(tenantId(), wf("none"), 0, 10))).toEqual([])
      })

      test("load gives the latest snapshot and only what follows it", async () => {
        const chain = await created("wf")
        const covered = chain.append([], 5)
        const snapshot = chain.snapshot()
        await append({ ...covered, snapshot })
        expect(await run(journal.load(chain.tenant, chain.id))).toEqual({ definition, snapshot, entries: [] })
        const later = chain.append([], 2)
        await append(later)
        expect(await run(journal.load(chain.tenant, chain.id))).toEqual({
          definition,
          snapshot,
          entries: later.entries,
        })
        const last = chain.append()
        const newer = chain.snapshot('{"state":"newer ü"}')
        await append({ ...last, snapshot: newer })
        expect(await run(journal.load(chain.tenant, chain.id))).toEqual({ definition, snapshot: newer, entries: [] })
      })

      test("the snapshot of an append that conflicts is not kept", async () => {
        const chain = await created("wf")
        const stale = { ...chain.append(), expectedSeq: 0 }
        await append({ ...stale, snapshot: chain.snapshot() })
        expect((await run(journal.load(chain.tenant, chain.id)))?.snapshot).toBeNull()
      })

      test("read pages through the events by their sequence", async () => {
        const chain = new Chain("wf")
        const all = [...chain.create().entries]
        const rest = chain.append([], 600)
        const first = new Chain("wf").create()
        await append(first)
        await append(rest)
        all.push(...rest.entries)
        const got: Array<Entry> = []
        for (let after = 0; ; ) {
          const page = await run(journal.read(chain.tenant, chain.id, after, 97))
          got.push(...page)
          if (page.length < 97) break
          after = page[page.length - 1]?.seq ?? 0
        }
        expect(got).toEqual(all)
        expect(await run(journal.read(chain.tenant, chain.id, 600, 10))).toEqual(all.slice(600))
        expect(await run(journal.read(chain.tenant, chain.id, 601, 10))).toEqual([])
        expect(await run(journal.read(chain.tenant, chain.id, 5, 0))).toEqual([])
      })

      test("a definition is kept once per tenant and hash, and the first text stays", async () => {
        const [a, b, c] = [new Chain("a"), new Chain("b"), new Chain("c", "t2")]
        const other = { hash: "e".repeat(64), text: "{}" }
        await append(a.create(), { ...b.create(), definition: { ...definition, text: "changed" } }, c.create())
        const d = new Chain("d")
        await append({ ...d.create({ definitionHash: other.hash }), definition: other })
        for (const chain of [a, b, c]) {
          expect((await run(journal.load(chain.tenant, chain.id)))?.definition).toEqual(definition)
        }
        expect((await run(journal.load(d.tenant, d.id)))?.definition).toEqual(other)
      })
    })

    describe("projections and lookup", () => {
      test("a lifecycle leaves its handoff, session and step", async () => {
        const chain = await created("wf")
        const offered = handoffRow("wf", "h")
        const session = sessionRow("wf", "s", {
          handoffId: hid("h"),
          parentSessionId: sid("wf.root"),
          depth: 1,
          createdSeq: 3,
        })
        const change = {
          _tag: "handoffChanged",
          handoffId: hid("h"),
          generation: 1,
          sessionId: sid("s"),
          reason: null,
        } as const
        await append(chain.append([{ _tag: "handoffOffered", row: offered }]))
        await append(
          chain.append([
            { ...change, status: "claimed", deadline: 7000, at: 1100 },
            { _tag: "sessionCreated", row: session },
          ]),
        )
        const claimed = { ...offered, status: "claimed", sessionId: "s", deadline: 7000, updatedAt: 1100 }
        expect((await lookup(chain, { handoffs: ["h"] })).handoffs.get("h")).toEqual(claimed)
        const step = stepRow("st", { sessionId: sid("s") })
        await append(
          chain.append([
            { ...change, status: "in_progress", deadline: null, at: 1200 },
            { _tag: "stepResolved", row: step },
          ]),
        )
        const result = { findings: 3, list: ["a"] }
        const end = {
          sessionId: sid("s"),
          status: "completed",
          version: 4,
          at: 1300,
          killId: null,
          reason: null,
        } as const
        await append(
          chain.append([
            { _tag: "handoffCompleted", handoffId: hid("h"), at: 1300, result, artifacts: [{ uri: "file:///r" }] },
            { _tag: "sessionEnded", ...end },
          ]),
        )
        const archive = await lookup(chain, { sessions: ["s", "none"], handoffs: ["h", "none"], steps: ["st", "none"] })
        expect([...archive.handoffs]).toEqual([
          [
            "h",
            {
              ...claimed,
              status: "completed",
              deadline: null,
              updatedAt: 1300,
              result,
              resultArtifacts: [{ uri: "file:///r" }],
            },
          ],
        ])
        expect([...archive.sessions]).toEqual([["s", { ...session, status: "completed", version: 4, endedAt: 1300 }]])
        expect([...archive.steps]).toEqual([["st", step]])
      })

      test("a kill ends sessions and handoffs in one append", async () => {
        const chain = await created("wf")
        const ids = Array.from({ length: 50 }, (_, i) => `s${i}`)
        await append(
          chain.append(
            ids.flatMap(
              (id, i): ReadonlyArray<Projection> => [
                { _tag: "sessionCreated", row: sessionRow("wf", id, { createdSeq: i + 2 }) },
                { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: i + 2 }) },
              ],
            ),
            50,
          ),
        )
        const issued = receipt("wf", "k")
        const dead = ids.slice(1)
        await append(
          chain.append([
            {
              _tag: "sessionsKilled",
              sessions: dead.map(sid),
              versions: dead.map((_, i) => i + 1),
              at: 2000,
              killId: kid("k"),
              reason: "stop",
            },
            { _tag: "handoffsKilled", handoffs: [hid("h1"), hid("h2")], at: 2000, reason: "stop" },
            { _tag: "killIssued", receipt: issued },
          ]),
        )
        const archive = await lookup(chain, { sessions: ["s0", "s2"], handoffs: ["h0", "h1"], kills: ["k", "none"] })
        expect(archive.sessions.get("s0")?.status).toBe("active")
        expect(archive.sessions.get("s2")).toMatchObject({
          status: "killed",
          version: 2,
          endedAt: 2000,
          killId: "k",
          reason: "stop",
        })
        expect(archive.handoffs.get("h0")?.status).toBe("offered")
        expect(archive.handoffs.get("h1")).toMatchObject({
          status: "killed",
          deadline: null,
          updatedAt: 2000,
          reason: "stop",
        })
        expect([...archive.kills]).toEqual([["k", issued]])
        await append(chain.append([{ _tag: "killQuiescent", killId: kid("k") }]))
        expect((await lookup(chain, { kills: ["k"] })).kills.get("k")).toEqual({ ...issued, state: "quiescent" })
      })

      test("resources and answers: the latest is kept", async () => {
        const chain = await created("wf")
        const resource = { name: "repo", key: "42", fence: 3, version: 1 }
        const answer = { key: "k 1", fingerprint: "f".repeat(64), answer: { ok: true, list: [1, null] } }
        await append(
          chain.append([
            { _tag: "resourceIdled", row: resource },
            { _tag: "answered", row: answer },
            { _tag: "answered", row: { key: "k2", fingerprint: "f", answer: null } },
          ]),
        )
        await append(chain.append([{ _tag: "resourceIdled", row: { ...resource, fence: 9 } }]))
        const refs = {
          resources: [
            { name: "repo", key: "42" },
            { name: "repo", key: "43" },
          ],
          answers: ["k 1", "k2", "k3"],
        }
        const archive = await lookup(chain, refs)
        expect([...archive.resources]).toEqual([["repo\u000042", { ...resource, fence: 9 }]])
        expect([...archive.answers]).toEqual([
          ["k 1", answer],
          ["k2", { key: "k2", fingerprint: "f", answer: null }],
        ])
      })

      test("nothing asked is nothing found", async () => {
        const chain = await created("wf")
        const empty = new Map()
        expect(await lookup(chain, {})).toEqual({
          sessions: empty,
          handoffs: empty,
          steps: empty,
          kills: empty,
          resources: empty,
          answers: empty,
        })
      })

      test("a change to what is not there is no error", async () => {
        const chain = await created("wf")
        expect(
          await one(
            chain.append([
              { _tag: "handoffCompleted", handoffId: hid("none"), at: 1, result: null, artifacts: [] },
              {
                _tag: "sessionEnded",
                sessionId: sid("none"),
                status: "failed",
                version: 2,
                at: 1,
                killId: null,
                reason: "x",
              },
              { _tag: "killQuiescent", killId: kid("none") },
            ]),
          ),
        ).toEqual(appended)
      })
    })

    const all = async <A>(page: (cursor: string | undefined) => Effect.Effect<Page<A>, unknown>): Promise<Array<A>> => {
      const items: Array<A> = []
      let cursor: string | undefined
      for (let pages = 0; pages < 100; pages++) {
        const got: Page<A> = await run(page(cursor))
        items.push(...got.items)
        if (got.cursor === null) return items
        cursor = got.cursor
      }
      throw new Error("the pages have no end")
    }
    const paged = (limit: number, cursor: string | undefined) => (cursor === undefined ? { limit } : { limit, cursor })

    describe("listings", () => {
      test("workflows: newest first, by status and by role, page by page", async () => {
        for (let i = 0; i < 7; i++) {
          const chain = new Chain(`w${i}`)
          await append(chain.create({ createdAt: 1000 + (i >> 1) }))
          if (i % 2 === 0) await append(chain.append([{ _tag: "workflowEnded", status: "killed", at: 3000 }]))
          if (i % 3 === 0) {
            const session = (id: string, seq: number): Projection => ({
              _tag: "sessionCreated",
              row: sessionRow(chain.id, `${chain.id}.${id}`, { role: "auditor", createdSeq: seq }),
            })
            await append(chain.append([session("x", 3), session("y", 3)]))
          }
        }
        const list = (query: { status?: "active" | "killed"; role?: string }) =>
          all((cursor) => journal.listWorkflows(tenantId(), { ...query, ...paged(2, cursor) }))
        expect((await list({})).map((row) => row.workflowId)).toEqual(["w6", "w5", "w4", "w3", "w2", "w1", "w0"])
        expect((await list({ status: "killed" })).map((row) => row.workflowId)).toEqual(["w6", "w4", "w2", "w0"])
        expect((await list({ status: "active" })).map((row) => row.workflowId)).toEqual(["w5", "w3", "w1"])
        expect((await list({ role: "auditor" })).map((row) => row.workflowId)).toEqual(["w6", "w3", "w0"])
        expect((await list({ role: "auditor", status: "killed" })).map((row) => row.workflowId)).toEqual(["w6", "w0"])
        expect(await list({ role: "nobody" })).toEqual([])
        expect((await list({ status: "killed" }))[0]).toEqual(
          workflowRow("w6", { status: "killed", endedAt: 3000, createdAt: 1003 }),
        )
      })

      test("a page that ends exactly at the last row has no cursor", async () => {
        await append(new Chain("a").create(), new Chain("b").create())
        const page = await run(journal.listWorkflows(tenantId(), { limit: 2 }))
        expect(page.items).toHaveLength(2)
        expect(page.cursor).toBeNull()
      })

      test("sessions and handoffs of one workflow, both ways, open or ended", async () => {
        const chain = await created("wf")
        await created("other")
        for (let i = 0; i < 9; i++) {
          const seq = 2 + (i >> 1)
          await append(
            chain.append([
              { _tag: "sessionCreated", row: sessionRow("wf", `s${i}`, { createdSeq: seq }) },
              { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: seq }) },
              ...(i % 3 === 0
                ? ([
                    { _tag: "handoffsKilled", handoffs: [hid(`h${i}`)], at: 5, reason: "x" },
                    {
                      _tag: "sessionEnded",
                      sessionId: sid(`s${i}`),
                      status: "failed",
                      version: 2,
                      at: 5,
                      killId: null,
                      reason: "x",
                    },
                  ] as const)
                : []),
            ]),
          )
        }
        const base = { workflowId: chain.id }
        const sessions = async (query: { open?: boolean; newestFirst?: boolean }) =>
          (await all((cursor) => journal.listSessions(chain.tenant, { ...base, ...query, ...paged(2, cursor) }))).map(
            (row) => row.sessionId,
          )
        const handoffs = async (query: { open?: boolean; newestFirst?: boolean }) =>
          (await all((cursor) => journal.listHandoffs(chain.tenant, { ...base, ...query, ...paged(2, cursor) }))).map(
            (row) => row.handoffId,
          )
        const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8]
        expect(await sessions({})).toEqual(["wf.root", ...numbers.map((n) => `s${n}`)])
        expect(await sessions({ newestFirst: true })).toEqual([...numbers.toReversed().map((n) => `s${n}`), "wf.root"])
        expect(await sessions({ open: true })).toEqual(["wf.root", "s1", "s2", "s4", "s5", "s7", "s8"])
        expect(await sessions({ open: false, newestFirst: true })).toEqual(["s6", "s3", "s0"])
        expect(await handoffs({})).toEqual(numbers.map((n) => `h${n}`))
        expect(await handoffs({ open: true, newestFirst: true })).toEqual(["h8", "h7", "h5", "h4", "h2", "h1"])
        expect(await handoffs({ open: false })).toEqual(["h0", "h3", "h6"])
        const page = await run(journal.listHandoffs(chain.tenant, { ...base, limit: 1 }))
        expect(page.items).toEqual([
          handoffRow("wf", "h0", { status: "killed", updatedAt: 5, reason: "x", deadline: null }),
        ])
      })

      test("a cursor that no store made finds nothing", async () => {
        const chain = await created("wf")
        const cursor = "not a cursor"
        expect(await run(journal.listWorkflows(chain.tenant, { limit: 5, cursor }))).toEqual({
          items: [],
          cursor: null,
        })
        expect(await run(journal.listSessions(chain.tenant, { workflowId: chain.id, limit: 5, cursor }))).toEqual({
          items: [],
          cursor: null,
        })
      })
    })

    describe("wake", () => {
      test("workflows that are due, earliest first, and the next moment", async () => {
        expect(await run(journal.nextWake)).toBeNull()
        const chains = await Promise.all(["a", "b", "c"].map((id) => created(id)))
        const wake = (chain: Chain, at: number | null) => one(chain.append([{ _tag: "wakeAt", at }]))
        const [a, b, c] = chains as [Chain, Chain, Chain]
        await wake(a, 500)
        await wake(b, 300)
        await wake(c, 400)
        await wake(c, 900)
        expect(await run(journal.nextWake)).toBe(300)
        const dueAt = async (now: number, limit = 10) =>
          (await run(journal.due(now, limit))).map((item) => item.workflowId)
        expect(await dueAt(299)).toEqual([])
        expect(await dueAt(300)).toEqual(["b"])
        expect(await dueAt(899)).toEqual(["b", "a"])
        expect(await dueAt(1000)).toEqual(["b", "a", "c"])
        expect(await dueAt(1000, 2)).toEqual(["b", "a"])
        expect(await run(journal.due(300, 10))).toEqual([{ tenant: "t1", workflowId: "b", wakeAt: 300 }])
        await wake(b, null)
        expect(await run(journal.nextWake)).toBe(500)
        await append(a.append([{ _tag: "workflowEnded", status: "killed", at: 3000 }]))
        expect(await dueAt(1000), "an ended workflow's orphans are still timed").toEqual(["a", "c"])
      })
    })

    describe("tenants", () => {
      test("do not see each other's rows (I12)", async () => {
        const mine = await created("wf", "t1")
        const theirs = await created("wf", "t2")
        expect(
          await append(
            mine.append([
              { _tag: "handoffOffered", row: handoffRow("wf", "h") },
              { _tag: "stepResolved", row: stepRow("st") },
              { _tag: "killIssued", receipt: receipt("wf", "k") },
              { _tag: "answered", row: { key: "key", fingerprint: "f", answer: 1 } },
              { _tag: "resourceIdled", row: { name: "repo", key: "42", fence: 1, version: 1 } },
              { _tag: "sessionCreated", row: sessionRow("wf", "s", { createdSeq: 2 }) },
              { _tag: "wakeAt", at: 10 },
            ]),
          ),
        ).toEqual([appended])
        const refs = {
          sessions: ["s"],
          handoffs: ["h"],
          steps: ["st"],
          kills: ["k"],
          answers: ["key"],
          resources: [{ name: "repo", key: "42" }],
        }
        const sizes = async (chain: Chain) =>
          Object.values(await lookup(chain, refs)).map((map: Map<string, unknown>) => map.size)
        expect(await sizes(mine)).toEqual([1, 1, 1, 1, 1, 1])
        expect(await sizes(theirs)).toEqual([0, 0, 0, 0, 0, 0])
        expect(await run(journal.read(theirs.tenant, theirs.id, 0, 10))).toHaveLength(1)
        expect((await run(journal.listHandoffs(theirs.tenant, { workflowId: theirs.id, limit: 9 }))).items).toEqual([])
        expect(
          (await run(journal.listSessions(theirs.tenant, { workflowId: theirs.id, limit: 9 }))).items,
        ).toHaveLength(1)
        expect((await run(journal.listWorkflows(theirs.tenant, { limit: 9 }))).items).toHaveLength(1)
        expect(
          await one(theirs.append([{ _tag: "sessionCreated", row: sessionRow("wf", "s", { createdSeq: 2 }) }])),
        ).toEqual(appended)
      })
    })

    describe("two writers on one store", () => {
      test("of two appends on one head exactly one is taken (I1, I9)", async () => {
        const other = await open()
        let chain = await created("race")
        for (let round = 0; round < 40; round++) {
          const fork = chain.fork()
          const here = chain.append([], 1, "here")
          const there = fork.append([], 1, "there")
          const first = round % 2 === 0
          const calls = [() => run(journal.append([here])), () => run(other.append([there]))]
          const both = (await Promise.all((first ? calls : calls.toReversed()).map((call) => call()))).flat()
          const [mine, theirs] = first ? both : both.toReversed()
          expect([mine?._tag, theirs?._tag].sort()).toEqual(["appended", "conflict"])
          if (theirs?._tag === "appended") chain = fork
        }
        const seqs = async (on: Journal["Service"]) =>
          (await run(on.read(chain.tenant, chain.id, 0, 100))).map((entry) => entry.seq)
        expect(await seqs(journal)).toEqual(Array.from({ length: 41 }, (_, i) => i + 1))
        expect(await seqs(other)).toEqual(await seqs(journal))
      })

      test("one sees what the other wrote: heads, sessions, rows", async () => {
        const other = await open()
        const chain = await created("wf")
        const row = sessionRow("wf", "s", { createdSeq: 2 })
        expect(await run(other.append([chain.append([{ _tag: "sessionCreated", row }])]))).toEqual([appended])
        expect((await lookup(chain, { sessions: ["s"] })).sessions.get("s")).toEqual(row)
        const b = await created("b")
        const clash = b.append([{ _tag: "sessionCreated", row: { ...row, workflowId: b.id } }])
        expect(await one(clash)).toEqual({ _tag: "exists", kind: "session", id: "s" })
        expect(await one(chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }]))).toEqual(appended)
        expect((await run(other.lookup(chain.tenant, chain.id, { handoffs: ["h"] }))).handoffs.size).toBe(1)
        expect((await run(other.listHandoffs(chain.tenant, { workflowId: chain.id, limit: 5 }))).items).toHaveLength(1)
      })

      test("a subscriber hears of the other's commit, and not after it has left", async () => {
        const other = await open()
        let leave = () => {}
        const heard = new Promise<void>((resolve) => {
          leave = other.subscribe(tenantId("t1"), wf("wf"), resolve)
        })
        const chain = await created("wf")
        await heard
        leave()
        leave()
        expect(await run(other.read(chain.tenant, chain.id, 0, 10))).toHaveLength(1)
      })
    })
  })
}
