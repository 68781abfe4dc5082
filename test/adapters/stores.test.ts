/**
 * The stores agree: any sequence of appends gives the same answers and the same reads, deep-equal, on memory, on SQLite (wherever
 * the folds fall) and on Postgres, whichever of two connections is asked.
 */
import { Effect } from "effect"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import type { HandoffStatus } from "../../src/machines/answers.ts"
import type { Json } from "../../src/machines/ids.ts"
import type { Projection } from "../../src/machines/projection.ts"
import type { Append, Journal } from "../../src/runtime/Journal.ts"
import { Chain } from "../../src/testing/conformance/Chain.ts"
import {
  handoffRow,
  hid,
  kid,
  receipt,
  sessionRow,
  sid,
  stepRow,
  tenantId,
} from "../../src/testing/conformance/rows.ts"
import type { OpenedStore } from "../../src/testing/index.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import { openPostgres } from "./postgresStore.ts"
import { openSqlite, temporaryDirectory } from "./sqliteStore.ts"

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
const small = fc.integer({ min: 0, max: 5 })
const at = fc.integer({ min: 1, max: 9000 })
const handoffStatus = fc.constantFrom<HandoffStatus>(
  "offered",
  "claimed",
  "in_progress",
  "failed",
  "withdrawn",
  "expired",
)

/** A change as numbers; ids and workflows are few, so that changes meet. */
const change = fc.oneof(
  fc.record({ kind: fc.constant("session" as const), id: small, role: fc.constantFrom("scanner", "auditor") }),
  fc.record({ kind: fc.constant("sessionEnded" as const), id: small, at }),
  fc.record({ kind: fc.constant("killed" as const), ids: fc.uniqueArray(small, { maxLength: 4 }), at }),
  fc.record({ kind: fc.constant("handoff" as const), id: small, text: fc.string() }),
  fc.record({ kind: fc.constant("handoffChanged" as const), id: small, status: handoffStatus, at }),
  fc.record({ kind: fc.constant("handoffCompleted" as const), id: small, at, result: fc.jsonValue() }),
  fc.record({ kind: fc.constant("handoffsKilled" as const), ids: fc.uniqueArray(small, { maxLength: 4 }), at }),
  fc.record({ kind: fc.constant("step" as const), id: small, tokens: at }),
  fc.record({ kind: fc.constant("kill" as const), id: small }),
  fc.record({ kind: fc.constant("quiet" as const), id: small }),
  fc.record({ kind: fc.constant("resource" as const), id: small, fence: at }),
  fc.record({ kind: fc.constant("answer" as const), id: small, answer: fc.jsonValue() }),
  fc.record({ kind: fc.constant("wake" as const), at: fc.option(at) }),
  fc.record({ kind: fc.constant("ended" as const), at }),
)
type Change = typeof change extends fc.Arbitrary<infer A> ? A : never

const append = fc.record({
  workflow: fc.integer({ min: 0, max: 2 }),
  tenant: fc.constantFrom("t1", "t2"),
  events: fc.integer({ min: 0, max: 4 }),
  stale: fc.boolean().map((flag) => flag),
  snapshot: fc.boolean(),
  changes: fc.array(change, { maxLength: 4 }),
})
const step = fc.record({
  group: fc.array(append, { minLength: 1, maxLength: 4 }),
  /** Which of two connections carries it out. */
  writer: fc.integer({ min: 0, max: 1 }),
  stale: fc.integer({ min: 0, max: 9 }),
})

/** As a caller's JSON arrives: plain, and without lone surrogates, which no store of text can hold. */
const wellFormed = (value: unknown): Json =>
  JSON.parse(JSON.stringify(value).replaceAll(/\\ud[89a-f][0-9a-f]{2}/gi, "?")) as Json

/** Nothing ends in a commit before it is offered in the same one: that order means nothing, and each store may take its own. */
const bornFirst = (changes: ReadonlyArray<Change>): ReadonlyArray<Change> => [
  ...changes.filter(({ kind }) => kind === "handoff" || kind === "session"),
  ...changes.filter(({ kind }) => kind !== "handoff" && kind !== "session"),
]

