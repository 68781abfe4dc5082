/** Clauses about tenants: each is alone in the store, as far as it can tell (I12). */
import assert from "node:assert/strict"
import type { Projection } from "../../../machines/projection.ts"
import type { Chain } from "../Chain.ts"
import { appended, clause, conflict, run, type Trial } from "../Clause.ts"
import { handoffRow, hid, receipt, sessionRow, sid, stepRow } from "../rows.ts"

const everything: ReadonlyArray<Projection> = [
  { _tag: "handoffOffered", row: handoffRow("wf", "h") },
  { _tag: "stepResolved", row: stepRow("st") },
  { _tag: "killIssued", receipt: receipt("wf", "k") },
  { _tag: "answered", row: { key: "key", fingerprint: "f", answer: 1 } },
  { _tag: "resourceIdled", row: { name: "repo", key: "42", fence: 1, version: 1 } },
  { _tag: "sessionCreated", row: sessionRow("wf", "s", { createdSeq: 2 }) },
]
const sizes = async (trial: Trial, chain: Chain) => {
  const rows = await trial.lookup(chain, {
    ...{ sessions: ["s"], handoffs: ["h"], steps: ["st"], kills: ["k"], answers: ["key"] },
    resources: [{ name: "repo", key: "42" }],
  })
  const all = [rows.sessions, rows.handoffs, rows.steps, rows.kills, rows.answers, rows.resources]
  return all.map((map) => map.size)
}

export const tenantClauses = [
  clause(
    "tenants.apart",
    "No tenant sees a row, an event or a workflow of another (I12).",
    "a store that leaks another tenant's rows",
    async (trial) => {
      const [mine, theirs] = [await trial.created("wf", "t1"), await trial.created("wf", "t2")]
      await trial.created("only-mine", "t1")
      assert.deepEqual(await trial.append({ ...mine.append(everything), snapshot: mine.snapshot() }), [appended])
      assert.deepEqual(await sizes(trial, mine), [1, 1, 1, 1, 1, 1])
      assert.deepEqual(await sizes(trial, theirs), [0, 0, 0, 0, 0, 0])
      const { journal } = trial
      const members = { workflowId: theirs.id, limit: 9 }
      assert.equal((await trial.events(theirs)).length, 1)
      assert.equal((await run(journal.load(theirs.tenant, theirs.id)))?.snapshot, null)
      assert.deepEqual((await run(journal.listHandoffs(theirs.tenant, members))).items, [])
      assert.equal((await run(journal.listSessions(theirs.tenant, members))).items.length, 1)
      assert.equal((await run(journal.listWorkflows(theirs.tenant, { limit: 9 }))).items.length, 1)
      assert.equal((await run(journal.listWorkflows(theirs.tenant, { limit: 9, role: "scanner" }))).items.length, 0)
    },
  ),
  clause(
    "tenants.same-ids",
    "Two tenants use the same ids, and neither is in the other's way (I12).",
    "ids that are unique across tenants, changes that hit another tenant's row",
    async (trial) => {
      const [mine, theirs] = [await trial.created("wf", "t1"), await trial.created("wf", "t2")]
      assert.deepEqual(await trial.append(mine.append(everything), theirs.append(everything)), [appended, appended])
      const end = { status: "failed", version: 7, at: 9, killId: null, reason: "mine" } as const
      await trial.append(
        mine.append([
          { _tag: "sessionEnded", sessionId: sid("s"), ...end },
          { _tag: "handoffsKilled", handoffs: [hid("h")], at: 9, reason: "mine" },
          { _tag: "workflowEnded", status: "failed", at: 9 },
        ]),
      )
      const rows = await trial.lookup(theirs, { sessions: ["s"], handoffs: ["h"] })
      assert.equal(rows.sessions.get("s")?.status, "active")
      assert.equal(rows.handoffs.get("h")?.status, "offered")
      const [workflow] = (await run(trial.journal.listWorkflows(theirs.tenant, { limit: 9 }))).items
      assert.equal(workflow?.status, "active")
      assert.deepEqual(await trial.one(theirs.confirm(3)), conflict)
      assert.deepEqual(await trial.one(theirs.confirm(2)), appended)
    },
  ),
]
