/** Clauses of the listings: their order, their filters, and pages that stay true while others write. */
import assert from "node:assert/strict"
import type { Projection } from "../../../machines/projection.ts"
import { Chain } from "../Chain.ts"
import { clause, everyPage, inTurn, paged, run, type Trial } from "../Clause.ts"
import { handoffRow, hid, sessionRow, sid, tenantId, workflowRow } from "../rows.ts"

const workflows = async (trial: Trial, query: { status?: "active" | "killed"; role?: string } = {}) => {
  const page = (cursor: string | undefined) =>
    trial.journal.listWorkflows(tenantId(), { ...query, ...paged(2, cursor) })
  return (await everyPage(page)).map((row) => row.workflowId)
}
interface Members {
  readonly open?: boolean
  readonly newestFirst?: boolean
}
const sessions = async ({ journal }: Trial, chain: Chain, query: Members, limit = 2) => {
  const page = (cursor: string | undefined) =>
    journal.listSessions(chain.tenant, { workflowId: chain.id, ...query, ...paged(limit, cursor) })
  return (await everyPage(page)).map((row) => row.sessionId)
}
const handoffs = async ({ journal }: Trial, chain: Chain, query: Members, limit = 2) => {
  const page = (cursor: string | undefined) =>
    journal.listHandoffs(chain.tenant, { workflowId: chain.id, ...query, ...paged(limit, cursor) })
  return (await everyPage(page)).map((row) => row.handoffId)
}

/** Ids whose order in most languages is another than that of their characters' codes. */
const awkward = ["a", "B", "b", "A", "a-b", "a.b", "a_b", "aB", "ab", "a:b", "10", "9", "Z"]
const byCode = [...awkward].sort()

