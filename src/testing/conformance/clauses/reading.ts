/** Clauses of `load` and `read`: events, snapshots and definitions as they were written. */
import assert from "node:assert/strict"
import type { Entry } from "../../../runtime/Journal.ts"
import { assertChain, Chain } from "../Chain.ts"
import { clause, run } from "../Clause.ts"
import { definition, tenantId, wf } from "../rows.ts"

export const readingClauses = [
  clause(
    "read.unknown",
    "An unknown workflow is undefined, and has no events.",
    "workflows that nobody made",
    async (trial) => {
      assert.equal(await run(trial.journal.load(tenantId(), wf("none"))), undefined)
      assert.deepEqual(await run(trial.journal.read(tenantId(), wf("none"), 0, 10)), [])
    },
  ),
  clause(
    "read.snapshot",
    "`load` gives the latest snapshot and only the events after it.",
    "a snapshot that is not replaced, or events that are folded twice",
    async (trial) => {
      const chain = await trial.created("wf")
      const covered = chain.append([], 5)
      const snapshot = chain.snapshot()
      await trial.append({ ...covered, snapshot })
      const load = () => run(trial.journal.load(chain.tenant, chain.id))
      assert.deepEqual(await load(), { definition, snapshot, entries: [] })
      const later = chain.append([], 2)
      await trial.append(later)
      assert.deepEqual(await load(), { definition, snapshot, entries: later.entries })
      const last = chain.append()
      const newer = chain.snapshot('{"state":"newer ü"}')
      await trial.append({ ...last, snapshot: newer })
      assert.deepEqual(await load(), { definition, snapshot: newer, entries: [] })
      assertChain(await trial.events(chain))
    },
  ),
  clause(
    "read.snapshot-of-conflict",
    "The snapshot and the definition of an append that conflicts are not kept.",
    "a snapshot of events that never were",
    async (trial) => {
      const chain = await trial.created("wf")
      await trial.append({ ...chain.append(), expectedSeq: 0, snapshot: chain.snapshot() })
      assert.equal((await run(trial.journal.load(chain.tenant, chain.id)))?.snapshot, null)
      await trial.append({ ...chain.append(), expectedSeq: 7, snapshot: chain.snapshot() })
      assert.equal((await run(trial.journal.load(chain.tenant, chain.id)))?.snapshot, null)
    },
  ),
  clause(
    "read.pages",
    "`read` gives what follows a sequence, in order, and never more than was asked for.",
    "events that a reader misses, gets twice, or gets too many of",
    async (trial) => {
      const chain = new Chain("wf")
      const [first, rest] = [chain.create(), chain.append([], 600)]
      await trial.append(first)
      await trial.append(rest)
      const all = [...first.entries, ...rest.entries]
      const read = (after: number, limit: number) => run(trial.journal.read(chain.tenant, chain.id, after, limit))
      const got: Array<Entry> = []
      for (let page = await read(0, 97); page.length > 0; page = await read(got.at(-1)?.seq ?? 0, 97)) {
        assert.ok(page.length <= 97, `a page of ${page.length} where 97 were asked for`)
        got.push(...page)
      }
      assert.deepEqual(got, all)
      assert.deepEqual(await read(600, 10), all.slice(600))
      assert.deepEqual(await read(601, 10), [])
      assert.deepEqual(await read(5, 0), [])
    },
  ),
  clause(
    "read.definition",
    "A definition is kept once per tenant and hash; the first text stays.",
    "a definition that changes under a workflow that is pinned to it",
    async (trial) => {
      const [a, b, c, d] = [new Chain("a"), new Chain("b"), new Chain("c", "t2"), new Chain("d")]
      const other = { hash: "e".repeat(64), text: "{}" }
      await trial.append(a.create(), { ...b.create(), definition: { ...definition, text: "changed" } }, c.create())
      await trial.append({ ...d.create({ definitionHash: other.hash }), definition: other })
      for (const chain of [a, b, c])
        assert.deepEqual((await run(trial.journal.load(chain.tenant, chain.id)))?.definition, definition)
      assert.deepEqual((await run(trial.journal.load(d.tenant, d.id)))?.definition, other)
    },
  ),
]
