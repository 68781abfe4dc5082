/** A team at work: a root, its child, what they hand to each other, and how they end. */
import { describe, expect, test } from "vitest"
import { makeMemoryStore, WorkflowError } from "../../src/index.ts"
import {
  errorOf,
  gate,
  governance,
  happened,
  lead,
  openRuntime,
  resolutions,
  resolved,
  worker,
  workflowYaml,
} from "./fixtures.ts"
import { delayed, watched } from "./flaky.ts"

describe("a root session", () => {
  test("is created on first use, with the definition and the contracts of every role", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), { look: ({ at }: { at: string }) => ({ seen: at }) })
    expect((await runtime.listWorkflows()).items).toEqual([])
    expect(await session.tools.look({ at: "main" })).toEqual({ seen: "main" })
    expect(await session.getState()).toMatchObject({ sessionId: "root", role: "lead", status: "active", steps: [] })
    const workflow = await session.getWorkflowState()
    expect(workflow.ledger.cost).toMatchObject({ used: 1, reserved: 0 })
    expect(workflow.resources).toEqual([])
    expect(session.handedOver).toBeNull()
  })

  test("completes its workflow, and refuses what comes after", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), { look: () => 1 })
    await session.tools.look()
    expect(await session.complete({ ok: true })).toMatchObject({ status: "completed", workflowStatus: "completed" })
    expect(session.signal.aborted).toBe(false)
    expect(await errorOf(session.tools.look())).toMatchObject({ code: "session_not_active" })
    expect(await errorOf(session.complete())).toMatchObject({ code: "session_not_active" })
  })

  test("gives up: what it has running is aborted", async () => {
    const runtime = await openRuntime()
    const started = gate<AbortSignal>()
    const session = lead(runtime, governance(), {
      post: (_: object, { signal }) => {
        started.open(signal)
        return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      },
    })
    const call = errorOf(session.tools.post({}))
    const signal = await started.opened
    expect(await session.fail("no budget left")).toMatchObject({ status: "failed", workflowStatus: "failed" })
    expect(signal.aborted).toBe(true)
    expect(await call).toMatchObject({ code: "session_not_active" })
  })

  test("evidence is the result, or what the tool says in its place, with what it really cost", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(), {
      look: () => ({ lines: 3 }),
      transact: (_: unknown, { settle }) => {
        settle({ actualCost: 2.5, evidence: { hash: "abc" } })
        return "secret"
      },
      post: () => "x".repeat(20_000),
      guess: () => () => "no JSON",
    })
    await session.tools.look()
    expect(await session.tools.transact(null)).toBe("secret")
    await session.tools.post()
    await session.tools.guess()
    const [look, transact, post, guess] = await resolved(runtime)
    expect(look).toMatchObject({ cost: 1_000_000, evidence: { lines: 3 } })
    expect(transact).toMatchObject({ cost: 2_500_000, evidence: { hash: "abc" } })
    expect(post).not.toHaveProperty("evidence")
    expect(guess).not.toHaveProperty("evidence")
  })
})

