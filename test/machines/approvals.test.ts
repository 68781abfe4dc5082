/**
 * Steps that await a person's approval (semantics.md §5, I13). The model holds the rules at large (test/properties); here are the
 * cases that explain them, and what a state that was written down keeps of them.
 */
import { describe, expect, test } from "vitest"
import { bounds } from "../../src/machines/bounds.ts"
import type { ToolContract } from "../../src/machines/definition.ts"
import { restoreSnapshot, type StoredState, takeSnapshot } from "../../src/machines/snapshot.ts"
import { openView, sessionView } from "../../src/machines/views.ts"
import { Scene, team } from "./Scene.ts"

const deploy = (checkpoint: ToolContract["rest"][string]): ToolContract => ({
  tool: "deploy",
  sideEffect: "destructive",
  evidenceClass: "ack_only",
  resources: [],
  estimate: null,
  timeoutMs: null,
  rest: { checkpoint },
})
const minute = 60_000

/** A dev whose deployments a person approves within half an hour. */
const scene = (checkpoint: ToolContract["rest"][string] = { timeout: "30m" }, limits = {}): Scene => {
  const made = new Scene(team({ tools: [deploy(checkpoint)], limits }))
  made.child("dev1")
  return made
}
const ask = (at: Scene, resources: ReadonlyArray<string> = [], more: object = {}) =>
  at.say({
    _tag: "propose",
    sessionId: "dev1",
    calls: [{ tool: "deploy", estimatedCost: 1, resources: resources.map(refOf) }],
    ...more,
  })
const refOf = (text: string) => ({ name: text.split(" ")[0], key: text.split(" ")[1] })
const approve = (at: Scene, stepId = "step1") => at.say({ _tag: "approveStep", stepId, reason: "reviewed" })
const reject = (at: Scene, stepId = "step1", reason?: string) =>
  at.say({ _tag: "rejectStep", stepId, ...(reason === undefined ? {} : { reason }) })
const last = (at: Scene) => at.events.at(-1)

describe("a call whose contract asks for a person", () => {
  test("awaits approval with what a person has to know, and is admitted when it is approved", () => {
    const at = scene()
    expect(ask(at, ["env prod"])).toMatchObject({
      steps: [{ status: "awaiting_approval", fences: [], approvalDeadline: at.now + 30 * minute }],
    })
    expect(openView(at.state).approvals).toEqual([
      {
        stepId: "step1",
        sessionId: "dev1",
        role: "dev",
        agent: "a",
        tool: "deploy",
        arguments: null,
        resources: [{ name: "env", key: "prod" }],
        estimatedCost: 1,
        approvalDeadline: at.now + 30 * minute,
      },
    ])
    expect(approve(at)).toMatchObject({ stepId: "step1", status: "admitted" })
    expect(last(at)?.body).toEqual({
      _tag: "step.approved",
      sessionId: "dev1",
      stepId: "step1",
      reason: "reviewed",
      admitted: [{ stepId: "step1", fences: [{ name: "env", key: "prod", token: 1 }] }],
    })
    expect(at.receipt("dev1", "step1")).toMatchObject({ steps: [{ status: "committed" }] })
  })

  test.each([
    ["true", true, bounds.approvalTimeoutMs],
    ["a time", { timeout: "1h30m" }, 90 * minute],
  ])("waits as long as %s says", (_, checkpoint, ms) => {
    const at = scene(checkpoint)
    expect(ask(at)).toMatchObject({ steps: [{ approvalDeadline: at.now + ms }] })
  })

  test("with checkpoint: false is admitted at once", () => {
    expect(ask(scene(false))).toMatchObject({ steps: [{ status: "admitted" }] })
  })

  test("counts in max_steps and holds its reservation, its resource and its session as a queued one does", () => {
    const at = scene(true, { maxSteps: 1, maxCost: 5_000_000 })
    ask(at, ["env prod"])
    expect(at.state.account).toMatchObject({ stepsReserved: 1, costReserved: 1_000_000 })
    expect(at.propose("root", [])).toBe("limit_exceeded")
    expect(at.say({ _tag: "complete", sessionId: "dev1" })).toBe("steps_unresolved")
    reject(at)
    expect(at.state.account).toMatchObject({ stepsReserved: 0, costReserved: 0, costUsed: 0 })
    expect(at.propose("root", ["env prod"])).toMatchObject({ steps: [{ status: "admitted" }] })
  })

  test("keeps its exclusive resource and its place in a queue while nobody decides", () => {
    const at = scene()
    ask(at, ["env prod", "line a"])
    expect(at.propose("root", ["env prod"])).toBe("resource_pending")
    at.propose("root", ["line a"])
    expect(Object.values(at.steps)).toEqual(["awaiting_approval", "queued"])
    reject(at)
    expect(Object.values(at.steps)).toEqual(["admitted"])
  })

  test("that is approved before its turn waits for it (I11)", () => {
    const at = scene()
    at.propose("root", ["line a"])
    ask(at, ["line a"])
    expect(approve(at, "step2")).toMatchObject({ status: "queued" })
    expect(last(at)?.body).not.toHaveProperty("admitted")
    at.receipt("root", "step1")
    expect(at.steps).toEqual({ step2: "admitted" })
  })

  test("is not woken by its turn alone (I13)", () => {
    const at = scene()
    at.propose("root", ["line a"])
    ask(at, ["line a"])
    at.receipt("root", "step1")
    expect(at.steps).toEqual({ step2: "awaiting_approval" })
    expect(approve(at, "step2")).toMatchObject({ status: "admitted" })
  })
})