const projectionOf = (c: Change, chain: Chain, seq: number): Projection => {
  switch (c.kind) {
    case "session":
      return {
        _tag: "sessionCreated",
        // Of the tenant, not of the workflow: two workflows may want the same.
        row: sessionRow(chain.id, `s${c.id}`, { role: c.role, createdSeq: seq }),
      }
    case "sessionEnded":
      return {
        _tag: "sessionEnded",
        sessionId: sid(`${chain.id}.root`),
        status: "failed",
        version: c.id + 2,
        at: c.at,
        killId: null,
        reason: "r",
      }
    case "killed":
      return {
        _tag: "sessionsKilled",
        sessions: c.ids.map((id) => sid(`own.${chain.id}.${id}`)),
        versions: c.ids.map((id) => id + 2),
        at: c.at,
        killId: kid("k"),
        reason: "stop",
      }
    case "handoff":
      return {
        _tag: "handoffOffered",
        row: handoffRow(chain.id, `h${c.id}`, { offeredSeq: seq, summary: wellFormed({ text: c.text }) }),
      }
    case "handoffChanged":
      return {
        _tag: "handoffChanged",
        handoffId: hid(`h${c.id}`),
        status: c.status,
        generation: 2,
        sessionId: sid("s1"),
        deadline: c.at,
        at: c.at,
        reason: null,
      }
    case "handoffCompleted":
      return {
        _tag: "handoffCompleted",
        handoffId: hid(`h${c.id}`),
        at: c.at,
        result: wellFormed(c.result),
        artifacts: [{ uri: "u" }],
      }
    case "handoffsKilled":
      return { _tag: "handoffsKilled", handoffs: c.ids.map((id) => hid(`h${id}`)), at: c.at, reason: "stop" }
    case "step":
      return { _tag: "stepResolved", row: stepRow(`st${c.id}`, { tokens: c.tokens }) }
    case "kill":
      return { _tag: "killIssued", receipt: receipt(chain.id, `k${c.id}`) }
    case "quiet":
      return { _tag: "killQuiescent", killId: kid(`k${c.id}`) }
    case "resource":
      return { _tag: "resourceIdled", row: { name: "repo", key: `${c.id}`, fence: c.fence, version: 1 } }
    case "answer":
      return { _tag: "answered", row: { key: `key ${c.id}`, fingerprint: "f", answer: wellFormed(c.answer) } }
    case "wake":
      return { _tag: "wakeAt", at: c.at }
    case "ended":
      return { _tag: "workflowEnded", status: "killed", at: c.at }
  }
}

const ids = (prefix: string) => [0, 1, 2, 3, 4, 5].map((id) => `${prefix}${id}`)

/** Everything that can be read of a store. */
const everything = async (journal: Journal["Service"], chains: ReadonlyArray<Chain>) => {
  const seen: Array<unknown> = []
  for (const { tenant, id } of chains) {
    seen.push(await run(journal.load(tenant, id)), await run(journal.read(tenant, id, 1, 5)))
    seen.push(
      await run(
        journal.lookup(tenant, id, {
          sessions: [...ids("s"), `${id}.root`, ...ids(`own.${id}.`)],
          handoffs: ids("h"),
          steps: ids("st"),
          kills: ids("k"),
          resources: ids("").map((key) => ({ name: "repo", key })),
          answers: ids("key "),
        }),
      ),
    )
  }
  return seen
}
const listed = async (journal: Journal["Service"], chains: ReadonlyArray<Chain>) => {
  const seen: Array<unknown> = [
    await run(journal.nextWake),
    await run(journal.due(4000, 3)),
    await run(journal.due(9999, 9)),
  ]
  for (const tenant of [tenantId("t1"), tenantId("t2")]) {
    for (const query of [
      {},
      { status: "killed" },
      { role: "auditor" },
      { status: "active", role: "scanner" },
    ] as const) {
      const page = await run(journal.listWorkflows(tenant, { ...query, limit: 2 }))
      seen.push(page)
      if (page.cursor !== null) {
        seen.push(await run(journal.listWorkflows(tenant, { ...query, limit: 2, cursor: page.cursor })))
      }
    }
  }
  for (const { tenant, id } of chains) {
    for (const open of [undefined, true, false]) {
      for (const newestFirst of [true, false]) {
        const query = { workflowId: id, limit: 3, newestFirst, ...(open === undefined ? {} : { open }) }
        seen.push(await run(journal.listSessions(tenant, query)), await run(journal.listHandoffs(tenant, query)))
      }
    }
  }
  return seen
}

