/** Guards that random histories seldom reach, each in the shortest history that does (semantics.md §5 to §9, §12). */
import { describe, expect, it } from "vitest"
import type { Resource } from "../../src/machines/definition.ts"
import { ref, Scene, team } from "./Scene.ts"

describe("a killed session whose orphan keeps it in the state", () => {
  const commands: ReadonlyArray<Record<string, unknown>> = [
    { _tag: "propose", calls: [{ tool: "work", estimatedCost: 0 }] },
    { _tag: "preflight", estimatedCost: 0 },
    { _tag: "offer", toRole: "dev", summary: null },
    { _tag: "complete" },
    { _tag: "fail", reason: "r" },
    { _tag: "release", resources: [ref("doc a")] },
    { _tag: "heartbeat" },
    { _tag: "attach" },
  ]
  it.each(commands.map((command) => [String(command._tag), command] as const))("is refused %s (I5)", (_, command) => {
    const scene = new Scene()
    scene.child("c1")
    scene.propose("c1", ["doc a"])
    scene.say({ _tag: "kill", scope: "session", sessionId: "c1", reason: "stop" })
    expect(scene.steps).toEqual({ step1: "orphaned" })
    const before = scene.events.length
    expect(scene.say({ sessionId: "c1", ...command })).toBe("session_killed")
    expect(scene.events.length).toBe(before)
    expect([scene.owner("doc a"), scene.steps]).toEqual(["c1", { step1: "orphaned" }])
  })
})

it("a kill reaches the living below a session that was killed alone, and is a new kill (§8)", () => {
  const scene = new Scene()
  scene.child("c1")
  scene.child("c2", "c1")
  const kill = (scope: string) => scene.say({ _tag: "kill", scope, sessionId: "c1", reason: "stop" })
  expect(kill("session")).toMatchObject({ killId: "kill1", sessions: ["c1"] })
  expect(kill("subtree")).toMatchObject({ killId: "kill2", sessions: ["c2"] })
  expect(scene.propose("c2", [])).toBe("session_killed")
})

it("a kill of what is dead already answers with the kill that ended it, also while an orphan is unresolved (§8)", () => {
  const scene = new Scene()
  scene.child("c1")
  scene.propose("c1", [])
  const kill = () => scene.say({ _tag: "kill", scope: "subtree", sessionId: "c1", reason: "stop" })
  const first = kill()
  expect(first).toMatchObject({ killId: "kill1", state: "fenced", counts: { sessions: 1, orphanedSteps: 1 } })
  const before = scene.events.length
  expect(kill()).toEqual(first)
  scene.receipt("c1", "step1")
  expect(kill()).toEqual({ ...(first as object), state: "quiescent" })
  expect(scene.events.slice(before).map(({ body }) => body._tag)).toEqual(["steps.resolved"])
})

describe("a workflow whose root was killed alone", () => {
  const endings: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
    ["completes", { _tag: "complete", sessionId: "c1" }],
    ["fails", { _tag: "fail", sessionId: "c1", reason: "r" }],
    ["is killed", { _tag: "kill", scope: "session", sessionId: "c1", reason: "r" }],
  ]
  it.each(endings)("is killed when its last session %s, and not before (§2)", (_, ending) => {
    const scene = new Scene()
    for (const child of ["c1", "c2"]) scene.child(child)
    scene.say({ _tag: "kill", scope: "session", sessionId: "root", reason: "stop" })
    scene.say({ _tag: "complete", sessionId: "c2" })
    expect(scene.state.status).toBe("active")
    scene.say(ending)
    expect([scene.state.status, scene.state.killId]).toEqual(["killed", "kill1"])
  })
})

