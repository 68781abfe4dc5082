/** Clauses about what is sent more than once, and what is sent too late: by a network, a retry, a process that was frozen. */
import assert from "node:assert/strict"
import { assertChain, Chain } from "../Chain.ts"
import { appended, clause, conflict, run } from "../Clause.ts"
import { handoffRow, sessionRow } from "../rows.ts"

export const deliveryClauses = [
  clause(
    "delivery.twice",
    "The same append sent again is a conflict; nothing of it is there twice (I8, I9).",
    "a redelivery that writes again",
    async (trial) => {
      const chain = new Chain("wf")
      const create = chain.create()
      assert.deepEqual(await trial.one(create), appended)
      assert.deepEqual(await trial.one(create), conflict)
      const offer = chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }], 2)
      assert.deepEqual(await trial.one(offer), appended)
      assert.deepEqual(await trial.append(offer), [conflict])
      const other = await trial.open()
      assert.deepEqual(await run(other.append([create])), [conflict])
      assert.deepEqual(await run(other.append([offer])), [conflict])
      await trial.reopen()
      assert.deepEqual(await trial.one(offer), conflict)
      const events = await trial.events(chain)
      assert.deepEqual(events, [...create.entries, ...offer.entries])
      const { items } = await run(trial.journal.listHandoffs(chain.tenant, { workflowId: chain.id, limit: 9 }))
      assert.equal(items.length, 1)
    },
  ),
  clause(
    "delivery.at-once",
    "The same append sent by two writers at once is taken once (I8, I9).",
    "a retry that overtakes the call it repeats",
    async (trial) => {
      const other = await trial.open()
      for (let round = 0; round < 10; round++) {
        const chain = new Chain(`wf${round}`)
        const [create, next] = [chain.create(), chain.append([], 2)]
        for (const append of [create, next]) {
          const both = await Promise.all([trial.one(append), run(other.append([append]))])
          const tags = both.flat().map((result) => result?._tag)
          assert.deepEqual(tags.sort(), ["appended", "conflict"], `round ${round}`)
        }
        const events = await trial.events(chain)
        assert.equal(events.length, 3)
        assertChain(events)
      }
    },
  ),
  clause(
    "delivery.frozen-writer",
    "A writer that decided, was frozen, and sends when its workflow has moved on is refused with `conflict` (I9).",
    "a writer that overwrites what happened while it was away",
    async (trial) => {
      const chain = await trial.created("wf")
      const frozen = await trial.open()
      const decided = chain.fork()
      const row = sessionRow("wf", "born-too-late", { createdSeq: 2 })
      const late = decided.append([
        { _tag: "sessionCreated", row },
        { _tag: "workflowEnded", status: "killed", at: 5 },
      ])
      for (let i = 0; i < 5; i++) assert.deepEqual(await trial.one(chain.append([], 2)), appended)
      const before = await trial.events(chain)
      assert.deepEqual(await run(frozen.append([{ ...late, snapshot: decided.snapshot() }])), [conflict])
      assert.deepEqual(await trial.events(chain, frozen), before)
      assert.equal((await trial.lookup(chain, { sessions: ["born-too-late"] })).sessions.size, 0)
      assert.equal((await run(frozen.load(chain.tenant, chain.id)))?.snapshot, null)
      decided.follow(before)
      assert.deepEqual(await run(frozen.append([decided.append()])), [appended], "it recovers by itself")
    },
  ),
]
