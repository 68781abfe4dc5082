/** A session that dies: what runs is aborted, what is certain is still recorded, and nothing more is done (semantics.md §8, I5). */
import { describe, expect, test } from "vitest"
import { makeMemoryStore, outcomeOf, ReplayKillError } from "../../src/index.ts"
import { aborted, errorOf, gate, governance, happened, lead, openRuntime, resolutions, worker } from "./fixtures.ts"
import { delayed, flaky } from "./flaky.ts"

describe("a kill in the middle of a tool", () => {
  test("aborts its signal; what it did is recorded late, and its caller gets the kill", async () => {
    const runtime = await openRuntime()
    const started = gate()
    const session = lead(runtime, governance(), {
      post: async (_: unknown, { signal }) => {
        started.open()
        await aborted(signal).catch((reason) => expect(reason).toBeInstanceOf(ReplayKillError))
        return "sent all the same"
      },
    })
    const call = errorOf(session.tools.post(null))
    await started.opened
    const kill = await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    const error = await call
    expect(error).toBeInstanceOf(ReplayKillError)
    expect(error).toMatchObject({ killId: kill.killId, reason: "enough", sessionId: "root", workflowId: "w1" })
    expect(outcomeOf(error)).toMatchObject({ tool: "post", outcome: "committed", reported: true })
    expect(await resolutions(runtime)).toEqual(["post committed late"])
    expect((await runtime.getKill("w1", kill.killId)).state).toBe("quiescent")
  })

  test("and a rolled back transaction is recorded as without effect", async () => {
    const runtime = await openRuntime()
    const started = gate()
    const session = lead(runtime, governance(), {
      transact: async (_: unknown, { signal }) => {
        started.open()
        await aborted(signal).catch(() => {})
        throw new Error("rolled back")
      },
    })
    const call = errorOf(session.tools.transact(null))
    await started.opened
    await runtime.kill({ scope: "session", sessionId: "root", reason: "enough" })
    const error = await call
    expect(error).toBeInstanceOf(ReplayKillError)
    expect(error).toMatchObject({ cause: new Error("rolled back") })
    expect(outcomeOf(error)).toMatchObject({ outcome: "aborted", reported: true })
    expect(await resolutions(runtime)).toEqual(["transact aborted late"])
  })

  test("and what is not known stays with the orphan, which goes on holding its resources", async () => {
    const runtime = await openRuntime()
    const started = gate()
    const session = lead(runtime, governance(), {
      migrate: (_: { database: string }, { signal }) => {
        started.open()
        return aborted(signal)
      },
    })
    const call = errorOf(session.tools.migrate({ database: "main" }))
    await started.opened
    const kill = await session.kill({ scope: "subtree", reason: "my own mistake" })
    expect(kill).toMatchObject({ state: "fenced", counts: { orphanedSteps: 1 } })
    expect(outcomeOf(await call)).toMatchObject({ outcome: "unknown" })
    expect(await resolutions(runtime)).toEqual([])
  })

  test("and a tool that ignores its signal is left behind, and reports when it ends", async () => {
    const runtime = await openRuntime()
    const started = gate()
    const late = gate<string>()
    const session = lead(runtime, governance(), {
      post: () => {
        started.open()
        return late.opened
      },
    })
    const call = errorOf(session.tools.post())
    await started.opened
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    expect(await call).toBeInstanceOf(ReplayKillError)
    expect(await resolutions(runtime)).toEqual([])
    late.open("at last")
    await happened(runtime, (body) => body._tag === "steps.resolved")
    expect(await resolutions(runtime)).toEqual(["post committed late"])
  })
})

test("a kill between admission and run runs nothing, and the step is recorded as without effect", async () => {
  const runtime = await openRuntime()
  let ran = false
  const killing = delayed(runtime, "propose", async () => {
    const heard = new Promise((resolve) => session.signal.addEventListener("abort", resolve))
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    await heard
  })
  const session = lead(killing, governance(), {
    post: () => {
      ran = true
    },
  })
  expect(await errorOf(session.tools.post())).toBeInstanceOf(ReplayKillError)
  expect(ran).toBe(false)
  expect(await resolutions(runtime)).toEqual(["post aborted late"])
})

