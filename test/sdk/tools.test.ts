/** One governed call: what blocks it before it is proposed, and what is certain after its tool has failed. */
import { describe, expect, test } from "vitest"
import { outcomeOf, ReplayConfigError, ReplayContractError, ToolAborted, ToolTimeoutError } from "../../src/index.ts"
import {
  aborted,
  errorOf,
  gate,
  governance,
  happened,
  lead,
  openRuntime,
  resolutions,
  workflowYaml,
} from "./fixtures.ts"
import { counting, flaky } from "./flaky.ts"

describe("a contract blocks", () => {
  const blocked = async (tool: string, folder = governance()) => {
    const runtime = await openRuntime()
    let ran = false
    const session = lead(runtime, folder, {
      [tool]: (_?: object) => {
        ran = true
      },
    })
    const error = await errorOf(session.tools[tool]?.({}) ?? Promise.resolve())
    expect(error).toBeInstanceOf(ReplayContractError)
    expect(ran).toBe(false)
    expect(await resolutions(runtime)).toEqual([])
    expect((await session.getState()).steps).toEqual([])
    return (error as ReplayContractError).failures
  }

  test("a tool without a contract", async () => {
    expect(await blocked("invent")).toMatchObject([{ tool: "invent", path: null, code: "no_contract" }])
  })

  test("a tool whose contract says gate: block", async () => {
    expect(await blocked("wipe")).toMatchObject([{ tool: "wipe", path: null, operator: "gate", code: "gate_blocked" }])
  })

  test("a side effect that session.yaml blocks, unless the contract allows it", async () => {
    expect(await blocked("pay")).toMatchObject([{ tool: "pay", operator: "risk_defaults", code: "risk_blocked" }])
    const session = lead(await openRuntime(), governance(), { refund: () => "done" })
    expect(await session.tools.refund()).toBe("done")
  })

  test("arguments that do not name their resource, and arguments that are no data", async () => {
    expect(await blocked("migrate")).toMatchObject([{ operator: "resources", code: "invalid_resource_key" }])
    const session = lead(await openRuntime(), governance(), { look: (_: unknown) => 1 })
    expect(await errorOf(session.tools.look({ run: () => 1 }))).toMatchObject({
      failures: [{ code: "invalid_arguments" }],
    })
  })
})

test("a call that is refused by the workflow's rules runs nothing", async () => {
  const runtime = await openRuntime()
  const folder = governance({
    "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_steps: 1"),
  })
  let runs = 0
  const session = lead(runtime, folder, { look: () => ++runs })
  await session.tools.look()
  expect(await errorOf(session.tools.look())).toMatchObject({ code: "limit_exceeded", facts: { limit: "max_steps" } })
  expect(runs).toBe(1)
})

describe("a tool that throws", () => {
  const mistake = new Error("the disk is full")
  const thrown = async (tool: "look" | "transact" | "post" | "guess", error: unknown = mistake) => {
    const runtime = await openRuntime()
    const failing = () => {
      throw error
    }
    const session = lead(runtime, governance(), { look: failing, transact: failing, post: failing, guess: failing })
    const caught = await errorOf(session.tools[tool]())
    // The very error that the tool threw, unchanged.
    expect(caught).toBe(error)
    const { steps } = await session.getState()
    return { noted: outcomeOf(caught)?.outcome, steps, resolutions: await resolutions(runtime) }
  }

  test("that only reads had no effect", async () => {
    expect(await thrown("look")).toEqual({ noted: "aborted", steps: [], resolutions: ["look aborted"] })
  })

  test("within a transaction of its own had no effect", async () => {
    expect(await thrown("transact")).toEqual({ noted: "aborted", steps: [], resolutions: ["transact aborted"] })
  })

  test.each(["post", "guess"] as const)("outside of one may have had an effect: %s", async (tool) => {
    const { noted, steps, resolutions } = await thrown(tool)
    expect(noted).toBe("unknown")
    expect(steps).toMatchObject([{ tool, status: "admitted", unknown: true }])
    expect(resolutions).toEqual([`${tool} unknown`])
  })

  test("ToolAborted certainly had none, whatever its evidence class", async () => {
    expect(await thrown("post", new ToolAborted("not sent"))).toMatchObject({ noted: "aborted", steps: [] })
  })

  test("a primitive is rejected with that primitive", async () => {
    expect(await thrown("look", "no")).toMatchObject({ noted: undefined, resolutions: ["look aborted"] })
  })

  test("before anything ran has no outcome", async () => {
    const session = lead(await openRuntime(), governance(), { wipe: () => 1 })
    expect(outcomeOf(await errorOf(session.tools.wipe()))).toBeUndefined()
  })
})

describe("a tool that runs past its time", () => {
  test("hears it from its signal; its transaction is rolled back", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), { hurry: (_: unknown, { signal }) => aborted(signal) })
    const error = await errorOf(session.tools.hurry(null))
    expect(error).toBeInstanceOf(ToolTimeoutError)
    expect(error).toMatchObject({ tool: "hurry", totalMs: 20, cause: { name: "TimeoutError" } })
    expect(outcomeOf(error)).toMatchObject({ outcome: "aborted", reported: true })
    expect(await resolutions(runtime)).toEqual(["hurry aborted"])
  })

  test("and does its work all the same is committed, and its caller told so", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), {
      hurry: async (_: unknown, { signal }) => {
        await aborted(signal).catch(() => {})
        return "done"
      },
    })
    const error = await errorOf(session.tools.hurry(null))
    expect(error).toBeInstanceOf(ToolTimeoutError)
    expect(outcomeOf(error)).toMatchObject({ outcome: "committed" })
    expect(await resolutions(runtime)).toEqual(["hurry committed"])
  })

  test("and does not end is unknown, holds what it holds, and reports when it does end", async () => {
    const runtime = await openRuntime()
    const late = gate()
    const session = lead(runtime, governance(), { hurry: () => late.opened })
    const error = await errorOf(session.tools.hurry())
    expect(outcomeOf(error)).toMatchObject({ outcome: "unknown" })
    expect((await session.getState()).steps).toMatchObject([{ status: "admitted", unknown: true }])
    late.open()
    await happened(runtime, (body) => body._tag === "steps.resolved" && body.steps[0]?.outcome === "committed")
    expect((await session.getState()).steps).toEqual([])
  })
})