describe("a step that waits behind one of another session", () => {
  const endings: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
    ["is killed", { _tag: "kill", scope: "session", sessionId: "c1", reason: "stop" }],
    ["gives up", { _tag: "fail", sessionId: "c1", reason: "stop" }],
    ["is reclaimed", { _tag: "reclaim", sessionId: "root", handoffId: "h-c1" }],
  ]
  it.each(endings)("is admitted when that session %s (I11)", (_, ending) => {
    const scene = new Scene()
    for (const child of ["c1", "c2", "c3"]) scene.child(child)
    scene.propose("c3", ["line b"])
    // It heads one queue and waits in another, so it stands before others and never ran.
    scene.propose("c1", ["line a", "line b"])
    scene.propose("c2", ["line a"])
    expect(scene.steps).toEqual({ step1: "admitted", step2: "queued", step3: "queued" })
    expect(typeof scene.say(ending)).toBe("object")
    expect(scene.steps).toEqual({ step1: "admitted", step3: "admitted" })
  })
})

it("a step is admitted only when it heads all its queues (I4)", () => {
  const scene = new Scene()
  for (const child of ["c1", "c2", "c3"]) scene.child(child)
  scene.propose("c1", ["line a"])
  scene.propose("c2", ["line b"])
  scene.propose("c3", ["line a", "line b"])
  scene.receipt("c1", "step1")
  expect(scene.steps).toEqual({ step2: "admitted", step3: "queued" })
  scene.receipt("c2", "step2")
  expect(scene.steps).toEqual({ step3: "admitted" })
})

it("a handoff in progress stays with its claimant, whoever would take it back (I6)", () => {
  const scene = new Scene(team({ edge: { claimTimeoutMs: 1000 } }))
  scene.child("c1")
  scene.propose("c1", [])
  scene.receipt("c1", "step1")
  const about = { handoffId: "h-c1" }
  for (const by of [{}, { sessionId: "root" }]) {
    expect(scene.say({ _tag: "reclaim", ...about, ...by })).toBe("handoff_in_progress")
    expect(scene.say({ _tag: "withdraw", ...about, ...by })).toBe("handoff_in_progress")
  }
  expect(scene.say({ _tag: "claim", ...about, parentSessionId: "root", role: "dev", agent: "b" })).toBe(
    "handoff_already_claimed",
  )
  // Nor does its lease: there is none any more.
  scene.now += 10_000
  expect(scene.say({ _tag: "heartbeat", sessionId: "c1" })).toMatchObject({ claimDeadline: null })
  expect(scene.say({ _tag: "complete", sessionId: "c1" })).toMatchObject({ status: "completed" })
})

it("a session does not complete over a living descendant, also where the one between them is dead (I10)", () => {
  const scene = new Scene()
  scene.child("c1")
  scene.child("c2", "c1")
  scene.say({ _tag: "kill", scope: "session", sessionId: "c1", reason: "stop" })
  // Its own handoffs have ended: nothing but the grandchild is left.
  expect(scene.say({ _tag: "complete", sessionId: "root" })).toBe("descendants_active")
  scene.say({ _tag: "complete", sessionId: "c2" })
  expect(scene.say({ _tag: "complete", sessionId: "root" })).toMatchObject({ workflowStatus: "completed" })
})

it("a dead session stays known while anything below it lives, however far below (I10)", () => {
  const scene = new Scene()
  scene.child("c1")
  scene.child("c2", "c1")
  scene.child("c3", "c2")
  for (const sessionId of ["c2", "c1"]) scene.say({ _tag: "kill", scope: "session", sessionId, reason: "stop" })
  expect(scene.say({ _tag: "complete", sessionId: "root" })).toBe("descendants_active")
  expect(scene.say({ _tag: "kill", scope: "subtree", sessionId: "c1", reason: "all" })).toMatchObject({
    sessions: ["c3"],
  })
  expect(scene.say({ _tag: "complete", sessionId: "root" })).toMatchObject({ workflowStatus: "completed" })
})