describe("a handoff", () => {
  test("is claimed, made progress on and completed; the parent is told the result", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const parent = lead(runtime, folder, {})
    const artifacts = [{ uri: "file:plan.json" }]
    const ticket = await parent.handoff({ toRole: "worker", handoffId: "h1", summary: { task: "deploy" }, artifacts })
    expect(ticket).toMatchObject({ handoffId: "h1", status: "offered", generation: 1 })
    const waiting = parent.awaitHandoff(ticket)

    const fences: Array<unknown> = []
    const child = worker(runtime, folder, {
      deploy: (_: { environment: string }, context) => fences.push(...context.fences),
    })
    await child.ready()
    expect(child.handedOver).toMatchObject({ handoffId: "h1", generation: 1, summary: { task: "deploy" }, artifacts })
    await child.tools.deploy({ environment: "prod" })
    expect(fences).toEqual([
      { name: "environment", key: "prod", token: 1 },
      { name: "migration", key: "main", token: 1 },
    ])
    await child.complete({ version: 7 }, { artifacts: [{ uri: "file:done.json" }] })

    expect(await waiting).toEqual({
      handoffId: "h1",
      status: "completed",
      generation: 1,
      result: { version: 7 },
      artifacts: [{ uri: "file:done.json" }],
      reason: null,
      sessionId: child.sessionId,
    })
    expect(await parent.awaitHandoff({ handoffId: "h1" })).toMatchObject({ status: "completed" })
    expect(await parent.complete()).toMatchObject({ workflowStatus: "completed" })
  })

  test("can be awaited across two runtimes on one store", async () => {
    const store = makeMemoryStore()
    const folder = governance()
    const parent = lead(await openRuntime(store), folder, {})
    const ticket = await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const waiting = parent.awaitHandoff(ticket)
    const child = worker(await openRuntime(store), folder, {})
    await child.fail("cannot")
    expect(await waiting).toMatchObject({ status: "failed", reason: "cannot", result: null })
  })

  test("a wait ends with its signal or its time, and the handoff goes on", async () => {
    const runtime = await openRuntime()
    const parent = lead(runtime, governance(), {})
    const ticket = await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const stop = new AbortController()
    const waiting = errorOf(parent.awaitHandoff(ticket, { signal: stop.signal }))
    stop.abort(new Error("enough"))
    expect(await waiting).toEqual(new Error("enough"))
    expect(await errorOf(parent.awaitHandoff(ticket, { signal: stop.signal }))).toEqual(new Error("enough"))
    expect(await errorOf(parent.awaitHandoff(ticket, { timeoutMs: 5 }))).toMatchObject({ name: "TimeoutError" })
    expect(await parent.withdraw(ticket)).toMatchObject({ status: "withdrawn" })
    expect(await parent.awaitHandoff(ticket)).toMatchObject({ status: "withdrawn", sessionId: null })
    expect(await errorOf(parent.awaitHandoff({ handoffId: "h9" }))).toMatchObject({ code: "handoff_not_found" })
  })

  test("that ends while its waiting parent asks for it is not missed (I11)", async () => {
    const runtime = await openRuntime()
    const withdrawn = gate()
    const meanwhile = async () => {
      await parent.withdraw({ handoffId: "h1" })
      // The second of them is told of its turn by an event, and events come in order: the parent has heard of the end.
      await Promise.all([1, 2].map(() => parent.tools.migrate({ database: "main" })))
      withdrawn.open()
    }
    let asked = 0
    const slow = delayed(runtime, "getHandoff", () => (asked++ === 0 ? meanwhile() : withdrawn.opened))
    const parent = lead(slow, governance(), { migrate: (_: { database: string }) => 1 })
    expect(await parent.awaitHandoff(await parent.handoff({ toRole: "worker", handoffId: "h1" }))).toMatchObject({
      status: "withdrawn",
    })
  })

  test("one of two claimants wins, and the other is told why it lost (I1)", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    await lead(runtime, folder, {}).handoff({ toRole: "worker", handoffId: "h1" })
    const both = [worker(runtime, folder, {}), worker(runtime, folder, {})]
    const ended = await Promise.allSettled(both.map((session) => session.ready()))
    expect(ended.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    const lost = ended.find((each) => each.status === "rejected")?.reason
    expect(lost).toBeInstanceOf(WorkflowError)
    expect(lost).toMatchObject({ code: "handoff_already_claimed" })
  })

  test("a reclaim fences the claimant, and the next one gets the next generation (I5)", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const parent = lead(runtime, folder, {})
    const ticket = await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const first = worker(runtime, folder, { deploy: () => 1 })
    await first.ready()
    const heard = new Promise((resolve) => first.signal.addEventListener("abort", () => resolve(first.signal.reason)))
    expect(await parent.reclaim(ticket)).toMatchObject({ status: "offered", generation: 2 })
    expect(await heard).toMatchObject({ name: "ReplayKillError", reason: "reclaimed", sessionId: first.sessionId })
    expect(await errorOf(first.tools.deploy())).toMatchObject({ name: "ReplayKillError" })
    const second = worker(runtime, folder, {}, { sessionId: "second" })
    await second.ready()
    expect(second.handedOver).toMatchObject({ generation: 2 })
  })

  test("its lease is renewed until the first committed step, and no longer", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    await lead(runtime, folder, {}).handoff({ toRole: "worker", handoffId: "h1" })
    const silent = worker(runtime, folder, {}, { autoHeartbeat: false, sessionId: "silent" })
    await silent.ready()
    expect(await silent.heartbeat()).toMatchObject({ claimDeadline: expect.any(Number) })
    await silent.close()
    let renewals = 0
    const child = worker(runtime, folder, { deploy: (_: { environment: string }) => 1 }, { sessionId: "silent" })
    await child.ready()
    // The first of them is at once, the second a third of the lease later.
    await happened(runtime, (body) => body._tag === "lease.renewed" && ++renewals === 3)
    await child.tools.deploy({ environment: "prod" })
    expect(await child.heartbeat()).toMatchObject({ claimDeadline: null })
  })
})