describe("what may become of it", () => {
  test("its session may take it back, and say nothing else of it", () => {
    const at = scene()
    ask(at)
    for (const outcome of ["committed", "unknown"])
      expect(at.receipt("dev1", "step1", outcome)).toBe("step_awaiting_approval")
    expect(at.say({ _tag: "resolveStep", stepId: "step1", outcome: "committed", reason: "x" })).toBe(
      "step_awaiting_approval",
    )
    expect(at.receipt("dev1", "step1", "aborted")).toMatchObject({ steps: [{ status: "aborted" }] })
  })

  test("a rejection says who refused it and why", () => {
    const at = scene()
    ask(at)
    expect(reject(at, "step1", "not before the freeze ends")).toMatchObject({ status: "aborted" })
    expect(last(at)).toMatchObject({
      actor: "test",
      body: { _tag: "steps.resolved", reason: "not before the freeze ends", rejected: true },
    })
  })

  test("at its deadline it is rejected, once; an approval on the dot comes too late", () => {
    const at = scene()
    ask(at)
    at.now += 30 * minute - 1
    expect(at.say({ _tag: "attach", sessionId: "dev1" })).toMatchObject({ steps: [{ status: "awaiting_approval" }] })
    at.now += 1
    expect(approve(at)).toBe("step_not_awaiting_approval")
    expect(last(at)?.body).toMatchObject({ _tag: "steps.resolved", reason: "approval_timeout", rejected: true })
    const { length } = at.events
    at.now += 60 * minute
    at.say({ _tag: "attach", sessionId: "dev1" })
    expect(at.events.length).toBe(length)
  })

  test("an approved step has no deadline left, nor has it one after a restart", () => {
    const at = scene()
    ask(at)
    approve(at)
    const twin = restoreSnapshot(JSON.parse(JSON.stringify(takeSnapshot(at.state))) as StoredState, at.state.rules)
    for (const state of [at.state, twin]) expect(state.deadlines.earliest(state)).toBeUndefined()
    at.now += bounds.approvalTimeoutMs
    at.say({ _tag: "attach", sessionId: "dev1" })
    expect(at.steps).toEqual({ step1: "admitted" })
  })

  test("a kill aborts it, and leaves no orphan behind (I5)", () => {
    const at = scene()
    ask(at, ["env prod"])
    const receipt = at.say({ _tag: "kill", scope: "session", sessionId: "dev1", reason: "stop" })
    expect(receipt).toMatchObject({ state: "quiescent", orphanedSteps: [] })
    expect(approve(at)).toBe("step_not_awaiting_approval")
    expect(at.propose("root", ["env prod"])).toMatchObject({ steps: [{ status: "admitted" }] })
  })
})