describe("a killed session", () => {
  test("hears of it from another runtime, also when it does nothing; every later call throws", async () => {
    const store = makeMemoryStore()
    const session = lead(await openRuntime(store), governance(), { look: () => 1 })
    await session.ready()
    const heard = new Promise((resolve) => session.signal.addEventListener("abort", resolve))
    await (await openRuntime(store)).kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    await heard
    expect(session.signal.reason).toBeInstanceOf(ReplayKillError)
    const calls = [
      () => session.ready(),
      () => session.tools.look(),
      () => session.handoff({ toRole: "worker" }),
      () => session.awaitHandoff({ handoffId: "h1" }),
      () => session.reclaim({ handoffId: "h1" }),
      () => session.withdraw({ handoffId: "h1" }),
      () => session.heartbeat(),
      () => session.receipt({ stepId: "s1", outcome: "aborted" }),
      () => session.getState(),
      () => session.getWorkflowState(),
      () => session.complete(),
      () => session.fail("late"),
      () => session.kill({ scope: "session", reason: "again" }),
    ]
    for (const call of calls) expect(await errorOf(call()), String(call)).toBeInstanceOf(ReplayKillError)
  })

  test("is told by a refusal where no event reached it", async () => {
    const runtime = await openRuntime()
    const deaf = flaky(runtime, "events", Number.POSITIVE_INFINITY)
    const session = lead(deaf, governance(), { look: () => 1 })
    await session.tools.look()
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    expect(session.signal.aborted).toBe(false)
    expect(await errorOf(session.tools.look())).toMatchObject({ name: "ReplayKillError", reason: "enough" })
    expect(session.signal.aborted).toBe(true)
  })

  test("by its own hand is dead at once", async () => {
    const runtime = await openRuntime()
    const session = lead(flaky(runtime, "events", Number.POSITIVE_INFINITY), governance(), {})
    const { killId } = await session.kill({ scope: "session", reason: "my own mistake" })
    expect(session.signal.reason).toMatchObject({ name: "ReplayKillError", killId, reason: "my own mistake" })
  })

  test("hears of its kill although the store was away for a while", async () => {
    const runtime = await openRuntime()
    const session = lead(flaky(runtime, "events", 3), governance(), { look: () => 1 })
    await session.ready()
    const heard = new Promise((resolve) => session.signal.addEventListener("abort", resolve))
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    await heard
    expect(session.signal.reason).toBeInstanceOf(ReplayKillError)
  })

  test("does not wait for its turn any more", async () => {
    const runtime = await openRuntime()
    const first = gate()
    const session = lead(runtime, governance(), { migrate: (_: { database: string }) => first.opened })
    const holding = errorOf(session.tools.migrate({ database: "main" }))
    const waiting = errorOf(session.tools.migrate({ database: "main" }))
    let proposals = 0
    await happened(runtime, (body) => body._tag === "steps.proposed" && ++proposals === 2)
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    expect(await waiting).toBeInstanceOf(ReplayKillError)
    first.open()
    expect(await holding).toBeInstanceOf(ReplayKillError)
  })

  test("dies with its parent, and a parent that waited for it does too", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const parent = lead(runtime, folder, {})
    const ticket = await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const child = worker(runtime, folder, {})
    await child.ready()
    const heard = new Promise((resolve) => child.signal.addEventListener("abort", resolve))
    const waiting = errorOf(parent.awaitHandoff(ticket))
    await runtime.kill({ scope: "subtree", sessionId: "root", reason: "enough" })
    await heard
    expect(child.signal.reason).toMatchObject({ name: "ReplayKillError", sessionId: child.sessionId })
    expect(await waiting).toBeInstanceOf(ReplayKillError)
  })

  test("another's kill changes nothing for it; its parent learns how the handoff ended", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const parent = lead(runtime, folder, {})
    const waiting = parent.awaitHandoff(await parent.handoff({ toRole: "worker", handoffId: "h1" }))
    const child = worker(runtime, folder, {}, { sessionId: "child" })
    await child.ready()
    await runtime.kill({ scope: "session", sessionId: "child", reason: "enough" })
    expect(await waiting).toMatchObject({ status: "killed", reason: "enough" })
    expect(parent.signal.aborted).toBe(false)
    expect(await parent.complete()).toMatchObject({ status: "completed" })
  })

  test("can't be opened again, and a killed workflow can't be joined", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const first = lead(runtime, folder, {})
    await first.handoff({ toRole: "worker", handoffId: "h1" })
    await first.kill({ scope: "workflow", reason: "enough" })
    expect(await errorOf(lead(runtime, folder, {}).ready())).toMatchObject({
      name: "ReplayKillError",
      reason: "enough",
    })
    const child = worker(runtime, folder, {})
    expect(await errorOf(child.ready())).toMatchObject({ name: "ReplayKillError", sessionId: null, workflowId: "w1" })
    expect(child.signal.aborted).toBe(true)
  })
})

test("a session that an operator has failed stops as well, with the reason", async () => {
  const runtime = await openRuntime()
  const folder = governance()
  const parent = lead(runtime, folder, {})
  await parent.handoff({ toRole: "worker", handoffId: "h1" })
  const child = worker(runtime, folder, {})
  await child.ready()
  const heard = new Promise((resolve) => child.signal.addEventListener("abort", resolve))
  await runtime.failHandoff({ workflowId: "w1", handoffId: "h1", reason: "not needed" })
  await heard
  expect(child.signal.reason).toMatchObject({ code: "session_not_active", facts: { status: "failed" } })
})
