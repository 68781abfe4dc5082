/** `handrail mcp` over standard input and output: a real process, and the official client. */
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, test } from "vitest"
import { answer, governance, refusal, rootOf, started, storeIn } from "./fixtures.ts"

const claim = { handoff_id: "h1", parent_session_id: "lead-1", role: "worker" }

describe("an agent without an SDK", () => {
  test("claims, proposes, sends its receipt and completes; every answer has its schema's form", async () => {
    const { store, runtime } = await storeIn(governance())
    const lead = await rootOf(runtime)
    await lead.handoff({ toRole: "worker", handoffId: "h1", summary: { task: "write" } })
    const host = await started(["mcp", "--store", store, "--workflow", "w1", "--agent", "writer"])
    const { tools } = await host.client.listTools()
    expect(tools.map(({ name }) => name)).toEqual([
      "claim",
      "handoff",
      "propose",
      "receipt",
      "complete",
      "fail",
      "state",
      "heartbeat",
      "kill_self",
    ])
    const opened = answer(await host.call("claim", { ...claim, session_id: "worker-1" }))
    expect(opened).toMatchObject({
      session_id: "worker-1",
      agent: "writer",
      handoff: { handoff_id: "h1", summary: { task: "write" } },
    })
    expect(JSON.stringify(opened)).not.toMatch(/hrs_|token/)
    const call = { tool: "write_page", arguments: { page: "a" }, resources: [{ name: "document", key: "a" }] }
    const proposal = { calls: [call], usage: { input_tokens: 10, output_tokens: 2, cost: 0.25 } }
    const proposed = answer(await host.call("propose", { ...proposal, idempotency_key: "turn-1" }))
    expect(proposed.steps).toMatchObject([{ status: "admitted", fences: [{ name: "document", key: "a", token: 1 }] }])
    // The same call with the same key acts once.
    expect(answer(await host.call("propose", { ...proposal, idempotency_key: "turn-1" }))).toEqual(proposed)
    const [{ step_id }] = proposed.steps as [{ step_id: string }]
    expect(answer(await host.call("heartbeat"))).toHaveProperty("claim_deadline")
    const state = answer(await host.call("state", { step_id, workflow: true }))
    expect(state).toMatchObject({
      session: { session_id: "worker-1", steps: [{ step_id }] },
      step: { step_id, status: "admitted" },
      workflow: { workflow_id: "w1", ledger: { cost: { used: 0.25 } } },
    })
    const receipts = [{ step_id, outcome: "committed", actual_cost: 0.1, evidence: { written: true } }]
    expect(answer(await host.call("receipt", { receipts })).steps).toMatchObject([{ step_id, status: "committed" }])
    expect(answer(await host.call("complete", { result: { pages: 1 } }))).toMatchObject({
      status: "completed",
      handoff_id: "h1",
    })
    expect(await runtime.getHandoff("w1", "h1")).toMatchObject({ status: "completed", result: { pages: 1 } })
    expect(refusal(await host.call("propose", proposal))).toBe("session_not_active")
    expect(host.told()).toBe("")
  })

  test("creates a workflow, hands work over, and waits for its end", async () => {
    const folder = governance()
    const { store, runtime } = await storeIn(folder)
    const session = ["--workflow", "w1", "--role", "lead", "--definition", folder, "--session", "lead-1"]
    const host = await started(["mcp", "--store", store, ...session])
    expect(host.told()).toContain("session lead-1 in workflow w1")
    expect(host.client.getInstructions()).toContain("You are session lead-1, lead in workflow w1")
    const ticket = answer(await host.call("handoff", { to_role: "worker", handoff_id: "h1", summary: { task: 1 } }))
    expect(ticket).toMatchObject({ handoff_id: "h1", status: "offered" })
    const waits = host.call("state", { handoff_id: "h1", wait_ms: 20_000 })
    const worker = await runtime.claim({
      workflowId: "w1",
      handoffId: "h1",
      parentSessionId: "lead-1",
      role: "worker",
      agent: "w",
    })
    await worker.fail("no ink")
    expect(answer(await waits)).toMatchObject({ handoff: { status: "failed", reason: "no ink" } })
    expect(answer(await host.call("fail", { reason: "no ink either" }))).toMatchObject({ workflow_status: "failed" })
  })

  test("waits for its turn on a busy resource", async () => {
    const { store, runtime } = await storeIn(governance())
    const lead = await rootOf(runtime)
    const call = { tool: "append", resources: [{ name: "queue", key: "q" }] }
    const [first] = await lead.propose({ calls: [call] })
    await lead.handoff({ toRole: "worker", handoffId: "h1" })
    const host = await started(["mcp", "--store", store, "--workflow", "w1"])
    await host.call("claim", claim)
    const [step] = answer(await host.call("propose", { calls: [call] })).steps as [{ step_id: string; status: string }]
    expect(step.status).toBe("queued")
    const { step_id } = step
    expect(answer(await host.call("state", { step_id }))).toMatchObject({ step: { status: "queued" } })
    const turn = host.call("state", { step_id, wait_ms: 20_000 })
    await lead.receipt({ receipts: [{ stepId: first?.stepId ?? "", outcome: "aborted" }] })
    expect(answer(await turn)).toMatchObject({ step: { step_id, status: "admitted", fences: [{ token: 2 }] } })
  })
})