describe("an orphan on two resources", () => {
  const resource = (name: string, more: Partial<Resource>): Resource => ({
    name,
    mode: "exclusive_pending",
    unresolved: "release",
    pendingTimeoutMs: 1000,
    ...more,
  })
  const orphaned = (...resources: ReadonlyArray<Resource>): Scene => {
    const scene = new Scene(team({ resources }))
    scene.child("c1")
    scene.propose("c1", ["one a", "two a"])
    scene.say({ _tag: "kill", scope: "session", sessionId: "c1", reason: "stop" })
    return scene
  }
  const left = (scene: Scene, ms: number): ReadonlyArray<string> => {
    scene.now = 1000 + ms
    scene.say({ _tag: "attach", sessionId: "root" })
    return Object.keys(scene.steps)
  }

  it("is released after the longer of their times, and its estimate is spent", () => {
    for (const times of [
      [1000, 3000],
      [3000, 1000],
    ]) {
      const [one, two] = times.map((pendingTimeoutMs, index) =>
        resource(["one", "two"][index] ?? "", { pendingTimeoutMs }),
      )
      const scene = orphaned(one as Resource, two as Resource)
      expect(left(scene, 2999)).toEqual(["step1"])
      expect(left(scene, 3000)).toEqual([])
      expect(scene.state.account).toMatchObject({
        costUsed: 1_000_000,
        costReserved: 0,
        stepsUsed: 0,
        stepsReserved: 0,
      })
    }
  })

  it("is held for ever where one of them says hold", () => {
    expect(left(orphaned(resource("one", {}), resource("two", { unresolved: "hold" })), 1e9)).toEqual(["step1"])
    expect(left(orphaned(resource("one", { unresolved: "hold" }), resource("two", {})), 1e9)).toEqual(["step1"])
  })
})

describe("a limit", () => {
  it("leaves no room for a root where it is nought (I2)", () => {
    for (const limits of [{ maxSessions: 0 }, { maxActiveSessions: 0 }])
      expect(() => new Scene(team({ limits }))).toThrow("limit_exceeded")
  })

  it("counts what the model turn has spent against the calls of that turn (I2)", () => {
    const usage = { inputTokens: 6, outputTokens: 3, cost: 0.5 }
    const costly = new Scene(team({ limits: { maxCost: 1_000_000 } }))
    expect(costly.propose("root", [], { usage })).toBe("limit_exceeded")
    expect(costly.state.account).toMatchObject({ costUsed: 500_000, costReserved: 0 })
    const talkative = new Scene(team({ limits: { maxTokens: 10 } }))
    const calls = [{ tool: "work", estimatedTokens: 2 }]
    expect(talkative.say({ _tag: "propose", sessionId: "root", calls, usage })).toBe("limit_exceeded")
    expect(talkative.state.account).toMatchObject({ tokensUsed: 9, tokensReserved: 0 })
  })

  it("has room for the calls of a prepared request as far as that has reserved it (I3)", () => {
    const scene = new Scene(team({ limits: { maxCost: 1_000_000, maxTokens: 10 } }))
    const prepare = { _tag: "preflight", sessionId: "root", estimatedCost: 0.8, estimatedTokens: 8 }
    expect(scene.say(prepare)).toMatchObject({ preparedRequestId: "prepared1", remaining: { cost: 0.2, tokens: 2 } })
    const propose = (estimatedCost: number, estimatedTokens: number) =>
      scene.say({
        _tag: "propose",
        sessionId: "root",
        preparedRequestId: "prepared1",
        calls: [{ tool: "work", estimatedCost, estimatedTokens }],
      })
    expect([propose(1.1, 1), propose(0.1, 11)]).toEqual(["limit_exceeded", "limit_exceeded"])
    expect(propose(1, 10)).toMatchObject({ steps: [{ status: "admitted" }] })
    expect(scene.state.account).toMatchObject({ costReserved: 1_000_000, tokensReserved: 10 })
  })

  it("that was reserved by a preflight is no other session's, whatever its version (§5)", () => {
    const scene = new Scene()
    scene.child("c1")
    scene.say({ _tag: "preflight", sessionId: "root", estimatedCost: 0.8 })
    scene.propose("c1", [])
    scene.receipt("c1", "step1")
    const versions = ["root", "c1"].map((id) => scene.say({ _tag: "attach", sessionId: id }))
    expect(versions).toMatchObject([{ stateVersion: 3 }, { stateVersion: 3 }])
    expect(scene.propose("c1", [], { preparedRequestId: "prepared1" })).toBe("prepared_request_invalid")
    expect(scene.propose("root", [], { preparedRequestId: "prepared1" })).toMatchObject({
      steps: [{ status: "admitted" }],
    })
    expect(scene.propose("root", [], { preparedRequestId: "prepared1" })).toBe("prepared_request_invalid")
  })

  it("of depth binds the workflow and the role (I2)", () => {
    for (const more of [{ limits: { maxDepth: 1 } }, { devLimits: { maxDepth: 1 } }]) {
      const scene = new Scene(team(more))
      scene.child("c1")
      expect(scene.say({ _tag: "offer", sessionId: "c1", toRole: "dev", summary: null })).toBe("limit_exceeded")
    }
  })

  it("that was raised for the workflow's duration moves its end", () => {
    const scene = new Scene(team({ limits: { maxDurationMs: 1000 } }))
    scene.say({ _tag: "raiseLimits", limits: { maxDurationMs: 5000 } })
    scene.now = 1000 + 4999
    expect(scene.say({ _tag: "attach", sessionId: "root" })).toMatchObject({ status: "active" })
    scene.now = 1000 + 5000
    expect(scene.say({ _tag: "attach", sessionId: "root" })).toBe("session_killed")
  })
})

