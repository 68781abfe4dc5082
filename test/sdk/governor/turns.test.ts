/** The turns of a model in a workflow: gates, modes, feedback, narrowing, breakers, outages, and coming back after a crash. */
import { describe, expect, test } from "vitest"
import { makeMemoryStore, ReplayContractError, ReplayKillError, replay, WorkflowError } from "../../../src/index.ts"
import { errorOf, governance, happened, lead, openRuntime, resolutions, workflowYaml } from "../fixtures.ts"
import { flaky } from "../flaky.ts"
import { ask, begin } from "./model.ts"

const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }
const session = (more: string) => `schema_version: "1.0"\nagent: lead\n${more}\n`
const phases = session(`phases: [{ name: check, initial: true }, { name: act }, { name: done, terminal: true }]
transitions: { check: [act], act: [done] }`)
const phased = {
  ...unlimited,
  "lead/session.yaml": phases,
  "lead/look.yaml":
    "tool: look\nside_effect: read\ntransitions: { valid_in_phases: [check], advances_to: act }\ncost: { estimate: 1 }\n",
  "lead/post.yaml": "tool: post\nside_effect: write\ntransitions: { valid_in_phases: [act] }\ncost: { estimate: 1 }\n",
}

describe("a model's calls", () => {
  test("are admitted together, and run by the governed tools with the steps that they have", async () => {
    const runtime = await openRuntime()
    const seen: Array<string> = []
    const agent = lead(runtime, governance(unlimited), {
      look: (_: { at: string }, { stepId }) => seen.push(stepId),
      post: (_: object, { stepId }) => seen.push(stepId),
    })
    const calls = [{ tool: "look", args: { at: "a", b: 1 } }, { tool: "post" }]
    await ask(agent, { calls })
    const { steps } = await agent.getState()
    expect(steps.map(({ tool, status }) => [tool, status])).toEqual([
      ["look", "admitted"],
      ["post", "admitted"],
    ])
    await agent.tools.post({})
    // The order of the keys is the caller's own matter.
    await agent.tools.look({ b: 1, at: "a" } as { at: string })
    expect(new Set(seen)).toEqual(new Set(steps.map(({ stepId }) => stepId)))
    expect(await resolutions(runtime)).toEqual(["post committed", "look committed"])
  })

  test("that the agent runs with its own code are settled by what it tells the model of them", async () => {
    const runtime = await openRuntime()
    const agent = lead(runtime, governance(phased), {})
    const { callId } = await ask(agent, { calls: [{ tool: "look" }] })
    await ask(agent, { results: [{ callId: callId(0), output: `{"found":1}`, isError: false }] })
    expect(await resolutions(runtime)).toEqual(["look committed"])
    expect(agent.phase).toBe("act")
    const { callId: second } = await ask(agent, { calls: [{ tool: "post" }] })
    await ask(agent, { results: [{ callId: second(0), output: "it broke", isError: true }] })
    // A write that failed may have had its effect: nobody knows.
    expect((await agent.getState()).steps).toMatchObject([{ tool: "post", unknown: true }])
  })

  test("that nobody runs are given back at the end", async () => {
    const runtime = await openRuntime()
    const agent = lead(runtime, governance(unlimited), { look: () => 1 })
    await ask(agent, { calls: [{ tool: "look" }] })
    expect(await agent.complete()).toMatchObject({ status: "completed" })
    expect(await resolutions(runtime)).toEqual(["look aborted"])
  })

  test("of tools that are not the session's own wait for their turn before the agent sees them", async () => {
    const runtime = await openRuntime()
    const agent = lead(runtime, governance(unlimited), {})
    const args = { database: "main" }
    const first = await ask(agent, { calls: [{ tool: "migrate", args }] })
    const second = await begin(agent)
    const answered = second.answer({ calls: [{ tool: "migrate", args }] })
    let isAnswered = false
    void answered.then(() => {
      isAnswered = true
    })
    await happened(runtime, (body) => body._tag === "steps.proposed" && body.steps[0]?.status === "queued")
    expect(isAnswered).toBe(false)
    const [step] = (await agent.getState()).steps
    await agent.receipt({ stepId: step?.stepId ?? "", outcome: "committed" })
    await answered
    expect(first.verdict.removed.size).toBe(0)
  })
})

