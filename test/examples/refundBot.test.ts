/** The example of a refund desk: the same contracts without a workflow, and in one. */
import { describe, expect, test } from "vitest"
import type { Decision } from "../../src/index.ts"
import { bodies, patience, proposedTools, type Ran, runExample } from "./runExample.ts"

/** What was decided about each call of a customer's conversation: its phase, its tool, and the first code or that it ran. */
const decided = (run: Ran, customer: string): ReadonlyArray<string> =>
  run.lines("decisions.jsonl").flatMap((line) => {
    const { principal, phase, calls } = line as unknown as Decision
    if (principal !== customer) return []
    return calls.map(({ tool, verdict, failures }) => `${phase} ${tool} ${failures[0]?.code ?? verdict}`)
  })

const ann = [
  "identify refund phase_blocked",
  "identify find_customer admitted",
  "verify look_up_order admitted",
  "refund refund invariant_failed",
  "refund refund admitted",
]
const bob = [
  "identify find_customer admitted",
  "verify look_up_order admitted",
  "verify look_up_order admitted",
  "verify look_up_order loop_detected",
  "verify look_up_order loop_detected",
  "verify look_up_order loop_detected",
]
const booked = [{ type: "refund", order: "A-1001", amount: 120 }]

describe("examples/refund-bot", () => {
  test("pays once and what is due, and ends the conversation that goes in circles, without a workflow", {
    timeout: patience,
  }, async () => {
    const run = await runExample("refund-bot")
    expect(run.lines("books.jsonl")).toEqual(booked)
    expect(decided(run, "ann")).toEqual(ann)
    expect(decided(run, "bob")).toEqual(bob)
    expect(run.stdout).toContain("circuit_breaker: consecutive_blocks reached 3")
    expect(run.has("handrail.db")).toBe(false)
  })

  test("decides the same in a workflow, where a kill is durable", { timeout: patience }, async () => {
    const run = await runExample("refund-bot", "--workflow")
    expect(run.lines("books.jsonl")).toEqual(booked)
    expect(decided(run, "ann")).toEqual(ann)
    expect(decided(run, "bob")).toEqual(bob)

    const good = await run.journal("refund-ann")
    expect(good.view.status).toBe("completed")
    expect(proposedTools(good)).toEqual(["find_customer", "look_up_order", "refund"])
    expect(good.view.ledger.cost.reserved).toBe(0)
    const bad = await run.journal("refund-bob")
    expect(bad.view.status).toBe("killed")
    expect(bodies(bad, "killed")).toMatchObject([{ reason: "circuit_breaker: consecutive_blocks reached 3" }])
    expect(proposedTools(bad)).toEqual(["find_customer", "look_up_order", "look_up_order"])
    expect(bad.events.at(-1)?.body._tag).toBe("killed")
  })
})
