/** Leaving a session and coming back to it: after a crash, after `close`, and after the caller's own signal. */
import { describe, expect, test } from "vitest"
import { makeMemoryStore } from "../../src/index.ts"
import { aborted, errorOf, gate, governance, happened, lead, openRuntime, resolutions, worker } from "./fixtures.ts"

describe("a restarted agent", () => {
  test("finds its session again by its id, and the steps that it does not know the end of", async () => {
    const store = makeMemoryStore()
    const folder = governance()
    const parent = lead(await openRuntime(store), folder, {})
    await parent.handoff({ toRole: "worker", handoffId: "h1", summary: { task: "deploy" } })
    const first = worker(
      await openRuntime(store),
      folder,
      { deploy: (_: { environment: string }) => 1 },
      { sessionId: "child" },
    )
    await first.ready()
    // The process dies in the middle of its tool: the step is admitted, and no receipt is ever sent.
    const runtime = await openRuntime(store)
    const resources = [{ name: "environment", key: "prod" }]
    const call = { tool: "deploy", arguments: { environment: "prod" }, resources }
    const { steps } = await runtime.propose({ sessionId: "child", calls: [call] })

    const again = worker(runtime, folder, {}, { sessionId: "child" })
    await again.ready()
    expect(again.sessionId).toBe("child")
    expect(again.handedOver).toMatchObject({ handoffId: "h1", generation: 1, summary: { task: "deploy" } })
    expect(again.unresolved).toMatchObject([{ tool: "deploy", status: "admitted", arguments: { environment: "prod" } }])
    expect((await runtime.listSessions({ workflowId: "w1" })).items).toHaveLength(2)
    expect(await errorOf(again.complete())).toMatchObject({ code: "steps_unresolved" })
    await again.receipt({ stepId: steps[0]?.stepId ?? "", outcome: "committed", evidence: { found: "deployed" } })
    expect(await again.complete()).toMatchObject({ status: "completed" })
  })

  test("finds the root again too, and can't take another's place", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const first = lead(runtime, folder, { look: () => 1 })
    await first.tools.look()
    await first.close()
    const again = lead(runtime, folder, { look: () => 2 })
    expect(await again.tools.look()).toBe(2)
    expect(await errorOf(lead(runtime, folder, {}, { sessionId: "other" }).ready())).toMatchObject({
      code: "workflow_exists",
    })
  })

  test("can't go on with a session that has ended", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    await lead(runtime, folder, {}).complete()
    expect(await errorOf(lead(runtime, folder, {}).ready())).toMatchObject({
      code: "session_not_active",
      facts: { status: "completed" },
    })
  })

  test("opens once, however many use it at once, and tries again after trouble", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), { look: () => 1 })
    await Promise.all([session.ready(), session.tools.look(), session.tools.look(), session.getState()])
    expect((await runtime.listSessions({ workflowId: "w1" })).items).toHaveLength(1)
    const folder = governance()
    const child = worker(runtime, folder, {})
    expect(await errorOf(child.ready())).toMatchObject({ code: "handoff_not_found" })
    await session.handoff({ toRole: "worker", handoffId: "h1" })
    await child.ready()
    expect(child.handedOver?.handoffId).toBe("h1")
  })

  test("knows nothing of itself before it is open", async () => {
    const session = lead(await openRuntime(), governance(), {})
    for (const read of [() => session.sessionId, () => session.handedOver, () => session.unresolved])
      expect(read).toThrow(/await session.ready\(\)/)
    expect(session).toMatchObject({ workflowId: "w1", role: "lead", agent: "lead", client: null })
    await session.ready()
    expect(session.sessionId).toBe("root")
    expect(session.unresolved).toEqual([])
  })
})

describe("close", () => {
  test("aborts what runs, sends its receipts, and leaves the session active", async () => {
    const runtime = await openRuntime()
    const started = gate()
    const session = lead(runtime, governance(), {
      transact: (_: unknown, { signal }) => {
        started.open()
        return aborted(signal)
      },
    })
    const call = errorOf(session.tools.transact(null))
    await started.opened
    let isAnswered = false
    const answered = call.then(() => {
      isAnswered = true
    })
    await session.close()
    expect(isAnswered).toBe(true)
    await answered
    expect(await call).toMatchObject({ code: "closed" })
    expect(await resolutions(runtime)).toEqual(["transact aborted"])
    expect(await runtime.getSession("root")).toMatchObject({ status: "active", steps: [] })
    expect(await errorOf(session.tools.transact(null))).toMatchObject({ code: "closed" })
    expect(session.signal.aborted).toBe(false)
  })

  test("gives up the places that it has in a queue", async () => {
    const runtime = await openRuntime()
    const first = gate()
    const session = lead(runtime, governance(), { migrate: (_: { database: string }) => first.opened })
    const holding = session.tools.migrate({ database: "main" })
    const waiting = errorOf(session.tools.migrate({ database: "main" }))
    let proposals = 0
    await happened(runtime, (body) => body._tag === "steps.proposed" && ++proposals === 2)
    const closing = session.close()
    expect(await waiting).toMatchObject({ code: "closed" })
    first.open()
    await Promise.all([closing, holding])
    expect(await resolutions(runtime)).toEqual(expect.arrayContaining(["migrate aborted", "migrate committed"]))
  })

  test("happens by itself at the end of a block", async () => {
    const runtime = await openRuntime()
    const use = async () => {
      await using session = lead(runtime, governance(), { look: () => 1 })
      await session.tools.look()
      return session
    }
    expect(await errorOf((await use()).getState())).toMatchObject({ code: "closed" })
    expect(await runtime.getSession("root")).toMatchObject({ status: "active" })
  })

  test("before anything was opened creates nothing", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), {})
    await session.close()
    await session.close()
    expect((await runtime.listWorkflows()).items).toEqual([])
  })
})

describe("the caller's signal", () => {
  test("stops the session in this process with its reason", async () => {
    const runtime = await openRuntime()
    const stop = new AbortController()
    const started = gate()
    const session = lead(
      runtime,
      governance(),
      {
        transact: (_: unknown, { signal }) => {
          started.open()
          return aborted(signal)
        },
      },
      { signal: stop.signal },
    )
    const call = errorOf(session.tools.transact(null))
    await started.opened
    const why = new Error("the user went home")
    stop.abort(why)
    expect(await call).toBe(why)
    expect(session.signal.reason).toBe(why)
    expect(await errorOf(session.complete())).toBe(why)
    // The first end counts.
    await session.close()
    expect(await errorOf(session.complete())).toBe(why)
    expect(await runtime.getSession("root")).toMatchObject({ status: "active" })
  })

  test("that has aborted before stops it before anything is created", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), {}, { signal: AbortSignal.abort(new Error("too late")) })
    expect(await errorOf(session.ready())).toEqual(new Error("too late"))
    expect((await runtime.listWorkflows()).items).toEqual([])
  })
})

test("a runtime that is closed under its session ends it", async () => {
  const runtime = await openRuntime()
  const session = lead(runtime, governance(), { migrate: (_: { database: string }) => 1 })
  // The second call is told of its turn by an event: the session listens.
  await Promise.all([1, 2].map(() => session.tools.migrate({ database: "main" })))
  const heard = new Promise((resolve) => session.signal.addEventListener("abort", resolve))
  await runtime.close()
  await heard
  expect(await errorOf(session.tools.migrate({ database: "main" }))).toMatchObject({ code: "closed" })
})