describe("a gate", () => {
  const calls = [{ tool: "look" }, { tool: "pay" }, { tool: "post" }]
  const tools = { look: () => 1, pay: () => 1, post: () => 1 }

  test("reject_all admits nothing of an answer with a blocked call", async () => {
    const agent = lead(await openRuntime(), governance(unlimited), tools)
    expect(await errorOf(ask(agent, { calls }))).toMatchObject({ failures: [{ tool: "pay", code: "risk_blocked" }] })
    expect((await agent.getState()).steps).toEqual([])
    expect(agent.decisions.at(-1)).toMatchObject({
      outcome: "rejected",
      calls: [{ verdict: "withheld" }, { verdict: "blocked" }, { verdict: "withheld" }],
    })
  })

  test.each(["strip_partial", "strip_blocked"] as const)("%s takes the blocked call out", async (gate) => {
    const agent = lead(await openRuntime(), governance(unlimited), tools, { gate })
    const { verdict, callId } = await ask(agent, { calls })
    expect([...verdict.removed.keys()]).toEqual([callId(1)])
    expect(verdict.removed.get(callId(1))).toMatch(/risk_defaults/)
    expect((await agent.getState()).steps.map(({ tool }) => tool)).toEqual(["look", "post"])
    expect(agent.decisions.at(-1)).toMatchObject({ outcome: "stripped" })
  })

  test("strip_partial rejects an answer of which no call is left, strip_blocked passes the rest on", async () => {
    const only = { calls: [{ tool: "pay" }] }
    const partial = lead(await openRuntime(), governance(unlimited), tools, { gate: "strip_partial" })
    expect(await errorOf(ask(partial, only))).toBeInstanceOf(ReplayContractError)
    const blocked = lead(await openRuntime(), governance(unlimited), tools, { gate: "strip_blocked" })
    expect((await ask(blocked, only)).verdict.removed.size).toBe(1)
  })
})

describe("a rejected answer", () => {
  test("is fed back maxRetries times, with what was wrong with each call", async () => {
    const agent = lead(await openRuntime(), governance(unlimited), { look: () => 1, pay: () => 1 }, { maxRetries: 1 })
    const calls = [{ tool: "look" }, { tool: "pay" }]
    const { verdict, callId } = await ask(agent, { calls })
    expect(verdict.retry).toBe(true)
    expect(verdict.feedback.get(callId(0))).toMatch(/not run/)
    expect(verdict.feedback.get(callId(1))).toMatch(/risk_blocked/)
    expect(await errorOf(ask(agent, { calls, attempt: 1 }))).toBeInstanceOf(ReplayContractError)
    expect(agent.decisions.map(({ outcome }) => outcome)).toEqual(["retried", "rejected"])
  })

  test("by the workflow's rules is fed back too", async () => {
    const folder = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 100, max_steps: 1") })
    const prices = { "*": { input: 0, output: 0 } }
    const agent = lead(await openRuntime(), folder, { look: () => 1 }, { maxRetries: 1, prices })
    const calls = [{ tool: "look" }, { tool: "look" }]
    const { verdict, callId } = await ask(agent, { calls })
    expect(verdict.feedback.get(callId(0))).toMatch(/limit_exceeded/)
    expect(await errorOf(ask(agent, { calls, attempt: 1 }))).toBeInstanceOf(WorkflowError)
  })
})