describe("deciding again", () => {
  test("answers again while the decision stands, and the other decision is refused", () => {
    const at = scene()
    ask(at)
    approve(at)
    const { length } = at.events
    expect(approve(at)).toMatchObject({ status: "admitted" })
    expect(reject(at)).toBe("step_not_awaiting_approval")
    expect(at.events.length).toBe(length)
    at.receipt("dev1", "step1")
    expect(approve(at)).toMatchObject({ status: "committed" })
    expect(reject(at)).toBe("step_not_awaiting_approval")
  })

  test("of a rejection answers again, also after its session is gone", () => {
    const at = scene()
    ask(at)
    reject(at)
    expect(reject(at)).toMatchObject({ status: "aborted" })
    at.say({ _tag: "kill", scope: "session", sessionId: "dev1", reason: "stop" })
    expect(reject(at)).toMatchObject({ status: "aborted" })
    expect(approve(at)).toBe("step_not_awaiting_approval")
  })

  test("is refused for a step that needs no approval, and for none", () => {
    const at = scene()
    at.propose("root", [])
    for (const decide of [approve, reject]) {
      expect(decide(at)).toBe("step_not_awaiting_approval")
      expect(decide(at, "none")).toBe("step_not_found")
    }
    at.receipt("root", "step1", "aborted")
    expect(reject(at)).toBe("step_not_awaiting_approval")
  })
})

describe("a snapshot", () => {
  test("keeps a step that awaits approval, and its deadline (I9)", () => {
    const at = scene()
    ask(at, ["line a"])
    const stored = JSON.parse(JSON.stringify(takeSnapshot(at.state))) as StoredState
    const twin = restoreSnapshot(stored, at.state.rules)
    expect(openView(twin)).toEqual(openView(at.state))
    expect(twin.deadlines.earliest(twin)).toEqual({ at: at.now + 30 * minute, kind: "approval", id: "step1" })
  })

  test("of version 1, which knew no approvals, is read", () => {
    const at = scene()
    at.propose("dev1", ["line a"])
    const stored = { ...(JSON.parse(JSON.stringify(takeSnapshot(at.state))) as StoredState), version: 1 }
    const twin = restoreSnapshot(stored, at.state.rules)
    const views = [twin, at.state].map((state) => Array.from(state.sessions.values(), (one) => sessionView(state, one)))
    expect(views[0]).toEqual(views[1])
  })
})

describe("a model turn that asked for no tool", () => {
  const turn = (at: Scene, more: object) => at.say({ _tag: "propose", sessionId: "root", calls: [], ...more })
  const usage = { inputTokens: 10, outputTokens: 5, cost: 0.25 }
  const prepared = (at: Scene) => at.say({ _tag: "preflight", sessionId: "root", estimatedCost: 2 })

  test("settles its usage and gives its reservation back, in one event without steps", () => {
    const at = new Scene()
    prepared(at)
    expect(at.state.account.costReserved).toBe(2_000_000)
    expect(turn(at, { usage, preparedRequestId: "prepared1" })).toMatchObject({ steps: [] })
    expect(last(at)?.body).toMatchObject({ _tag: "steps.proposed", steps: [], preparedRequestId: "prepared1" })
    expect(at.state.account).toMatchObject({ costReserved: 0, costUsed: 250_000, tokensUsed: 15, stepsReserved: 0 })
    expect(turn(at, { preparedRequestId: "prepared1" })).toBe("prepared_request_invalid")
  })

  test("decides nothing, so its session may have moved on since the preflight", () => {
    const at = new Scene()
    prepared(at)
    at.propose("root", [])
    expect(at.propose("root", [], { preparedRequestId: "prepared1" })).toBe("version_mismatch")
    expect(turn(at, { preparedRequestId: "prepared1" })).toMatchObject({ steps: [] })
    expect(at.state.account.costReserved).toBe(1_000_000)
  })

  test("with neither usage nor a prepared request is no request", () => {
    expect(turn(new Scene(), {})).toBe("invalid_request")
  })
})
