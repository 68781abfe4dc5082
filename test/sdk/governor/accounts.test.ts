/** What models cost is told and what was reserved returns, however a turn goes wrong (I3). */
import { describe, expect, test } from "vitest"
import type { Client } from "../../../src/index.ts"
import { errorOf, gate, governance, happened, lead, openRuntime, resolutions, workflowYaml } from "../fixtures.ts"
import { delayed, flaky } from "../flaky.ts"
import { ask, begin } from "./model.ts"

const prices = { "model-*": { input: 1000, output: 10_000 } }
/** 100 tokens in, 100 out: 0.1 + 1. */
const usage = { inputTokens: 100, outputTokens: 100 }
const settled = { used: 1.1, reserved: 0 }
const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }
const tools = { look: () => 1, post: () => 1, launch: () => 1 }

const costs = async (runtime: Client) => (await runtime.getWorkflow("w1")).ledger.cost
const nested = (levels: number): string => `${"[".repeat(levels)}1${"]".repeat(levels)}`

describe("usage is settled, and nothing stays reserved,", () => {
  test.each([
    ["more calls than a proposal takes", Array.from({ length: 65 }, () => ({ tool: "look" })), "invalid_request"],
    ["arguments beyond what a command may hold", [{ tool: "look", args: ["x".repeat(2 ** 20)] }], "payload_too_large"],
    ["arguments nested too deeply", [{ tool: "look", text: nested(200) }], "invalid_request"],
    ["arguments nested past the stack", [{ tool: "look", text: nested(20_000) }], "invalid_request"],
  ])("of an answer with %s", async (_, calls, code) => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), tools, { prices })
    expect(await errorOf(ask(session, { calls, usage }))).toMatchObject({ code })
    expect(await costs(runtime)).toMatchObject(settled)
  })

  test("of an answer that a policy fails to judge, and its calls are blocked", async () => {
    let isBroken = false
    const policy = () => {
      if (isBroken) throw new Error("no rules today")
      return true
    }
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), tools, { prices, policy })
    const { answer } = await begin(session, { tools: ["look"] })
    isBroken = true
    expect(await errorOf(answer({ calls: [{ tool: "look" }], usage }))).toMatchObject({
      failures: [{ code: "policy_blocked", detail: expect.stringContaining("no rules today") }],
    })
    expect(await costs(runtime)).toMatchObject(settled)
  })

  test.each(["kill", "close"] as const)("of an answer that comes after a %s that is known here", async (end) => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), tools, { prices })
    const { answer } = await begin(session)
    await (end === "kill" ? session.kill({ scope: "session", reason: "enough" }) : session.close())
    await errorOf(answer({ calls: [{ tool: "look" }], usage }))
    expect(await costs(runtime)).toMatchObject(settled)
  })

  test.each(["complete", "close"] as const)("at the latest by %s, where the store was away before", async (end) => {
    const runtime = await openRuntime()
    const session = lead(flaky(runtime, "propose", 3), governance(), tools, { prices })
    expect(await errorOf(ask(session, { usage }))).toMatchObject({ code: "storage_unavailable" })
    expect(await costs(runtime)).toMatchObject({ used: 0 })
    await session[end]()
    expect(await costs(runtime)).toMatchObject({ used: 1.1 })
  })

  test("of an answer that trips the circuit breaker; none of its calls becomes an orphan of that", async () => {
    const breaker = `schema_version: "1.0"
agent: lead
risk_defaults: { financial: block }
session_limits: { circuit_breaker: { consecutive_blocks: 2 } }
`
    const runtime = await openRuntime()
    const folder = governance({ "lead/session.yaml": breaker })
    const session = lead(runtime, folder, { ...tools, pay: () => 1 }, { prices, gate: "strip_blocked" })
    const calls = [{ tool: "pay" }, { tool: "pay" }, { tool: "post" }]
    await errorOf(ask(session, { calls, usage }))
    const { status, ledger } = await runtime.getWorkflow("w1")
    expect([status, ledger.steps.reserved]).toEqual(["killed", 0])
    expect(ledger.cost).toMatchObject(settled)
  })
})

describe("a call that was admitted and that nobody began is given back", () => {
  test.each(["fail", "stop"] as const)("by a session that ends by %s", async (end) => {
    const stop = new AbortController()
    const runtime = await openRuntime()
    const session = lead(runtime, governance(unlimited), tools, { signal: stop.signal })
    await ask(session, { calls: [{ tool: "post" }] })
    if (end === "fail") await session.fail("it went wrong")
    else stop.abort(new Error("enough"))
    await session.close()
    expect((await runtime.getWorkflow("w1")).ledger.steps).toMatchObject({ used: 0, reserved: 0 })
  })

  test("before close answers, also where its turn was admitted while the session was left", async () => {
    const runtime = await openRuntime()
    const [asked, answered] = [gate(), gate()]
    const slow = delayed(runtime, "propose", () => {
      asked.open()
      return answered.opened
    })
    const session = lead(slow, governance(unlimited), tools)
    const { answer } = await begin(session)
    const verdict = errorOf(answer({ calls: [{ tool: "post" }] }))
    await asked.opened
    const closed = session.close()
    answered.open()
    await closed
    expect(await resolutions(runtime)).toEqual(["post aborted"])
    expect(await verdict).toMatchObject({ code: "closed" })
  })

  test("and keeps its place for the next process where it was taken up and its turn failed", async () => {
    const runtime = await openRuntime()
    const folder = governance(unlimited)
    const first = lead(runtime, folder, tools)
    const waiting = errorOf(first.tools.launch())
    await happened(runtime, (body) => body._tag === "steps.proposed")
    await first.close()
    await waiting
    const again = lead(flaky(runtime, "propose", 3), folder, tools)
    await again.ready()
    const calls = [{ tool: "launch" }, { tool: "look" }]
    expect(await errorOf(ask(again, { calls }))).toMatchObject({ code: "storage_unavailable" })
    await ask(again, { calls: [{ tool: "launch" }] })
    expect((await again.getState()).steps).toHaveLength(1)
  })
})