describe("a session's life", () => {
  test("its lease is renewed while the connection lives, and runs out after it", async () => {
    const { store, runtime } = await storeIn(governance())
    const lead = await rootOf(runtime)
    await lead.handoff({ toRole: "worker", handoffId: "h1" })
    const host = await started(["mcp", "--store", store, "--workflow", "w1"])
    answer(await host.call("claim", claim))
    let renewed = 0
    for await (const { body } of runtime.events({ workflowId: "w1" })) {
      if (body._tag === "lease.renewed") renewed += 1
      // Each comes a third of the lease after the one before: by the fourth it would have run out.
      if (renewed === 4) break
    }
    expect(await runtime.getHandoff("w1", "h1")).toMatchObject({ status: "claimed", generation: 1 })
    await host.client.close()
    for await (const { body } of runtime.events({ workflowId: "w1" })) if (body._tag === "handoff.reclaimed") break
    expect(await runtime.getHandoff("w1", "h1")).toMatchObject({ status: "offered", generation: 2 })
  })

  test("a connection that ends leaves its session active, and another process resumes it", async () => {
    const folder = governance()
    const { store, runtime } = await storeIn(folder)
    const args = [
      "mcp",
      "--store",
      store,
      "--workflow",
      "w1",
      "--role",
      "lead",
      "--definition",
      folder,
      "--session",
      "lead-1",
    ]
    const first = await started(args)
    const [step] = answer(await first.call("propose", { calls: [{ tool: "read_page" }] })).steps as [
      { step_id: string },
    ]
    await first.client.close()
    expect(await runtime.getSession("lead-1")).toMatchObject({ status: "active" })
    for (const again of [args, ["mcp", "--store", store, "--session", "lead-1"]]) {
      const { call, client } = await started(again)
      expect(answer(await call("state"))).toMatchObject({ session: { steps: [{ step_id: step.step_id }] } })
      await client.close()
    }
  })

  test("kill_self ends it for good, and a kill by others is told to every later call", async () => {
    const { store, runtime } = await storeIn(governance())
    const lead = await rootOf(runtime)
    await lead.handoff({ toRole: "worker", handoffId: "h1" })
    await lead.handoff({ toRole: "worker", handoffId: "h2" })
    const host = await started(["mcp", "--store", store, "--workflow", "w1"])
    answer(await host.call("claim", { ...claim, session_id: "a" }))
    expect(answer(await host.call("kill_self", { reason: "I loop" }))).toMatchObject({
      scope: "subtree",
      sessions: ["a"],
    })
    answer(await host.call("claim", { ...claim, handoff_id: "h2", session_id: "b" }))
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    for (const [name, args] of [
      ["propose", { calls: [{ tool: "t" }] }],
      ["complete", {}],
    ] as const) {
      const result = await host.call(name, args)
      expect(refusal(result)).toMatch(/^(session|workflow)_killed$/)
      expect(result.structuredContent).toMatchObject({ retryable: false, facts: { reason: "enough" } })
    }
    expect(answer(await host.call("state", { session_id: "b" }))).toMatchObject({ session: { status: "killed" } })
  })
})

describe("what can't be right", () => {
  test("is refused with its code, and facts; the server goes on", async () => {
    const { store, runtime } = await storeIn(governance())
    const lead = await rootOf(runtime)
    await lead.handoff({ toRole: "worker", handoffId: "h1" })
    await lead.handoff({ toRole: "worker", handoffId: "h2" })
    const host = await started(["mcp", "--store", store])
    const cases: ReadonlyArray<readonly [string, Record<string, unknown>, string]> = [
      ["propose", { calls: [{ tool: "t" }] }, "invalid_request"],
      ["claim", claim, "invalid_request"],
      ["claim", { ...claim, workflow_id: "none" }, "workflow_not_found"],
      ["claim", { ...claim, workflow_id: "w1", role: "lead" }, "role_mismatch"],
      ["claim", { ...claim, workflow_id: "w1", extra: 1 }, "invalid_request"],
      ["state", { session_id: "lead-1" }, "forbidden"],
      ["state", { wait_ms: 1e9 }, "invalid_request"],
      ["kill_self", { session_id: "lead-1", reason: "not mine" }, "forbidden"],
      ["receipt", { receipts: "all" }, "invalid_request"],
    ]
    for (const [name, args, code] of cases) {
      const result = await host.call(name, args)
      expect([name, args, refusal(result)]).toEqual([name, args, code])
      expect(result.structuredContent).toMatchObject({ retryable: false, detail: expect.any(String) })
    }
    const wrong = await host.call("propose", { calls: [{ tool: 1, resources: [{ name: "a" }] }] })
    expect(wrong.structuredContent).toMatchObject({
      facts: { errors: expect.arrayContaining([expect.objectContaining({ path: "calls.0.tool" })]) },
    })
    await expect(host.call("no_such_tool")).rejects.toMatchObject({ code: ErrorCode.InvalidParams })
    for (const handoff_id of ["h1", "h2"])
      answer(await host.call("claim", { ...claim, workflow_id: "w1", handoff_id, session_id: `of-${handoff_id}` }))
    const which = await host.call("state")
    expect(refusal(which)).toBe("invalid_request")
    expect(which.structuredContent).toMatchObject({ facts: { sessions: ["of-h1", "of-h2"] } })
    expect(answer(await host.call("state", { session_id: "of-h2" }))).toMatchObject({
      session: { session_id: "of-h2" },
    })
    expect(host.told()).toBe("")
  })
})
