/** Clauses of `append`: what is taken, what is a conflict, and in which order. */
import assert from "node:assert/strict"
import { assertChain, Chain } from "../Chain.ts"
import { appended, clause, conflict, run } from "../Clause.ts"
import { definition, handoffRow } from "../rows.ts"

export const appendClauses = [
  clause(
    "append.read-back",
    "What was appended is read back as it was, in order (I9).",
    "events that are lost, changed or out of order",
    async (trial) => {
      const chain = new Chain("wf")
      const first = chain.create()
      const second = chain.append([], 3)
      assert.deepEqual(await trial.append(first), [appended])
      assert.deepEqual(await trial.append(second), [appended])
      const entries = [...first.entries, ...second.entries]
      assert.deepEqual(await run(trial.journal.load(chain.tenant, chain.id)), { definition, snapshot: null, entries })
      assertChain(await trial.events(chain))
    },
  ),
  clause(
    "append.answers-in-order",
    "A group answers each of its appends, in its place, and one conflict does not refuse the others.",
    "answers that belong to another append",
    async (trial) => {
      const [a, b] = [new Chain("a"), new Chain("b")]
      assert.deepEqual(await trial.append(a.create(), b.create()), [appended, appended])
      const stale = { ...a.append(), expectedSeq: 0 }
      assert.deepEqual(await trial.append(stale, b.append()), [conflict, appended])
      const ahead = { ...b.append(), expectedSeq: 9 }
      assert.deepEqual(await trial.append(new Chain("c").create(), ahead), [appended, conflict])
      assert.equal((await trial.events(a)).length, 1)
      assert.equal((await trial.events(b)).length, 2)
    },
  ),
  clause("append.nothing", "An empty group is answered.", "a group that is never answered", async (trial) => {
    assert.deepEqual(await trial.append(), [])
  }),
  clause(
    "append.stale",
    "An append decided on an older head is a conflict and changes nothing (I9).",
    "last write wins: `expectedSeq` is not looked at",
    async (trial) => {
      const chain = await trial.created("wf")
      await trial.one(chain.append())
      const before = await trial.events(chain)
      const row = handoffRow("wf", "h")
      const stale = {
        ...chain.append([
          { _tag: "handoffOffered", row },
          { _tag: "wakeAt", at: 5 },
        ]),
        expectedSeq: 1,
      }
      assert.deepEqual(await trial.one({ ...stale, snapshot: chain.snapshot() }), conflict)
      assert.equal((await trial.lookup(chain, { handoffs: ["h"] })).handoffs.size, 0)
      assert.equal(await run(trial.journal.nextWake), null)
      assert.deepEqual(await trial.events(chain), before)
    },
  ),
  clause(
    "append.ahead",
    "An append ahead of the head is a conflict: there is no gap, ever (I9).",
    "gaps in the sequence",
    async (trial) => {
      const chain = await trial.created("wf")
      chain.append()
      assert.deepEqual(await trial.one(chain.append()), conflict)
      assert.equal((await trial.events(chain)).length, 1)
      const unknown = new Chain("unknown")
      unknown.append()
      assert.deepEqual(await trial.one(unknown.append()), conflict)
      assert.deepEqual(await trial.events(unknown), [])
    },
  ),
  clause(
    "append.confirm",
    "An append without entries says whether `expectedSeq` is the head, also of a workflow that does not exist.",
    "answers on a state that another writer has left behind",
    async (trial) => {
      const chain = new Chain("wf")
      assert.deepEqual(await trial.one(chain.confirm(0)), appended)
      assert.deepEqual(await trial.one(chain.confirm(1)), conflict)
      await trial.append(chain.create(), new Chain("other").create())
      assert.deepEqual(await trial.one(chain.confirm(0)), conflict)
      assert.deepEqual(await trial.one(chain.confirm(1)), appended)
      assert.deepEqual(await trial.one(chain.confirm(2)), conflict)
      const mixed = await trial.append(chain.confirm(0), new Chain("more").create(), chain.confirm(1))
      assert.deepEqual(mixed, [conflict, appended, appended])
      assert.equal((await trial.events(chain)).length, 1)
    },
  ),
  clause(
    "append.answers-without-events",
    "An append without entries keeps the answers that it carries; a conflict keeps none (I8).",
    "idempotency keys that are forgotten because their command changed nothing",
    async (trial) => {
      const chain = await trial.created("wf")
      const keyed = (key: string, expectedSeq: number) => ({
        ...chain.confirm(expectedSeq),
        projections: [{ _tag: "answered" as const, row: { key, fingerprint: "f", answer: { same: true } } }],
      })
      assert.deepEqual(await trial.one(keyed("kept", 1)), appended)
      assert.deepEqual(await trial.one(keyed("stale", 0)), conflict)
      const { answers } = await trial.lookup(chain, { answers: ["kept", "stale"] })
      assert.deepEqual([...answers], [["kept", { key: "kept", fingerprint: "f", answer: { same: true } }]])
      assert.equal((await trial.events(chain)).length, 1)
    },
  ),
  clause(
    "append.in-order",
    "Groups that overlap are carried out in the order of the calls.",
    "a writer that overtakes itself",
    async (trial) => {
      const chain = await trial.created("wf")
      const groups = Array.from({ length: 50 }, () => chain.append())
      const results = await Promise.all(groups.map((item) => trial.append(item)))
      assert.deepEqual(
        results.flat(),
        groups.map(() => appended),
      )
      const events = await trial.events(chain)
      assert.equal(events.length, 51)
      assertChain(events)
    },
  ),
]