it("what a binding has moved goes back past a parent that ends in the same event, to the one that lives (§12)", () => {
  const scene = new Scene()
  scene.propose("root", ["doc a"])
  scene.receipt("root", "step1")
  scene.child("c1", "root", ["doc a"])
  scene.child("c2", "c1", ["doc a"])
  expect(scene.owner("doc a")).toBe("c2")
  scene.say({ _tag: "kill", scope: "subtree", sessionId: "c1", reason: "stop" })
  expect(scene.owner("doc a")).toBe("root")
})

it("in the moment in which a workflow ends nothing of it expires or is reclaimed before (§12)", () => {
  const scene = new Scene(
    team({ limits: { maxDurationMs: 1000 }, edge: { offerTimeoutMs: 1000, claimTimeoutMs: 1000 } }),
  )
  scene.child("c1")
  scene.say({ _tag: "offer", sessionId: "root", handoffId: "h2", toRole: "dev", summary: null })
  const before = scene.events.length
  scene.now += 1000
  expect(scene.say({ _tag: "attach", sessionId: "root" })).toBe("session_killed")
  expect(scene.events.slice(before).map(({ body }) => body._tag)).toEqual(["killed"])
})

describe("a commit that names a token", () => {
  const held = (): Scene => {
    const scene = new Scene()
    // The root's own work is the first grant, the claim the second.
    scene.propose("root", ["doc a"])
    scene.receipt("root", "step1")
    scene.child("c1", "root", ["doc a"])
    scene.propose("c1", ["doc a"])
    return scene
  }
  const commit = (scene: Scene, token: number) =>
    scene.receipt("c1", "step2", "committed", { fences: [{ ...ref("doc a"), token }] })

  it("that was overtaken or never granted is refused, and changes nothing", () => {
    const scene = held()
    expect([commit(scene, 1), commit(scene, 3)]).toEqual(["stale_fence", "invalid_request"])
    expect(scene.steps).toEqual({ step2: "admitted" })
    expect(commit(scene, 2)).toMatchObject({ steps: [{ status: "committed" }] })
  })
})

it("a contract that takes no id from the arguments refuses the call", () => {
  const definition = team()
  const tool = {
    tool: "work",
    sideEffect: "write" as const,
    evidenceClass: "ack_only" as const,
    resources: [{ name: "env", key: { path: ["target"] } }],
    estimate: null,
    timeoutMs: null,
    rest: {},
  }
  const scene = new Scene({ ...definition, roles: definition.roles.map((role) => ({ ...role, tools: [tool] })) })
  const propose = (target: unknown) =>
    scene.say({ _tag: "propose", sessionId: "root", calls: [{ tool: "work", arguments: { target } }] })
  for (const target of ["", "no id", "x".repeat(129), null, {}]) expect(propose(target)).toBe("invalid_request")
  expect(propose("prod")).toMatchObject({ steps: [{ status: "admitted" }] })
  expect(propose("prod")).toBe("resource_pending")
})