describe("narrowing", () => {
  const tools = { look: () => 1, post: () => 1 }

  test("follows the phase, and the agent's own narrowing and policy", async () => {
    const agent = lead(await openRuntime(), governance(phased), tools)
    const offered = { tools: ["look", "post", "invented"] }
    expect((await begin(agent, offered)).turn.removed).toEqual(new Set(["post", "invented"]))
    expect(agent.allowedTools()).toEqual(["look"])
    await agent.tools.look()
    expect(agent.phase).toBe("act")
    expect((await begin(agent, offered)).turn.removed).toEqual(new Set(["look", "invented"]))
    agent.narrow([])
    expect(agent.allowedTools()).toEqual([])
    expect(await errorOf(ask(agent, { calls: [{ tool: "post" }] }))).toMatchObject({ failures: [{ code: "narrowed" }] })
    agent.narrow(null)
    expect(agent.allowedTools()).toEqual(["post"])
  })

  test("by policy asks with who acts for whom, where, and in which phase", async () => {
    const asked: Array<unknown> = []
    const agent = lead(await openRuntime(), governance(phased), tools, {
      principal: "user-7",
      environment: "staging",
      policy: (tool, context) => {
        asked.push(context)
        return tool === "look" ? "not on a Sunday" : true
      },
    })
    expect(await errorOf(agent.tools.look())).toMatchObject({
      failures: [{ tool: "look", operator: "policy", code: "policy_blocked", detail: "not on a Sunday" }],
    })
    expect(asked[0]).toEqual({
      agent: "lead",
      role: "lead",
      workflowId: "w1",
      principal: "user-7",
      environment: "staging",
      phase: "check",
    })
  })

  test.each([
    ["silent", undefined, {}],
    ["metadata", undefined, { "handrail-narrowed": "post=phase_blocked" }],
    ["inject", /post: /, {}],
  ] as const)("%s tells no more than it says", async (narrowingFeedback, notice, headers) => {
    const agent = lead(await openRuntime(), governance(phased), tools, { narrowingFeedback })
    const { turn } = await begin(agent, { tools: ["look", "post"] })
    if (notice === undefined) expect(turn.notice).toBeUndefined()
    else expect(turn.notice).toMatch(notice)
    expect(turn.headers).toEqual(headers)
  })
})

describe("the circuit breaker", () => {
  test("kills a session that is blocked again and again, durably", async () => {
    const breaker = session(
      "risk_defaults: { financial: block }\nsession_limits: { circuit_breaker: { consecutive_blocks: 2 } }",
    )
    const runtime = await openRuntime()
    const agent = lead(runtime, governance({ ...unlimited, "lead/session.yaml": breaker }), {
      pay: () => 1,
      look: () => 1,
    })
    expect(await errorOf(agent.tools.pay())).toBeInstanceOf(ReplayContractError)
    await agent.tools.look()
    expect(await errorOf(agent.tools.pay())).toBeInstanceOf(ReplayContractError)
    const error = await errorOf(agent.tools.pay())
    expect(error).toBeInstanceOf(ReplayKillError)
    expect(error).toMatchObject({ reason: "circuit_breaker: consecutive_blocks reached 2" })
    expect(agent.signal.aborted).toBe(true)
    expect(await runtime.getSession("root")).toMatchObject({ status: "killed" })
  })

  test("kills a session whose tools fail again and again", async () => {
    const breaker = session("session_limits: { circuit_breaker: { consecutive_errors: 2 } }")
    const runtime = await openRuntime()
    const agent = lead(runtime, governance({ ...unlimited, "lead/session.yaml": breaker }), {
      transact: () => {
        throw new Error("it broke")
      },
    })
    expect(await errorOf(agent.tools.transact())).toMatchObject({ message: "it broke" })
    expect(await errorOf(agent.tools.transact())).toBeInstanceOf(ReplayKillError)
    expect(await runtime.getSession("root")).toMatchObject({ status: "killed" })
  })
})

