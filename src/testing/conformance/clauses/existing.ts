/** Clauses about what exists already: ids of sessions are unique in a tenant, those of handoffs in a workflow. */
import assert from "node:assert/strict"
import type { Append, Appended } from "../../../runtime/Journal.ts"
import { Chain } from "../Chain.ts"
import { appended, clause, conflict, run } from "../Clause.ts"
import { handoffRow, sessionRow } from "../rows.ts"

const exists = (kind: "session" | "handoff", id: string): Appended => ({ _tag: "exists", kind, id })
const withSession = (chain: Chain, id: string): Append =>
  chain.append([{ _tag: "sessionCreated", row: sessionRow(chain.id, id, { createdSeq: 2 }) }])

export const existingClauses = [
  clause(
    "exists.session",
    "A session of another workflow refuses its append whole, and only that one.",
    "two sessions under one id, or a refusal that takes others along",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      assert.deepEqual(await trial.one(withSession(a, "shared")), appended)
      const clash = b.append([
        { _tag: "handoffOffered", row: handoffRow("b", "h") },
        { _tag: "sessionCreated", row: sessionRow("b", "shared") },
      ])
      const c = new Chain("c")
      const results = await trial.append(a.append(), clash, c.create())
      assert.deepEqual(results, [appended, exists("session", "shared"), appended])
      assert.equal((await trial.events(b)).length, 1)
      const archive = await trial.lookup(b, { handoffs: ["h"], sessions: ["shared"] })
      assert.equal(archive.handoffs.size, 0)
      assert.deepEqual(archive.sessions.get("shared"), sessionRow("a", "shared", { createdSeq: 2 }))
      assert.notEqual(await run(trial.journal.load(c.tenant, c.id)), undefined)
    },
  ),
  clause(
    "exists.within-group",
    "Of two appends of one group that create the same session the first has it.",
    "a check that does not see what its own group writes",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      const results = await trial.append(withSession(a, "same"), withSession(b, "same"))
      assert.deepEqual(results, [appended, exists("session", "same")])
      assert.equal((await trial.lookup(a, { sessions: ["same"] })).sessions.get("same")?.workflowId, "a")
      assert.equal((await trial.events(b)).length, 1)
    },
  ),
  clause(
    "exists.within-append",
    "An append that creates one session twice writes nothing.",
    "a check that does not see what its own append writes",
    async (trial) => {
      const chain = await trial.created("a")
      const twice = { _tag: "sessionCreated", row: sessionRow("a", "same") } as const
      assert.deepEqual(await trial.one(chain.append([twice, twice])), exists("session", "same"))
      assert.equal((await trial.events(chain)).length, 1)
      assert.equal((await trial.lookup(chain, { sessions: ["same"] })).sessions.size, 0)
    },
  ),
  clause(
    "exists.handoff",
    "A handoff id is taken in its own workflow, and free in every other.",
    "two handoffs under one id, or ids that are unique in too wide a scope",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      const offer = (chain: Chain) => chain.append([{ _tag: "handoffOffered", row: handoffRow(chain.id, "h") }])
      assert.deepEqual(await trial.append(offer(a), offer(b)), [appended, appended])
      assert.deepEqual(await trial.one(offer(a)), exists("handoff", "h"))
      assert.equal((await trial.events(a)).length, 2)
    },
  ),
  clause(
    "exists.after-conflict",
    "A stale append is a conflict, whatever it would create.",
    "a stale writer that is told its id is taken, and gives up instead of deciding again",
    async (trial) => {
      const chain = await trial.created("a")
      assert.deepEqual(await trial.one({ ...withSession(chain, "a.root"), expectedSeq: 0 }), conflict)
    },
  ),
]