describe("shared resources", () => {
  test("serial_only calls run one after another, with growing fences (I4, I11)", async () => {
    const runtime = await openRuntime()
    const running: Array<string> = []
    const tokens: Array<number | undefined> = []
    const session = lead(runtime, governance(), {
      migrate: async ({ id }: { database: string; id: number }, { fences }) => {
        running.push(`start ${id}`)
        tokens.push(fences[0]?.token)
        await new Promise((resolve) => setImmediate(resolve))
        running.push(`end ${id}`)
        return id
      },
    })
    const results = await Promise.all([1, 2, 3, 4].map((id) => session.tools.migrate({ database: "main", id })))
    expect(results).toEqual([1, 2, 3, 4])
    expect(running).toEqual([1, 2, 3, 4].flatMap((id) => [`start ${id}`, `end ${id}`]))
    expect(tokens).toEqual([1, 2, 3, 4])
    expect(await resolutions(runtime)).toEqual(
      ["migrate", "migrate", "migrate", "migrate"].map((t) => `${t} committed`),
    )
  })

  test("a commit names the tokens under which its tool ran", async () => {
    const runtime = await openRuntime()
    const receipts: Array<unknown> = []
    const client = watched(runtime, "receipt", (input) => receipts.push(input))
    const session = lead(client, governance(), { migrate: (_: { database: string }) => 1 })
    await session.tools.migrate({ database: "main" })
    expect(receipts).toMatchObject([{ receipts: [{ fences: [{ name: "migration", key: "main", token: 1 }] }] }])
  })

  test("are held although the workflow's definition came without the contract", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const root = { workflowId: "w1", sessionId: "root", role: "lead", agent: "lead" }
    const parent = await runtime.createRoot({ ...root, definition: workflowYaml })
    await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const child = worker(runtime, folder, { deploy: (_: { environment: string }, { fences }) => fences.length })
    // Its price is nowhere: an unknown one never passes for free.
    expect(await errorOf(child.tools.deploy({ environment: "prod" }))).toMatchObject({ code: "cost_unknown" })
    const free = await openRuntime()
    const definition = workflowYaml.replace(", max_cost: 100", "")
    await (await free.createRoot({ ...root, definition })).handoff({ toRole: "worker", handoffId: "h1" })
    const other = worker(free, folder, { deploy: (_: { environment: string }, { fences }) => fences.length })
    expect(await other.tools.deploy({ environment: "prod" })).toBe(2)
  })

  test("a tool runs with the arguments that were admitted, whatever its caller does to them meanwhile", async () => {
    const runtime = await openRuntime()
    const first = gate()
    const session = lead(runtime, governance(), {
      migrate: async ({ table }: { database: string; table: string }) => {
        await first.opened
        return table
      },
    })
    const blocking = session.tools.migrate({ database: "main", table: "a" })
    const args = { database: "main", table: "b" }
    const queued = session.tools.migrate(args)
    args.table = "everything"
    first.open()
    expect(await Promise.all([blocking, queued])).toEqual(["a", "b"])
  })

  test("a second taker of an exclusive_pending resource is refused, naming the holder", async () => {
    const runtime = await openRuntime()
    const folder = governance({
      "lead/migrate.yaml":
        "tool: migrate\nside_effect: write\ncost: { estimate: 1 }\nresources: [{ name: environment, key: prod }]",
    })
    const first = gate()
    const session = lead(runtime, folder, { migrate: () => first.opened })
    const holding = session.tools.migrate()
    await happened(runtime, (body) => body._tag === "steps.proposed")
    expect(await errorOf(session.tools.migrate())).toMatchObject({ code: "resource_pending" })
    first.open()
    await holding
  })
})

test("events are read from the beginning, live, until the session is closed", async () => {
  const runtime = await openRuntime()
  const session = lead(runtime, governance(), { look: () => 1 })
  const tags: Array<string> = []
  const seen = gate()
  const reading = (async () => {
    for await (const { body } of session.events()) {
      tags.push(body._tag)
      if (body._tag === "steps.resolved") seen.open()
    }
  })()
  await session.tools.look()
  await seen.opened
  await session.close()
  await reading
  expect(tags).toEqual(["workflow.created", "steps.proposed", "steps.resolved"])
})
