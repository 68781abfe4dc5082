/** Clauses of `due` and `nextWake`: what is to be woken, at any time that a clock may show. */
import assert from "node:assert/strict"
import type { Chain } from "../Chain.ts"
import { clause, run, type Trial } from "../Clause.ts"

const wake = (trial: Trial, chain: Chain, at: number | null) => trial.one(chain.append([{ _tag: "wakeAt", at }]))
const due = async ({ journal }: Trial, now: number, limit = 10) =>
  (await run(journal.due(now, limit))).map((item) => item.workflowId)

export const deadlineClauses = [
  clause(
    "deadlines.due",
    "What is due comes earliest first, at its very millisecond, and never more than was asked for.",
    "deadlines that fire late, early, or not at all",
    async (trial) => {
      const [a, b, c] = [await trial.created("a"), await trial.created("b"), await trial.created("c")]
      assert.deepEqual(await due(trial, Number.MAX_SAFE_INTEGER), [])
      await wake(trial, a, 500)
      await wake(trial, b, 300)
      await wake(trial, c, 400)
      await wake(trial, c, 900)
      assert.deepEqual(await due(trial, 299), [])
      assert.deepEqual(await due(trial, 300), ["b"])
      assert.deepEqual(await due(trial, 899), ["b", "a"])
      assert.deepEqual(await due(trial, 1000), ["b", "a", "c"])
      assert.deepEqual(await due(trial, 1000, 2), ["b", "a"])
      const items = await run(trial.journal.due(300, 10))
      assert.deepEqual(items, [{ tenant: "t1", workflowId: "b", wakeAt: 300 }])
    },
  ),
  clause(
    "deadlines.next-wake",
    "`nextWake` is the earliest deadline: it moves forwards and backwards with them, and ends with the last.",
    "a store that never wakes, or wakes too late",
    async (trial) => {
      const next = () => run(trial.journal.nextWake)
      assert.equal(await next(), null)
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      assert.equal(await next(), null)
      await wake(trial, a, 500)
      assert.equal(await next(), 500)
      await wake(trial, b, 300)
      assert.equal(await next(), 300)
      await wake(trial, b, 800)
      assert.equal(await next(), 500)
      await wake(trial, a, 200)
      assert.equal(await next(), 200)
      await wake(trial, a, null)
      assert.equal(await next(), 800)
      await wake(trial, b, null)
      assert.equal(await next(), null)
    },
  ),
  clause(
    "deadlines.clock-jumps",
    "To ask what is due changes nothing: a clock that jumps ahead and comes back finds the same again.",
    "deadlines that are lost because they were looked at",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      await wake(trial, a, 1_000)
      await wake(trial, b, 8_640_000_000_000_000)
      for (const now of [0, 999, 8_640_000_000_000_000, 1_000, 0, -1, Number.MAX_SAFE_INTEGER, 1_000]) {
        const expected = [...(now >= 1000 ? ["a"] : []), ...(now >= 8_640_000_000_000_000 ? ["b"] : [])]
        assert.deepEqual(await due(trial, now), expected, `due at ${now}`)
        assert.equal(await run(trial.journal.nextWake), 1000)
      }
      // A writer whose clock is behind sets a deadline that has long passed for everyone else.
      await wake(trial, a, 1)
      assert.equal(await run(trial.journal.nextWake), 1)
      assert.deepEqual(await due(trial, 1), ["a"])
    },
  ),
  clause(
    "deadlines.after-the-end",
    "A workflow that has ended is still woken: its orphans have deadlines too.",
    "orphans that hold a resource for ever",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      await wake(trial, a, 500)
      await wake(trial, b, 400)
      await trial.append(a.append([{ _tag: "workflowEnded", status: "killed", at: 3000 }]))
      assert.deepEqual(await due(trial, 1000), ["b", "a"])
      await wake(trial, b, null)
      assert.equal(await run(trial.journal.nextWake), 500)
    },
  ),
  clause(
    "deadlines.all-tenants",
    "Deadlines of all tenants are found, each with its tenant; the same id in two tenants is two workflows (I12).",
    "a tenant whose deadlines nobody fires",
    async (trial) => {
      const [mine, theirs] = [await trial.created("wf", "t1"), await trial.created("wf", "t2")]
      await wake(trial, mine, 500)
      await wake(trial, theirs, 400)
      assert.deepEqual(await run(trial.journal.due(500, 10)), [
        { tenant: "t2", workflowId: "wf", wakeAt: 400 },
        { tenant: "t1", workflowId: "wf", wakeAt: 500 },
      ])
      await wake(trial, theirs, null)
      assert.equal(await run(trial.journal.nextWake), 500)
    },
  ),
]
