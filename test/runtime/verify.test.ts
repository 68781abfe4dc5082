/** Verification sees what a store should never hold, and says where; of a good store it says nothing (I9). */
import { Effect } from "effect"
import { expect, it } from "vitest"
import type { Entry, Journal, Page } from "../../src/runtime/Journal.ts"
import { limits } from "../../src/runtime/limits.ts"
import { type Verification, verifyTenant } from "../../src/runtime/verify.ts"
import { call, codeOf, createRoot, opened, placed } from "./fixtures.ts"
import { memoryPlace, tenant } from "./open.ts"

type Store = Journal["Service"]

/** A workflow with a snapshot, a tail, two sessions and two handoffs. */
const lived = async () => {
  const place = placed(memoryPlace)
  const { client, governance } = await opened(place.layer())
  const root = await createRoot(client)
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  await root.handoff({ toRole: "dev", handoffId: "h2", summary: {} })
  const claim = { workflowId: "w1", handoffId: "h1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
  await client.claim({ ...claim, sessionId: "d1" })
  for (let n = 0; n < limits.snapshotEvery; n++) {
    const [step] = await root.propose(call({ arguments: { n } }))
    await root.receipt({ receipts: [{ stepId: step?.stepId ?? "none", outcome: "aborted" }] })
  }
  await client.close()
  return { place, journal: governance.journal }
}

const verified = (journal: Store): Promise<Verification> => Effect.runPromise(verifyTenant(journal, tenant))
const changed = <A>(all: Effect.Effect<A, never>, change: (value: A) => A) => Effect.map(all, change)

it("a good store has no problem", async () => {
  const { journal } = await lived()
  expect(await verified(journal)).toEqual({ workflows: 1, events: 4 + 2 * limits.snapshotEvery, problems: [] })
})

const inPage =
  <A>(change: (items: ReadonlyArray<A>) => ReadonlyArray<A>) =>
  (page: Page<A>): Page<A> => ({ ...page, items: change(page.items) })
const at = <A extends object>(items: ReadonlyArray<A>, index: number, more: Partial<A>): ReadonlyArray<A> =>
  items.map((item, n) => (n === index ? { ...item, ...more } : item))
const entry =
  (seq: number, change: (entry: Entry) => ReadonlyArray<Entry>) =>
  (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
    entries.flatMap((one) => (one.seq === seq ? change(one) : [one]))

const never = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, never> => Effect.orDie(effect)
type Case = readonly [what: string, spoil: (journal: Store) => Partial<Store>, problem: RegExp, seq: number | null]
const cases: ReadonlyArray<Case> = [
  [
    "an event with another hash",
    (journal) => ({
      read: (...args) =>
        changed(
          never(journal.read(...args)),
          entry(5, (one) => [{ ...one, hash: "0".repeat(64) }]),
        ),
    }),
    /hash chain/,
    5,
  ],
  [
    "an event that is missing",
    (journal) => ({
      read: (...args) =>
        changed(
          never(journal.read(...args)),
          entry(5, () => []),
        ),
    }),
    /Event 5 is missing/,
    5,
  ],
  [
    "a snapshot of another state",
    (journal) => ({
      load: (...args) =>
        changed(never(journal.load(...args)), (loaded) =>
          loaded?.snapshot
            ? {
                ...loaded,
                snapshot: { ...loaded.snapshot, text: loaded.snapshot.text.replace('"agent":"d"', '"agent":"x"') },
              }
            : loaded,
        ),
    }),
    /snapshot and tail/,
    null,
  ],
  [
    "a row of the workflow that was changed",
    (journal) => ({
      listWorkflows: (...args) =>
        changed(
          never(journal.listWorkflows(...args)),
          inPage((rows) => at(rows, 0, { rootRole: "dev" })),
        ),
    }),
    /row in workflows/,
    null,
  ],
  [
    "a row of a session that was changed",
    (journal) => ({
      listSessions: (...args) =>
        changed(
          never(journal.listSessions(...args)),
          inPage((rows) => at(rows, 1, { agent: "x" })),
        ),
    }),
    /row of session d1/,
    null,
  ],
  [
    "a row of a handoff that was changed",
    (journal) => ({
      listHandoffs: (...args) =>
        changed(
          never(journal.listHandoffs(...args)),
          inPage((rows) => at(rows, 0, { generation: 2 })),
        ),
    }),
    /row of handoff h1/,
    null,
  ],
  [
    "a row that is gone",
    (journal) => ({
      listSessions: (...args) =>
        changed(
          never(journal.listSessions(...args)),
          inPage((rows) => rows.slice(0, 1)),
        ),
    }),
    /1 session rows, and 2/,
    null,
  ],
]

it.each(cases)("%s is a problem, and the only one", async (_, spoil, problem, seq) => {
  const { journal } = await lived()
  const { problems } = await verified({ ...journal, ...spoil(journal) })
  expect(problems).toEqual([{ workflowId: "w1", seq, problem: expect.stringMatching(problem) }])
})

it("a snapshot that is of another event than it says is not read", async () => {
  const { place } = await lived()
  const { client } = await opened(place.layer(), {
    wrap: (journal) => ({
      ...journal,
      load: (...args) =>
        changed(never(journal.load(...args)), (loaded) => {
          if (!loaded?.snapshot) return loaded
          const { seq, text } = loaded.snapshot
          // Nothing follows it that would not fit.
          return {
            ...loaded,
            entries: [],
            snapshot: { ...loaded.snapshot, text: text.replace(`"seq":${seq}`, `"seq":${seq - 1}`) },
          }
        }),
    }),
  })
  expect(await codeOf(client.getWorkflow("w1"))).toBe("storage_corrupt")
})