test("a tool that only reads and does not end had no effect", async () => {
  const runtime = await openRuntime()
  const folder = governance({
    "lead/look.yaml": "tool: look\nside_effect: read\ncost: { estimate: 1 }\ntimeouts: { total_ms: 5 }\n",
  })
  const session = lead(runtime, folder, { look: () => new Promise<never>(() => {}) })
  expect(outcomeOf(await errorOf(session.tools.look()))).toMatchObject({ outcome: "aborted", reported: true })
  expect(await resolutions(runtime)).toEqual(["look aborted"])
})

test("a queued step that an operator resolves never runs", async () => {
  const runtime = await openRuntime()
  const first = gate()
  let runs = 0
  const session = lead(runtime, governance(), {
    migrate: (_: { database: string }) => {
      runs += 1
      return first.opened
    },
  })
  const holding = session.tools.migrate({ database: "main" })
  const waiting = errorOf(session.tools.migrate({ database: "main" }))
  let proposals = 0
  await happened(runtime, (body) => body._tag === "steps.proposed" && ++proposals === 2)
  const stepId = (await session.getState()).steps[1]?.stepId ?? ""
  await runtime.resolveStep({ workflowId: "w1", stepId, outcome: "aborted", reason: "not needed" })
  expect(await waiting).toMatchObject({ code: "step_already_resolved", facts: { stepId } })
  first.open()
  await holding
  expect(runs).toBe(1)
})

test("a wrong report is told after the step is committed with its estimate", async () => {
  const runtime = await openRuntime()
  const session = lead(runtime, governance(), {
    transact: (settlement: { actualCost?: number; actualTokens?: number; evidence?: unknown }, { settle }) =>
      settle(settlement),
  })
  for (const wrong of [
    { actualCost: -1 },
    { actualCost: Number.NaN },
    { actualTokens: 0.5 },
    { evidence: "x".repeat(20_000) },
  ]) {
    const error = await errorOf(session.tools.transact(wrong))
    expect(error).toBeInstanceOf(ReplayConfigError)
    expect(outcomeOf(error)).toMatchObject({ outcome: "committed", reported: true })
  }
  expect((await session.getWorkflowState()).ledger.cost).toMatchObject({ used: 4, reserved: 0 })
})

test("a call that nobody acknowledges counts as committed once it has begun, unless it certainly did nothing", async () => {
  const runtime = await openRuntime()
  const folder = governance({
    "lead/post.yaml": "tool: post\nside_effect: write\ncommit_requirement: none\ncost: { estimate: 1 }\n",
  })
  const session = lead(runtime, folder, {
    post: (how: string) => {
      throw how === "aborted" ? new ToolAborted("nothing was sent") : new Error("no answer")
    },
  })
  expect(outcomeOf(await errorOf(session.tools.post("sent")))).toMatchObject({ outcome: "committed" })
  expect(outcomeOf(await errorOf(session.tools.post("aborted")))).toMatchObject({ outcome: "aborted" })
  expect(await resolutions(runtime)).toEqual(["post committed", "post aborted"])
})

describe("trouble with the infrastructure", () => {
  test("is retried under one idempotency key, and the step is proposed once (I8)", async () => {
    const runtime = await openRuntime()
    const keys: Array<string | undefined> = []
    const client = flaky(runtime, "propose", 2, (options) => keys.push(options?.idempotencyKey))
    const session = lead(client, governance(), { look: () => "seen" })
    expect(await session.tools.look()).toBe("seen")
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })

  test("is given up after three tries, with the store's own error", async () => {
    const runtime = await openRuntime()
    const session = lead(flaky(runtime, "propose", 3), governance(), { look: () => 1 })
    expect(await errorOf(session.tools.look())).toMatchObject({ code: "storage_unavailable" })
    expect(await session.tools.look()).toBe(1)
  })

  test("on the way of a receipt tells the caller that the work was done and not reported", async () => {
    const runtime = await openRuntime()
    const session = lead(flaky(runtime, "receipt", 3), governance(), { post: () => "sent" })
    const error = await errorOf(session.tools.post())
    expect(error).toMatchObject({ code: "storage_unavailable" })
    expect(outcomeOf(error)).toMatchObject({ outcome: "committed", reported: false })
    const [step] = (await session.getState()).steps
    if (step === undefined) throw new Error("the step is gone")
    await session.receipt({ stepId: step.stepId, outcome: "committed" })
    expect(await session.complete()).toMatchObject({ status: "completed" })
  })

  test("a refusal by the rules is an answer and is not repeated", async () => {
    const runtime = await openRuntime()
    const { client, calls } = counting(runtime, "complete")
    const session = lead(client, governance(), {})
    await session.handoff({ toRole: "worker", handoffId: "h1" })
    expect(await errorOf(session.complete())).toMatchObject({ code: "handoffs_open", retryable: true })
    expect(calls()).toBe(1)
  })
})