describe("a mode that does not enforce", () => {
  test("shadow blocks nothing, says what would have been, and counts in the budgets", async () => {
    const runtime = await openRuntime()
    const ran: Array<string> = []
    const agent = lead(
      runtime,
      governance(phased),
      { post: () => ran.push("post"), look: () => ran.push("look") },
      { mode: "shadow" },
    )
    const { turn } = await begin(agent, { tools: ["look", "post"] })
    expect(turn.removed.size).toBe(0)
    await ask(agent, { calls: [{ tool: "post" }], tools: ["look", "post"] })
    await agent.tools.post()
    expect(ran).toEqual(["post"])
    expect(agent.decisions.at(-1)).toMatchObject({
      outcome: "passed",
      calls: [{ tool: "post", verdict: "admitted", failures: [{ code: "phase_blocked" }] }],
      shadowDelta: { narrowed: ["post"], blocked: ["post"], refused: null },
    })
    expect((await agent.getWorkflowState()).ledger.steps.used).toBe(1)
  })

  test("shadow lets through what the workflow refuses, and says its code; a kill ends it all the same", async () => {
    const folder = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 1.5") })
    const runtime = await openRuntime()
    const agent = lead(runtime, folder, { look: () => "seen" }, { mode: "shadow" })
    expect(await agent.tools.look()).toBe("seen")
    expect(await agent.tools.look()).toBe("seen")
    expect(agent.decisions.at(-1)).toMatchObject({
      calls: [{ verdict: "unguarded", stepId: null }],
      shadowDelta: { refused: "limit_exceeded" },
    })
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await errorOf(agent.tools.look())).toBeInstanceOf(ReplayKillError)
  })

  test("log-only judges nothing", async () => {
    const agent = lead(await openRuntime(), governance(phased), { post: () => 1 }, { mode: "log-only" })
    await ask(agent, { calls: [{ tool: "post" }] })
    expect(await agent.tools.post()).toBe(1)
    expect(agent.decisions.at(-1)).toMatchObject({ calls: [{ failures: [], verdict: "admitted" }], shadowDelta: null })
  })
})

describe("while the control plane is away", () => {
  test("nothing is called by default", async () => {
    const agent = lead(flaky(await openRuntime(), "propose", 99), governance(unlimited), { look: () => 1 })
    expect(await errorOf(agent.tools.look())).toMatchObject({ code: "storage_unavailable" })
  })

  test("onError: allow lets so many calls go on, contracts hold, and what was spent is told later", async () => {
    const runtime = await openRuntime()
    const client = flaky(runtime, "propose", 9)
    const agent = lead(
      client,
      governance(unlimited),
      { look: () => 1, pay: () => 1 },
      { onError: "allow", maxUnguardedCalls: 2 },
    )
    // Each call is tried three times.
    await ask(agent, { calls: [{ tool: "look" }], usage: { inputTokens: 5, outputTokens: 6 } })
    expect(await agent.tools.look()).toBe(1)
    expect(await errorOf(agent.tools.pay())).toBeInstanceOf(ReplayContractError)
    expect(await agent.tools.look()).toBe(1)
    expect(await errorOf(agent.tools.look())).toMatchObject({ code: "storage_unavailable" })
    expect(await resolutions(runtime)).toEqual([])
    expect(await agent.tools.look()).toBe(1)
    expect(await resolutions(runtime)).toEqual(["look committed"])
    expect((await agent.getWorkflowState()).ledger.tokens.used).toBe(11)
  })
})

