/** The real runtime holds in a few hundred simulated runs; each can be made again to the byte; and together they reach what they should. */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, test } from "vitest"
import { noLimits } from "../../../src/machines/definition.ts"
import type { EventTag } from "../../../src/machines/events.ts"
import { replayCommand, shrink } from "../../../src/testing/simulation/shrink.ts"
import { simulate } from "../../../src/testing/simulation/simulate.ts"
import { type Sweep, sweep } from "../../../src/testing/simulation/sweep.ts"

const seeds = 250

describe(`seeds 1 to ${seeds}`, () => {
  let swept: Sweep
  beforeAll(async () => {
    swept = await sweep({ from: 1, count: seeds })
  }, 180_000)

  test("hold (I1 to I13, order, durability, liveness)", async () => {
    const { failure } = swept
    if (failure === null) return expect(swept.runs).toBe(seeds)
    const shrunk = await shrink({ seed: failure.seed }, { runs: 100 })
    const { trace, violation } = shrunk?.result ?? failure
    throw new Error([...trace, violation?.detail, replayCommand(shrunk?.options ?? failure)].join("\n"))
  })

  test("reach every event, every fault and the refusals that matter", () => {
    const events: Readonly<Record<EventTag, true>> = {
      "workflow.created": true,
      "handoff.offered": true,
      "handoff.claimed": true,
      "budget.reserved": true,
      "budget.returned": true,
      "usage.settled": true,
      "steps.proposed": true,
      "step.approved": true,
      "steps.resolved": true,
      "lease.renewed": true,
      "resources.released": true,
      "session.completed": true,
      "session.failed": true,
      "handoff.reclaimed": true,
      "handoff.withdrawn": true,
      "handoff.expired": true,
      killed: true,
      "limits.raised": true,
    }
    const faults = [
      "write fails",
      "answer of a write lost",
      "read fails",
      "store stalls",
      "crash",
      "freeze",
      "clock jumps",
    ]
    const verdicts = [
      "claim handoff_already_claimed",
      "claim handoff_closed",
      "claim session_exists",
      "complete handoffs_open",
      "complete steps_unresolved",
      "offer limit_exceeded",
      "propose resource_pending",
      "propose resource_owned",
      "propose session_killed",
      "receipt session_killed",
      "receipt storage_unavailable",
      "createRoot workflow_exists",
      "createRoot node_down,",
      "kill gave_up,",
      "withdraw handoff_already_claimed",
    ]
    const wanted = [
      ...Object.keys(events).map((event) => `event ${event}`),
      ...faults.map((fault) => `fault ${fault}`),
      ...verdicts,
    ]
    expect(wanted.filter((what) => swept.counts[what] === undefined)).toEqual([])
  })
})

describe("one seed", () => {
  const some = [3, 11, 38, 62, 213]

  test("makes the same run each time, to the byte of its trace", async () => {
    for (const seed of some) {
      const first = await simulate({ seed })
      const second = await simulate({ seed })
      const third = await simulate({ seed })
      expect(second.trace).toEqual(first.trace)
      expect([second.digest, third.digest]).toEqual([first.digest, first.digest])
      expect([second.steps, third.steps]).toEqual([first.steps, first.steps])
    }
  })

  test("makes the same run in another process", async () => {
    const script = fileURLToPath(new URL("digests.ts", import.meta.url))
    const output = execFileSync(process.execPath, ["--import", "tsx", script, ...some.map(String)], {
      encoding: "utf8",
    })
    const here: Array<string> = []
    for (const seed of some) here.push(`${seed} ${(await simulate({ seed })).digest}`)
    expect(output.trim().split("\n")).toEqual(here)
  }, 60_000)

  test("makes another run than its neighbour, and than itself on another schedule", async () => {
    const { digest } = await simulate({ seed: 38 })
    expect((await simulate({ seed: 39 })).digest).not.toBe(digest)
    expect((await simulate({ seed: 38, schedule: 1 })).digest).not.toBe(digest)
  })

  test("makes a smaller run where it is bounded", async () => {
    const whole = await simulate({ seed: 62 })
    const part = await simulate({ seed: 62, limits: { nodes: 1, agents: 1, commands: 3, faults: 0 } })
    expect(part.swarm).toMatchObject({ nodes: 1, agents: 1, commands: 3 })
    expect(part.steps).toBeLessThan(whole.steps)
    expect(Object.keys(part.counts).filter((what) => what.startsWith("fault "))).toEqual([])
  })
})

test("a definition of one's own is simulated", async () => {
  const { violation, counts } = await simulate({
    seed: 5,
    limits: { faults: 0 },
    definition: {
      schemaVersion: "1.0",
      workflow: "mine",
      roles: [{ name: "author", root: true, limits: noLimits, defaultCost: 0, session: null, tools: [] }],
      handoffs: [],
      resources: [{ name: "page", mode: "serial_only", unresolved: "hold", pendingTimeoutMs: null }],
      limits: noLimits,
      preflightTimeoutMs: 1000,
    },
  })
  expect(violation).toBeNull()
  expect(counts["event workflow.created"]).toBeGreaterThan(0)
})