export const listingClauses = [
  clause(
    "list.workflows",
    "Workflows come newest first, by status and by role, page by page.",
    "workflows that a listing misses, or lists in another order",
    async (trial) => {
      for (let i = 0; i < 7; i++) {
        const chain = new Chain(`w${i}`)
        await trial.append(chain.create({ createdAt: 1000 + (i >> 1) }))
        if (i % 2 === 0) await trial.append(chain.append([{ _tag: "workflowEnded", status: "killed", at: 3000 }]))
        if (i % 3 === 0) {
          const session = (id: string): Projection => ({
            _tag: "sessionCreated",
            row: sessionRow(chain.id, `${chain.id}.${id}`, { role: "auditor", createdSeq: 3 }),
          })
          await trial.append(chain.append([session("x"), session("y")]))
        }
      }
      assert.deepEqual(await workflows(trial), ["w6", "w5", "w4", "w3", "w2", "w1", "w0"])
      assert.deepEqual(await workflows(trial, { status: "killed" }), ["w6", "w4", "w2", "w0"])
      assert.deepEqual(await workflows(trial, { status: "active" }), ["w5", "w3", "w1"])
      assert.deepEqual(await workflows(trial, { role: "auditor" }), ["w6", "w3", "w0"])
      assert.deepEqual(await workflows(trial, { role: "auditor", status: "killed" }), ["w6", "w0"])
      assert.deepEqual(await workflows(trial, { role: "nobody" }), [])
      const [newest] = (await run(trial.journal.listWorkflows(tenantId(), { limit: 1 }))).items
      assert.deepEqual(newest, workflowRow("w6", { status: "killed", endedAt: 3000, createdAt: 1003 }))
    },
  ),
  clause(
    "list.members",
    "Sessions and handoffs of one workflow come in the order of their events or against it, open or ended.",
    "members that a listing misses, lists twice or takes from another workflow",
    async (trial) => {
      const chain = await trial.created("wf")
      await trial.created("other")
      for (let i = 0; i < 9; i++) {
        const seq = 2 + (i >> 1)
        const end = { status: "failed", version: 2, at: 5, killId: null, reason: "x" } as const
        const ended: ReadonlyArray<Projection> = [
          { _tag: "handoffsKilled", handoffs: [hid(`h${i}`)], at: 5, reason: "x" },
          { _tag: "sessionEnded", sessionId: sid(`s${i}`), ...end },
        ]
        await trial.append(
          chain.append([
            { _tag: "sessionCreated", row: sessionRow("wf", `s${i}`, { createdSeq: seq }) },
            { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: seq }) },
            ...(i % 3 === 0 ? ended : []),
          ]),
        )
      }
      const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8]
      const all = ["wf.root", ...numbers.map((n) => `s${n}`)]
      assert.deepEqual(await sessions(trial, chain, {}), all)
      assert.deepEqual(await sessions(trial, chain, { newestFirst: true }), all.toReversed())
      assert.deepEqual(await sessions(trial, chain, { open: true }), ["wf.root", "s1", "s2", "s4", "s5", "s7", "s8"])
      assert.deepEqual(await sessions(trial, chain, { open: false, newestFirst: true }), ["s6", "s3", "s0"])
      assert.deepEqual(
        await handoffs(trial, chain, {}),
        numbers.map((n) => `h${n}`),
      )
      const open = ["h8", "h7", "h5", "h4", "h2", "h1"]
      assert.deepEqual(await handoffs(trial, chain, { open: true, newestFirst: true }), open)
      assert.deepEqual(await handoffs(trial, chain, { open: false }), ["h0", "h3", "h6"])
      const [first] = (await run(trial.journal.listHandoffs(chain.tenant, { workflowId: chain.id, limit: 1 }))).items
      assert.deepEqual(first, handoffRow("wf", "h0", { status: "killed", updatedAt: 5, reason: "x", deadline: null }))
    },
  ),
  clause(
    "list.last-page",
    "The last page has no cursor, also when it is full; a listing of nothing is an empty last page.",
    "readers that ask for a page too many, or never stop",
    async (trial) => {
      const nobody = await run(trial.journal.listWorkflows(tenantId(), { limit: 2 }))
      assert.deepEqual(nobody, { items: [], cursor: null })
      await trial.append(new Chain("a").create(), new Chain("b").create())
      const page = await run(trial.journal.listWorkflows(tenantId(), { limit: 2 }))
      assert.equal(page.items.length, 2)
      assert.equal(page.cursor, null)
      const short = await run(trial.journal.listWorkflows(tenantId(), { limit: 1 }))
      assert.equal(short.items.length, 1)
      assert.notEqual(short.cursor, null)
    },
  ),
  clause(
    "list.bad-cursor",
    "A cursor that no store made finds nothing, and is no error.",
    "text from outside that reaches the database",
    async (trial) => {
      const chain = await trial.created("wf")
      await trial.append(chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }]))
      const nothing = { items: [], cursor: null }
      for (const cursor of ["not a cursor", "", "'; drop table workflows; --", "W10", "eyJhIjoxfQ"]) {
        const query = { workflowId: chain.id, limit: 5, cursor }
        assert.deepEqual(await run(trial.journal.listWorkflows(chain.tenant, { limit: 5, cursor })), nothing)
        assert.deepEqual(await run(trial.journal.listSessions(chain.tenant, query)), nothing)
        assert.deepEqual(await run(trial.journal.listHandoffs(chain.tenant, query)), nothing)
      }
    },
  ),
  clause(
    "list.code-order",
    "Where time or sequence are the same, ids decide, by the codes of their characters, in pages too.",
    "a database that sorts by the rules of a language",
    async (trial) => {
      await inTurn(awkward, (id) => trial.append(new Chain(id).create()))
      assert.deepEqual(await workflows(trial), byCode.toReversed())
      const chain = await trial.created("wf")
      const rows = awkward.flatMap(
        (id): ReadonlyArray<Projection> => [
          { _tag: "sessionCreated", row: sessionRow("wf", id, { createdSeq: 2 }) },
          { _tag: "handoffOffered", row: handoffRow("wf", id, { offeredSeq: 2 }) },
        ],
      )
      await trial.append(chain.append(rows))
      assert.deepEqual(await sessions(trial, chain, {}), ["wf.root", ...byCode])
      assert.deepEqual(await handoffs(trial, chain, { newestFirst: true }), byCode.toReversed())
    },
  ),
  clause(
    "list.while-writing",
    "Pages neither repeat nor hide a row while another writer adds and ends others.",
    "cursors that are offsets",
    async (trial) => {
      const other = await trial.open()
      const chain = await trial.created("wf")
      const member = (i: number, seq: number): ReadonlyArray<Projection> => [
        { _tag: "sessionCreated", row: sessionRow("wf", `s${i}`, { createdSeq: seq }) },
        { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: seq }) },
      ]
      for (let i = 10; i < 20; i++) await trial.append(chain.append(member(i, chain.seq + 1)))
      for (let i = 10; i < 20; i++) await trial.append(new Chain(`w${i}`).create({ createdAt: 1000 + i }))
      let made = 20
      const write = async (): Promise<void> => {
        const i = made++
        const death = { at: 9, reason: "x" } as const
        const killed = [hid(`h${10 + (i % 10)}`)]
        await run(
          other.append([
            chain.append([...member(i, chain.seq + 1), { _tag: "handoffsKilled", handoffs: killed, ...death }]),
            new Chain(`w${i}`).create({ createdAt: 1000 + i }),
          ]),
        )
      }
      const there = (prefix: string) => Array.from({ length: 10 }, (_, i) => `${prefix}${i + 10}`)
      const { journal } = trial
      for (const newestFirst of [true, false]) {
        const query = { workflowId: chain.id, newestFirst }
        const rows = await everyPage(
          (cursor) => journal.listSessions(chain.tenant, { ...query, ...paged(3, cursor) }),
          async (pages) => (pages < 12 ? write() : undefined),
        )
        const ids = rows.map((row) => row.sessionId)
        assert.equal(new Set(ids).size, ids.length, "no session comes twice")
        for (const id of there("s")) assert.ok(ids.includes(sid(id)), `${id} is listed`)
        const offers = await everyPage(
          (cursor) => journal.listHandoffs(chain.tenant, { ...query, ...paged(3, cursor) }),
          async (pages) => (pages < 12 ? write() : undefined),
        )
        const names = offers.map((row) => row.handoffId)
        assert.equal(new Set(names).size, names.length, "no handoff comes twice")
        for (const id of there("h")) assert.ok(names.includes(hid(id)), `${id} is listed`)
      }
      const before = made
      const rows = await everyPage(
        (cursor) => journal.listWorkflows(chain.tenant, paged(3, cursor)),
        async (pages) => (pages < 12 ? write() : undefined),
      )
      const ids = rows.map((row) => row.workflowId)
      assert.equal(new Set(ids).size, ids.length, "no workflow comes twice")
      assert.equal(ids.length, before - 10 + 1, "all that were there, and none that is newer than the first page")
    },
  ),
]