describe("a process that comes back", () => {
  test("knows what its session did: phase, outputs and counts", async () => {
    const store = makeMemoryStore()
    const folder = governance({
      ...phased,
      "lead/session.yaml": `${phases}session_limits: { max_calls_per_tool: { post: 1 } }\n`,
      "lead/post.yaml": `tool: post
side_effect: write
transitions: { valid_in_phases: [act] }
preconditions: [{ requires_prior_tool: look, with_output: [{ path: $.ok, equals: true }] }]
cost: { estimate: 1 }
`,
    })
    const tools = { look: () => ({ ok: true }), post: () => 1 }
    const first = lead(await openRuntime(store), folder, tools)
    await first.tools.look()
    await first.close()
    const second = lead(await openRuntime(store), folder, tools)
    await second.ready()
    expect(second.phase).toBe("act")
    expect(await second.tools.post()).toBe(1)
    await second.close()
    const third = lead(await openRuntime(store), folder, tools)
    await third.ready()
    expect(await errorOf(third.tools.post())).toMatchObject({
      failures: [{ code: "session_limit_exceeded", operator: "max_calls_per_tool" }],
    })
  })

  test("asks each tool's hook what became of its steps, and leaves the others visible", async () => {
    const store = makeMemoryStore()
    const folder = governance(phased)
    const first = lead(await openRuntime(store), folder, {})
    await ask(first, { calls: [{ tool: "look" }] })
    // It dies before its tool answers.
    const runtime = await openRuntime(store)
    const asked: Array<string> = []
    const second = lead(
      runtime,
      folder,
      { look: () => 1 },
      {
        recover: {
          look: ({ stepId }) => {
            asked.push(stepId)
            return "committed"
          },
        },
      },
    )
    await second.ready()
    expect(asked).toHaveLength(1)
    expect(second.unresolved).toEqual([])
    expect(await resolutions(runtime)).toEqual(["look committed"])
    // The event of the recovery reaches the rules as any other does.
    await expect.poll(() => second.phase).toBe("act")
    await ask(second, { calls: [{ tool: "post" }] })
    const third = lead(await openRuntime(store), folder, {}, { recover: { look: () => "committed" } })
    await third.ready()
    expect(third.unresolved).toMatchObject([{ tool: "post" }])
    const fourth = lead(await openRuntime(store), folder, {}, { recover: { post: () => "unknown" } })
    await fourth.ready()
    expect(fourth.unresolved).toMatchObject([{ tool: "post" }])
  })

  test("takes up what its model asks for again, under the same approval", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    const first = lead(await openRuntime(store), folder, { launch: () => 1, look: () => 1 })
    await ask(first, { calls: [{ tool: "launch", args: { at: "noon" } }] })
    const runtime = await openRuntime(store)
    const second = lead(runtime, folder, { launch: (_: object) => "launched", look: () => 1, pay: () => 1 })
    await second.ready()
    const [step] = second.unresolved
    const stepId = step?.stepId ?? ""
    const asksAgain = { tool: "launch", args: { at: "noon" } }
    // An answer that is rejected leaves it in its place.
    expect(await errorOf(ask(second, { calls: [asksAgain, { tool: "pay" }] }))).toBeInstanceOf(ReplayContractError)
    await ask(second, { calls: [asksAgain, { tool: "look" }] })
    expect((await second.getState()).steps.map(({ tool }) => tool)).toEqual(["launch", "look"])
    const launched = second.tools.launch({ at: "noon" })
    await runtime.approveStep({ workflowId: "w1", stepId })
    expect(await launched).toBe("launched")
    expect(await resolutions(runtime)).toEqual(["launch committed"])
  })

  test("runs a step again under its admission where its hook says so", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    await ask(lead(await openRuntime(store), folder, {}), { calls: [{ tool: "look" }] })
    const runtime = await openRuntime(store)
    const second = lead(runtime, folder, { look: () => "seen" }, { recover: { look: () => "again" } })
    await second.ready()
    expect(second.unresolved).toHaveLength(1)
    expect(await second.tools.look()).toBe("seen")
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })

  test("hears of what others decide about its steps", async () => {
    const runtime = await openRuntime()
    const agent = lead(runtime, governance(phased), {})
    await ask(agent, { calls: [{ tool: "look" }] })
    const [step] = (await agent.getState()).steps
    await runtime.resolveStep({ workflowId: "w1", stepId: step?.stepId ?? "", outcome: "committed", reason: "seen" })
    await expect.poll(() => agent.phase).toBe("act")
  })
})

