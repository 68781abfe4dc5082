/** What a model call costs: reserved before, settled after, whatever becomes of its calls (I2, I3). */
import { describe, expect, test } from "vitest"
import { ReplayContractError, ReplayKillError, WorkflowError } from "../../../src/index.ts"
import { errorOf, governance, lead, openRuntime, resolutions, workflowYaml } from "../fixtures.ts"
import { ask, begin } from "./model.ts"

const prices = { "model-*": { input: 1000, output: 10_000 } }
/** 100 tokens in, 100 out: 0.1 + 1. */
const usage = { inputTokens: 100, outputTokens: 100 }
const spent = 1.1

const costs = async (session: ReturnType<typeof lead>) => (await session.getWorkflowState()).ledger.cost

describe("usage is settled", () => {
  test("of an answer without calls, and its reservation returns", async () => {
    const session = lead(await openRuntime(), governance(), {}, { prices })
    const { answer } = await begin(session)
    // 400 characters and 100 tokens of output.
    expect(await costs(session)).toMatchObject({ used: 0, reserved: 1.1 })
    await answer({ usage: { inputTokens: 10, outputTokens: 10 } })
    expect(await costs(session)).toMatchObject({ used: 0.11, reserved: 0 })
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(20)
  })

  test("of an answer whose calls its contracts block", async () => {
    const session = lead(await openRuntime(), governance(), { pay: () => 1 }, { prices })
    expect(await errorOf(ask(session, { calls: [{ tool: "pay" }], usage }))).toBeInstanceOf(ReplayContractError)
    expect(await costs(session)).toMatchObject({ used: spent, reserved: 0 })
  })

  test("of an answer whose calls the workflow refuses, all of them or none", async () => {
    const folder = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 3") })
    const runtime = await openRuntime()
    const session = lead(runtime, folder, { look: () => 1, post: () => 1 }, { prices })
    const calls = [{ tool: "look" }, { tool: "post" }]
    expect(await errorOf(ask(session, { calls, usage }))).toMatchObject({ code: "limit_exceeded" })
    expect(await costs(session)).toMatchObject({ used: spent, reserved: 0 })
    expect((await session.getState()).steps).toEqual([])
    expect(await resolutions(runtime)).toEqual([])
  })

  test("of a model call that failed, as far as it got", async () => {
    const session = lead(await openRuntime(), governance(), {}, { prices })
    const { turn } = await begin(session)
    await turn.fail({ inputTokens: 100, outputTokens: 0 })
    expect(await costs(session)).toMatchObject({ used: 0.1, reserved: 0 })
    const { turn: second } = await begin(session)
    await second.fail(undefined)
    expect(await costs(session)).toMatchObject({ used: 0.1, reserved: 0 })
  })

  test("of an answer that comes to a killed session, and its calls run nowhere", async () => {
    const runtime = await openRuntime()
    let ran = false
    const session = lead(runtime, governance(), { post: () => (ran = true) }, { prices })
    const { answer, turn } = await begin(session)
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await errorOf(answer({ calls: [{ tool: "post" }], usage }))).toBeInstanceOf(ReplayKillError)
    expect(turn.signal.aborted).toBe(true)
    expect(await errorOf(session.tools.post())).toBeInstanceOf(ReplayKillError)
    expect(ran).toBe(false)
    expect((await runtime.getWorkflow("w1")).ledger.cost).toMatchObject({ used: spent, reserved: 0 })
  })

  test("of two model calls at once, although the first to end moves the session on", async () => {
    const session = lead(await openRuntime(), governance(), { look: () => 1 }, { prices })
    const [first, second] = [await begin(session), await begin(session)]
    await first.answer({ calls: [{ tool: "look" }], usage })
    await second.answer({ calls: [{ tool: "look" }], usage })
    await Promise.all([session.tools.look(), session.tools.look()])
    expect(await costs(session)).toMatchObject({ used: 2 * spent + 2, reserved: 0 })
    expect(await session.complete()).toMatchObject({ status: "completed" })
  })
})

describe("before a model is asked", () => {
  test("a budget without room refuses, and nothing is spent", async () => {
    const folder = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 1") })
    const session = lead(await openRuntime(), folder, {}, { prices })
    const error = await errorOf(begin(session))
    expect(error).toBeInstanceOf(WorkflowError)
    expect(error).toMatchObject({ code: "limit_exceeded" })
    expect(await costs(session)).toMatchObject({ used: 0, reserved: 0 })
  })

  test("an unknown price is refused where a cost is limited", async () => {
    const session = lead(await openRuntime(), governance(), {}, { prices })
    expect(await errorOf(begin(session, { model: "other" }))).toMatchObject({ failures: [{ code: "price_unknown" }] })
    const withDefault = workflowYaml.replace("name: lead,", "name: lead, default_cost: 0.5,")
    const priced = lead(await openRuntime(), governance({ "workflow.yaml": withDefault }), {}, { prices })
    // The role's default_cost is the price of a tool.
    expect(await errorOf(begin(priced, { model: "other" }))).toMatchObject({ failures: [{ code: "price_unknown" }] })
    expect(await costs(priced)).toMatchObject({ used: 0, reserved: 0 })
  })

  test("and is not where none is", async () => {
    const folder = governance({ "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") })
    const session = lead(await openRuntime(), folder, { look: () => 1 })
    await ask(session, { calls: [{ tool: "look" }], usage })
    await session.tools.look()
    expect((await session.getWorkflowState()).ledger.tokens).toMatchObject({ used: 200, reserved: 0 })
  })

  test("a session's own limit of cost is checked with the price", async () => {
    const session = `schema_version: "1.0"\nagent: lead\nsession_limits: { max_cost_per_session: 2 }\n`
    const folder = governance({ "lead/session.yaml": session })
    const governed = lead(await openRuntime(), folder, { look: () => 1 }, { prices })
    expect(await errorOf(begin(governed, { model: "other" }))).toMatchObject({ failures: [{ code: "price_unknown" }] })
    await ask(governed, { usage })
    expect(await errorOf(begin(governed))).toMatchObject({
      failures: [{ tool: "model-1", operator: "max_cost_per_session", code: "session_limit_exceeded" }],
    })
  })
})

test("a provider that tells no usage is presumed to have used what was estimated", async () => {
  const session = lead(await openRuntime(), governance(), {}, { prices })
  await ask(session, {})
  expect(await costs(session)).toMatchObject({ used: 1.1, reserved: 0 })
})

test("tokens from a cache have their own price, and the longest name that fits counts", async () => {
  const own = { "model-*": { input: 9, output: 9 }, "model-1*": { input: 1000, output: 1000, cachedInput: 100 } }
  const session = lead(await openRuntime(), governance(), {}, { prices: own })
  await ask(session, { usage: { inputTokens: 1000, outputTokens: 0, cachedInputTokens: 900 } })
  expect((await costs(session)).used).toBeCloseTo(0.19)
})