describe("memory, SQLite and Postgres", () => {
  test("agree after any sequence of appends (I9, I12)", async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
    console.info(`seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(1, 2, 5, 4096),
        // Not always: its round trips take longer than all the rest.
        fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
        async (steps, foldAppends, alsoPostgres) => {
          const directory = temporaryDirectory()
          const filename = `${directory.path}/x.db`
          const schema = freshSchema()
          const pairs: Array<readonly [OpenedStore, OpenedStore]> = [
            [await openSqlite({ filename, foldAppends }), await openSqlite({ filename, foldAppends })],
          ]
          if (postgresUrl !== undefined && alsoPostgres) {
            const options = { url: postgresUrl, schema, maxConnections: 2 }
            pairs.push([await openPostgres(options), await openPostgres(options)])
          }
          const memory = memoryJournal(makeMemoryStore())
          const chains = ["t1", "t2"].flatMap((tenant) => [0, 1, 2].map((n) => new Chain(`w${n}`, tenant)))
          try {
            for (const { group, writer, stale } of steps) {
              const used = new Set<Chain>()
              const appends: Array<Append> = []
              const moved: Array<readonly [Chain, Chain]> = []
              for (const item of group) {
                const at = chains.findIndex((one) => one.id === `w${item.workflow}` && one.tenant === item.tenant)
                const chain = chains[at] as Chain
                if (used.has(chain)) continue
                used.add(chain)
                const before = chain.fork()
                const seq = chain.seq + 1
                const first = chain.seq === 0 ? chain.create() : undefined
                const changes = bornFirst(item.changes).map((c) => projectionOf(c, chain, seq))
                const later =
                  first === undefined && item.events === 0 ? chain.confirm() : (first ?? chain.append([], item.events))
                const full: Append =
                  later.entries.length === 0 ? later : { ...later, projections: [...later.projections, ...changes] }
                const isStale = stale === 0 && item.stale
                appends.push({
                  ...full,
                  ...(isStale ? { expectedSeq: full.expectedSeq + 1 } : {}),
                  ...(item.snapshot && full.entries.length > 0 ? { snapshot: chain.snapshot() } : {}),
                })
                moved.push([chain, before])
              }
              const expected = await run(memory.append(appends))
              for (const pair of pairs)
                expect(await run(pair[writer === 0 ? 0 : 1].journal.append(appends))).toEqual(expected)
              expected.forEach((result, i) => {
                const [chain, before] = moved[i] as readonly [Chain, Chain]
                if (result._tag === "appended") return
                chain.seq = before.seq
                chain.hash = before.hash
              })
              const model = await everything(memory, chains)
              for (const { journal } of pairs.flat()) expect(await everything(journal, chains)).toEqual(model)
            }
            const model = await listed(memory, chains)
            for (const { journal } of pairs.flat()) expect(await listed(journal, chains)).toEqual(model)
            for (const [one] of pairs)
              expect(await everything(one.journal, chains)).toEqual(await everything(memory, chains))
          } finally {
            for (const store of pairs.flat()) await store.close()
            if (postgresUrl !== undefined) await dropSchema(postgresUrl, schema)
            directory.remove()
          }
        },
      ),
      { seed, numRuns: Number(process.env.RUNS ?? 25), endOnFailure: process.env.SHRINK !== "1" },
    )
  }, 120_000)
})