describe("a call that a person approves", () => {
  const waiting = async (runtime: Awaited<ReturnType<typeof openRuntime>>, at = 1) => {
    let seen = 0
    const event = await happened(runtime, (body) => {
      const waits = body._tag === "steps.proposed" && body.steps.some(({ status }) => status === "awaiting_approval")
      if (waits) seen += 1
      return waits && seen === at
    })
    if (event.body._tag !== "steps.proposed") throw new Error("no proposal")
    return { workflowId: "w1", stepId: event.body.steps[0]?.stepId ?? "" }
  }

  test("runs once it is approved, and not before", async () => {
    const runtime = await openRuntime()
    const ran: Array<string> = []
    const agent = lead(runtime, governance(unlimited), { launch: () => ran.push("launch") })
    await ask(agent, { calls: [{ tool: "launch" }] })
    const launched = agent.tools.launch()
    const step = await waiting(runtime)
    expect((await agent.getState()).steps).toMatchObject([{ status: "awaiting_approval" }])
    expect(ran).toEqual([])
    await runtime.approveStep({ ...step, reason: "go" }, { operator: "ada" })
    await launched
    expect(ran).toEqual(["launch"])
    expect(agent.decisions.at(-1)).toMatchObject({ calls: [{ verdict: "awaiting_approval" }] })
  })

  test("never runs where it is refused, also when its tool is called after that", async () => {
    const runtime = await openRuntime()
    let ran = false
    const agent = lead(runtime, governance(unlimited), { launch: () => (ran = true), look: () => 1 })
    await ask(agent, { calls: [{ tool: "launch" }] })
    await runtime.rejectStep({ ...(await waiting(runtime)), reason: "not today" })
    await agent.tools.look()
    const refused = { failures: [{ code: "approval_rejected", operator: "checkpoint" }] }
    expect(await errorOf(agent.tools.launch())).toMatchObject(refused)
    const again = agent.tools.launch()
    void again.catch(() => {})
    await runtime.rejectStep({ ...(await waiting(runtime, 2)), reason: "nor tomorrow" })
    expect(await errorOf(again)).toMatchObject({ message: expect.stringContaining("nor tomorrow"), ...refused })
    expect(ran).toBe(false)
    expect(await agent.complete()).toMatchObject({ status: "completed" })
  })

  test("is still waiting when its process comes back, and the same call of the new one takes it up", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    const first = lead(await openRuntime(store), folder, {})
    const before = await begin(first)
    // It waits for the person, and its process dies.
    void before.answer({ calls: [{ tool: "launch", args: { to: "orbit" } }] }).catch(() => {})
    const runtime = await openRuntime(store)
    const step = await waiting(runtime)
    const ran: Array<string> = []
    const launch = (_: { to: string }, { stepId }: { stepId: string }) => ran.push(stepId)
    const recover = { launch: () => "aborted" as const }
    const second = lead(runtime, folder, { launch }, { recover })
    await second.ready()
    expect(second.unresolved).toMatchObject([{ stepId: step.stepId, status: "awaiting_approval" }])
    const launched = second.tools.launch({ to: "orbit" })
    await runtime.approveStep({ ...step, reason: "go" })
    await launched
    expect(ran).toEqual([step.stepId])
    expect(await resolutions(runtime)).toEqual(["launch committed"])
    await second.complete()
  })

  test("is given back by a process that comes back and does not want it any more", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    const before = await begin(lead(await openRuntime(store), folder, {}))
    void before.answer({ calls: [{ tool: "launch", args: { to: "orbit" } }] }).catch(() => {})
    const runtime = await openRuntime(store)
    const step = await waiting(runtime)
    const second = lead(runtime, folder, { launch: (_: { to: string }) => 1 })
    const other = second.tools.launch({ to: "mars" })
    const next = await waiting(runtime, 2)
    expect(next.stepId).not.toBe(step.stepId)
    await runtime.approveStep({ ...next, reason: "go" })
    await other
    expect(await second.complete()).toMatchObject({ status: "completed" })
    expect(await resolutions(runtime)).toEqual(["launch committed", "launch aborted"])
  })

  test("and was said to be aborted is no longer taken up", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    const before = await begin(lead(await openRuntime(store), folder, {}))
    void before.answer({ calls: [{ tool: "launch" }] }).catch(() => {})
    const runtime = await openRuntime(store)
    const step = await waiting(runtime)
    const second = lead(runtime, folder, { launch: () => 1 })
    await second.receipt({ stepId: step.stepId, outcome: "aborted" })
    const again = second.tools.launch()
    const next = await waiting(runtime, 2)
    expect(next.stepId).not.toBe(step.stepId)
    await runtime.approveStep({ ...next, reason: "go" })
    expect(await again).toBe(1)
  })

  test("keeps its place when its process leaves the session, and not when the session completes", async () => {
    const store = makeMemoryStore()
    const folder = governance(unlimited)
    const first = lead(await openRuntime(store), folder, { launch: () => 1 })
    const left = first.tools.launch()
    void left.catch(() => {})
    const runtime = await openRuntime(store)
    const step = await waiting(runtime)
    await first.close()
    expect(await errorOf(left)).toMatchObject({ code: "closed" })
    const second = lead(runtime, folder, { launch: () => "launched" })
    await second.ready()
    const launched = second.tools.launch()
    await runtime.approveStep(step)
    expect(await launched).toBe("launched")
    await ask(second, { calls: [{ tool: "launch" }] })
    await second.complete()
    expect(await resolutions(runtime)).toEqual(["launch committed", "launch aborted"])
  })

  test("of the agent's own code reaches it when it is approved, and its answer is given back whole where it is not", async () => {
    const runtime = await openRuntime()
    const agent = lead(runtime, governance(unlimited), {})
    const first = await begin(agent)
    const answered = first.answer({ calls: [{ tool: "look" }, { tool: "launch" }] })
    const { stepId } = await waiting(runtime)
    const view = await agent.getState()
    const held = view.steps.find(({ status }) => status === "awaiting_approval")
    expect(stepId).not.toBe("")
    await runtime.rejectStep({ workflowId: "w1", stepId: held?.stepId ?? "", reason: "no" })
    expect(await errorOf(answered)).toMatchObject({ failures: [{ tool: "launch", code: "approval_rejected" }] })
    expect(await resolutions(runtime)).toEqual(["launch aborted", "look aborted"])
    expect((await agent.getState()).steps).toEqual([])
  })

  test("can't be asked for outside of a workflow", async () => {
    const contracts = {
      "session.yaml": session(""),
      "launch.yaml": "tool: launch\nside_effect: write\ncheckpoint: true\n",
    }
    const agent = replay(null, { agent: "lead", contracts, tools: { launch: () => 1 } })
    expect(await errorOf(agent.tools.launch())).toMatchObject({ failures: [{ code: "approval_unavailable" }] })
  })
})

test("what nobody began when its session is killed is given back, so that the kill comes to rest", async () => {
  const runtime = await openRuntime()
  const agent = lead(runtime, governance(unlimited), { look: () => 1, post: () => 1 })
  await ask(agent, { calls: [{ tool: "look" }, { tool: "post" }] })
  const receipt = await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
  expect(receipt.state).toBe("fenced")
  await happened(runtime, (body) => body._tag === "steps.resolved" && body.steps.some(() => body.late === true))
  await expect.poll(async () => (await runtime.getKill("w1", receipt.killId)).state).toBe("quiescent")
  expect(await resolutions(runtime)).toEqual(["look aborted late", "post aborted late"])
})
