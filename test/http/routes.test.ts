/**
 * Every route of wire.md on its ordinary way, with the exact shape of its answer; each answer is also held to the schema of the API,
 * with nothing beside it.
 */
import { Schema } from "effect"
import { HttpApi } from "effect/http-api"
import { describe, expect, test } from "vitest"
import { Api } from "../../src/adapters/http/api/Api.ts"
import { match } from "../../src/adapters/http/routes.ts"
import {
  type Answer,
  checkedTeam,
  claim,
  commit,
  offer,
  openServer,
  propose,
  root,
  type Server,
  teamYaml,
} from "./fixtures.ts"

/** By operation and status. */
const schemas = new Map<string, Schema.Constraint>()
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint, successes }) => {
    for (const [status, [schema]] of successes) schemas.set(`${endpoint.identifier} ${status}`, schema)
  },
})
const seen = new Set<string>()

/** Fails unless the answer is one that the definition promises, member by member. */
const checked = (method: string, path: string, answer: Answer): Answer => {
  const full = path.startsWith("/s") || path.startsWith("/w") ? `/api/v1/replay${path}` : path
  const found = match(method, full.split("?")[0] ?? "")
  if (found._tag !== "found") throw new Error(`${method} ${path} has no route`)
  const schema = schemas.get(`${found.route.id} ${answer.status}`)
  if (schema === undefined)
    throw new Error(`${found.route.id} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  Schema.decodeUnknownSync(schema as Schema.Codec<unknown>)(answer.body, { onExcessProperty: "error", errors: "all" })
  seen.add(found.route.id)
  return answer
}
const get = async (server: Server, path: string) => checked("GET", path, await server.call("GET", path))
const post = async (server: Server, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  checked("POST", path, await server.call("POST", path, { ...(body === undefined ? {} : { body }), headers }))

const id = expect.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/)
const moment = expect.any(Number)

describe("the routes of a session", () => {
  test("POST /sessions creates a root with its token, and names what the definition lacks", async () => {
    const server = await openServer()
    const { status, body, headers } = await post(server, "/sessions", {
      agent: "planner",
      session_id: "s-root",
      workflow: { type: "root", workflow_id: "w1", role: "lead", definition: { workflow_yaml: teamYaml, files: {} } },
    })
    expect(status).toBe(201)
    expect(headers.get("handrail-seq")).toBe("1")
    expect(body).toEqual({
      session_id: "s-root",
      session_token: expect.stringMatching(/^hrs_/),
      workflow_id: "w1",
      role: "lead",
      agent: "planner",
      state_version: 1,
      seq: 1,
    })
    const named = teamYaml.replace(
      "{ name: lead, root: true }",
      "{ name: lead, root: true, session_contract: ./lead/session.yaml }",
    )
    const warned = await post(server, "/sessions", {
      agent: "planner",
      workflow: { type: "root", workflow_id: "w2", role: "lead", definition: { workflow_yaml: named } },
    })
    expect(warned.body.warnings).toContainEqual(
      expect.objectContaining({
        code: "missing_contract",
        severity: "warning",
        file: "workflow.yaml",
        line: expect.any(Number),
      }),
    )
  })

  test("POST /sessions claims a handoff: what crosses is in the answer", async () => {
    const server = await openServer()
    const lead = await root(server)
    const artifacts = [{ uri: "s3://x", media_type: "text/plain" }]
    const summary = { task_name: "scan", maxDepth: 1 }
    const handoffId = await offer(server, lead, { summary, artifacts, resources: [{ name: "change", key: "42" }] })
    const { status, body } = await post(server, "/sessions", {
      agent: "worker",
      workflow: { type: "child", workflow_id: "w1", role: "dev", parent_session_id: lead.id, handoff_id: handoffId },
    })
    expect(status).toBe(201)
    expect(body).toEqual({
      session_id: id,
      session_token: expect.stringMatching(/^hrs_/),
      workflow_id: "w1",
      role: "dev",
      agent: "worker",
      parent_session_id: lead.id,
      state_version: 1,
      seq: 3,
      handoff: {
        handoff_id: handoffId,
        generation: 1,
        summary,
        artifacts,
        resources: [{ name: "change", key: "42", token: 1 }],
        claim_deadline: moment,
      },
    })
  })

  test("preflight, proposals, receipts and the step in between", async () => {
    const server = await openServer()
    const lead = await root(server)
    const prepared = await post(server, `/sessions/${lead.id}/preflight`, { estimated_cost: 2, expected_version: 1 })
    expect(prepared.body).toEqual({
      prepared_request_id: id,
      expires_at: moment,
      remaining: { cost: 98, tokens: null, steps: 100 },
      state_version: 2,
      seq: 2,
    })
    const proposed = await post(server, `/sessions/${lead.id}/proposals`, {
      prepared_request_id: prepared.body.prepared_request_id,
      usage: { input_tokens: 10, output_tokens: 5, cost: 0.25 },
      calls: [
        { tool: "scan", arguments: { a_b: 1 }, resources: [{ name: "env", key: "prod" }], estimated_cost: 0.000001 },
      ],
    })
    const [step] = proposed.body.steps
    expect(proposed.body).toEqual({
      steps: [{ step_id: id, tool: "scan", status: "admitted", fences: [{ name: "env", key: "prod", token: 1 }] }],
      state_version: 3,
      seq: 3,
    })
    const shown = await get(server, `/sessions/${lead.id}/steps/${step.step_id}`)
    expect(shown.body).toEqual({
      step_id: step.step_id,
      session_id: lead.id,
      workflow_id: "w1",
      tool: "scan",
      status: "admitted",
      unknown: false,
      fences: step.fences,
      seq: 3,
    })
    const state = await get(server, `/sessions/${lead.id}`)
    expect(state.body.steps).toEqual([
      {
        step_id: step.step_id,
        tool: "scan",
        arguments: { a_b: 1 },
        status: "admitted",
        unknown: false,
        resources: [{ name: "env", key: "prod" }],
        fences: step.fences,
        estimated_cost: 0.000001,
      },
    ])
    expect(state.headers.get("handrail-seq")).toBe("3")
    const receipt = await post(server, `/sessions/${lead.id}/receipts`, {
      receipts: [
        { step_id: step.step_id, outcome: "committed", actual_cost: 0.02, evidence: { ok: true }, fences: step.fences },
      ],
    })
    expect(receipt.body).toEqual({
      steps: [{ step_id: step.step_id, status: "committed", unknown: false }],
      state_version: 4,
      seq: 4,
    })
    const done = await get(server, `/sessions/${lead.id}/steps/${step.step_id}`)
    expect(done.body).toMatchObject({ status: "committed", fences: [], seq: 4 })
  })

  test("handoffs, heartbeat, complete of the child and of the root", async () => {
    const server = await openServer()
    const lead = await root(server)
    const offered = await post(server, `/sessions/${lead.id}/handoffs`, { to_role: "dev", handoff_id: "h-1" })
    expect(offered.status).toBe(201)
    expect(offered.body).toEqual({
      handoff_id: "h-1",
      workflow_id: "w1",
      status: "offered",
      generation: 1,
      seq: 2,
      state_version: 2,
      offered_at: moment,
      offer_deadline: moment,
    })
    const dev = await claim(server, lead, "h-1")
    const beat = await post(server, `/sessions/${dev.id}/heartbeat`)
    expect(beat.body).toMatchObject({ state_version: 1, claim_deadline: moment })
    expect(beat.headers.get("handrail-seq")).toBe(String(beat.body.seq))
    expect((await post(server, `/sessions/${lead.id}/heartbeat`, {})).body).toEqual({
      state_version: 2,
      seq: expect.any(Number),
    })
    await commit(server, dev, await propose(server, dev))
    const ended = await post(server, `/sessions/${dev.id}/complete`, { result: { findings: 3 } })
    expect(ended.body).toEqual({
      session_id: dev.id,
      status: "completed",
      handoff_id: "h-1",
      workflow_status: "active",
      state_version: expect.any(Number),
      seq: expect.any(Number),
    })
    const handoff = await get(server, "/workflows/w1/handoffs/h-1")
    expect(handoff.body).toMatchObject({ status: "completed", result: { findings: 3 }, session_id: dev.id })
    expect((await post(server, `/sessions/${lead.id}/complete`)).body.workflow_status).toBe("completed")
  })

  test("fail, release, attach and kill", async () => {
    const server = await openServer()
    const lead = await root(server)
    await commit(server, lead, await propose(server, lead, { resources: [{ name: "change", key: "42" }] }))
    const released = await post(server, `/sessions/${lead.id}/release`, { resources: [{ name: "change", key: "42" }] })
    expect(released.body.released).toEqual([{ name: "change", key: "42" }])
    const attached = await post(server, `/sessions/${lead.id}/attach`)
    expect(attached.body).toMatchObject({ session_id: lead.id, status: "active", steps: [] })
    const stepId = await propose(server, lead, { resources: [{ name: "env", key: "prod" }] })
    const killed = await post(server, `/sessions/${lead.id}/kill`, { scope: "session", reason: "it loops" })
    expect(killed.body).toEqual({
      kill_id: id,
      workflow_id: "w1",
      scope: "session",
      session_id: lead.id,
      reason: "it loops",
      actor: "operator:all",
      at: moment,
      seq: expect.any(Number),
      sessions: [lead.id],
      handoffs: [],
      orphaned_steps: [
        { step_id: stepId, session_id: lead.id, tool: "scan", resources: [{ name: "env", key: "prod" }] },
      ],
      counts: { sessions: 1, handoffs: 0, orphaned_steps: 1 },
      state: "fenced",
    })
    expect((await get(server, `/workflows/w1/kills/${killed.body.kill_id}`)).body).toEqual(killed.body)
    const other = await root(server, "w2")
    expect((await post(server, `/sessions/${other.id}/fail`, { reason: "no" })).body).toMatchObject({
      status: "failed",
    })
  })
})

describe("the routes of a workflow", () => {
  test("show the whole of it, and page what it ever had", async () => {
    const server = await openServer()
    const lead = await root(server)
    const first = await offer(server, lead)
    await offer(server, lead)
    await claim(server, lead, first)
    await propose(server, lead, { resources: [{ name: "env", key: "prod" }] })
    const { body, headers } = await get(server, "/workflows/w1")
    expect(headers.get("handrail-seq")).toBe(String(body.seq))
    expect(body).toMatchObject({
      workflow_id: "w1",
      workflow: "team",
      status: "active",
      root_session_id: lead.id,
      kills: [],
    })
    expect(body.ledger).toEqual({
      sessions: { used: 2, reserved: 0, max: null, remaining: null },
      active_sessions: { used: 2, reserved: 0, max: null, remaining: null },
      steps: { used: 0, reserved: 1, max: 100, remaining: 99 },
      cost: { used: 0, reserved: 1, max: 100, remaining: 99 },
      tokens: { used: 0, reserved: 0, max: null, remaining: null },
      open_handoffs: { used: 2, reserved: 0, max: null, remaining: null },
    })
    expect(Object.keys(body.roles).toSorted()).toEqual(["dev", "lead"])
    expect(body.sessions.map((one: { parent_session_id: unknown }) => one.parent_session_id)).toEqual([null, lead.id])
    const page = await get(server, "/workflows/w1/handoffs?limit=1")
    expect(page.body.items).toHaveLength(1)
    expect(page.headers.get("handrail-seq")).toBe(String(body.seq))
    const next = await get(server, `/workflows/w1/handoffs?limit=1&cursor=${page.body.cursor}`)
    expect(next.body.items[0].handoff_id).not.toBe(page.body.items[0].handoff_id)
    expect(next.body.cursor).toBeNull()
    expect((await get(server, "/workflows/w1/sessions?open=true")).body.items).toHaveLength(2)
    expect((await get(server, "/workflows/w1/sessions?open=false")).body.items).toEqual([])
    await root(server, "w2")
    const all = await get(server, "/workflows?status=active&role=lead&limit=1")
    expect(all.body.items).toHaveLength(1)
    expect((await get(server, `/workflows?limit=1&cursor=${all.body.cursor}`)).body.items[0].workflow_id).not.toBe(
      all.body.items[0].workflow_id,
    )
  })

  test("reclaim, withdraw, complete and fail handoffs as an operator", async () => {
    const server = await openServer()
    const lead = await root(server)
    const [a, b] = [await offer(server, lead), await offer(server, lead)]
    await claim(server, lead, a)
    const reclaimed = await post(server, `/workflows/w1/handoffs/${a}/reclaim`, { reason: "too slow", generation: 1 })
    expect(reclaimed.body).toEqual({
      handoff_id: a,
      workflow_id: "w1",
      status: "offered",
      generation: 2,
      reason: expect.anything(),
      seq: expect.any(Number),
    })
    const dev = await claim(server, lead, a)
    await commit(server, dev, await propose(server, dev))
    expect((await post(server, `/workflows/w1/handoffs/${a}/complete`, { result: 1 })).body.status).toBe("completed")
    expect((await post(server, `/workflows/w1/handoffs/${b}/withdraw`, { reason: "not needed" })).body.status).toBe(
      "withdrawn",
    )
    const c = await offer(server, lead)
    await claim(server, lead, c)
    expect((await post(server, `/workflows/w1/handoffs/${c}/fail`, { reason: "no" })).body.status).toBe("failed")
  })

  test("its claimant completes or fails a handoff with its token, and nobody else's token does", async () => {
    const server = await openServer()
    const agent = await server.keyOf(["agent"])
    const lead = await root(server)
    const [a, b] = [await offer(server, lead), await offer(server, lead)]
    const [dev, other] = [await claim(server, lead, a), await claim(server, lead, b)]
    await commit(server, dev, await propose(server, dev))
    const asOther = await server.call("POST", `/workflows/w1/handoffs/${a}/complete`, {
      key: agent,
      session: other.token,
    })
    expect(asOther).toMatchObject({ status: 403, body: { code: "forbidden" } })
    const stale = await server.call("POST", `/workflows/w1/handoffs/${a}/complete`, {
      key: agent,
      session: dev.token,
      body: { generation: 2 },
    })
    expect(stale).toMatchObject({ status: 409, body: { code: "stale_generation", current_status: "in_progress" } })
    const done = await server.call("POST", `/workflows/w1/handoffs/${a}/complete`, {
      key: agent,
      session: dev.token,
      body: { result: { n: 1 } },
    })
    expect(done).toMatchObject({ status: 200, body: { handoff_id: a, status: "completed" } })
    const failed = await server.call("POST", `/workflows/w1/handoffs/${b}/fail`, {
      key: agent,
      session: other.token,
      body: { reason: "no" },
    })
    expect(failed).toMatchObject({ status: 200, body: { handoff_id: b, status: "failed" } })
  })

  test("an operator raises limits, resolves a step and kills the workflow", async () => {
    const server = await openServer()
    const lead = await root(server)
    const raised = await post(server, "/workflows/w1/limits", { max_cost: 150.5 })
    expect(raised.body).toEqual({ workflow_id: "w1", role: null, seq: 2 })
    expect((await get(server, "/workflows/w1")).body.ledger.cost.max).toBe(150.5)
    const stepId = await propose(server, lead)
    const resolved = await post(server, `/workflows/w1/steps/${stepId}/resolve`, {
      outcome: "committed",
      actual_cost: 0.1,
      reason: "seen in the log",
    })
    expect(resolved.body).toEqual({ step_id: stepId, status: "committed", seq: 4 })
    const killed = await post(server, "/workflows/w1/kill", { reason: "done with it" })
    expect(killed.body).toMatchObject({ scope: "workflow", session_id: null, state: "quiescent", sessions: [lead.id] })
    expect((await get(server, "/workflows/w1")).body.status).toBe("killed")
  })

  test("an operator approves a step, and rejects another", async () => {
    const server = await openServer()
    const lead = await root(server, "w1", {}, {}, checkedTeam)
    const [one, two] = [
      await propose(server, lead, { tool: "deploy" }),
      await propose(server, lead, { tool: "deploy" }),
    ]
    const approved = await post(server, `/workflows/w1/steps/${one}/approve`, { reason: "reviewed" })
    expect(approved.body).toEqual({ step_id: one, status: "admitted", seq: 4 })
    const rejected = await post(server, `/workflows/w1/steps/${two}/reject`, {})
    expect(rejected.body).toEqual({ step_id: two, status: "aborted", seq: 5 })
  })

  test("max_duration is raised with a duration or milliseconds", async () => {
    const server = await openServer()
    const definition = teamYaml.replace("limits: {", "limits: { max_duration: 1h,")
    const workflow = { type: "root", workflow_id: "w1", role: "lead", definition }
    await post(server, "/sessions", { agent: "planner", workflow })
    const { created_at, deadline } = (await get(server, "/workflows/w1")).body
    expect(deadline - created_at).toBe(3_600_000)
    await post(server, "/workflows/w1/limits", { max_duration: "2h" })
    expect((await get(server, "/workflows/w1")).body.deadline - created_at).toBe(7_200_000)
    await post(server, "/workflows/w1/limits", { max_duration: 10_800_000 })
    expect((await get(server, "/workflows/w1")).body.deadline - created_at).toBe(10_800_000)
    const wrong = await server.call("POST", "/workflows/w1/limits", { body: { max_duration: "soon" } })
    expect(wrong.body).toMatchObject({ code: "invalid_request", errors: [{ path: "max_duration" }] })
  })

  test("events come in pages, with decimal money and the caller's JSON untouched", async () => {
    const server = await openServer()
    const lead = await root(server)
    await propose(server, lead, { arguments: { some_key: { camelKey: 1 } } })
    const { body } = await get(server, "/workflows/w1/events?after=1&limit=1")
    expect(body).toMatchObject({ after: 2, more: false })
    expect(body.items).toEqual([
      {
        seq: 2,
        at: moment,
        actor: "operator:all",
        type: "steps.proposed",
        data: {
          session_id: lead.id,
          steps: [
            {
              step_id: id,
              tool: "scan",
              arguments: { some_key: { camelKey: 1 } },
              status: "admitted",
              cost: 1,
              tokens: 0,
              resources: [],
              fences: [],
            },
          ],
        },
      },
    ])
    expect((await get(server, "/workflows/w1/events?limit=1")).body).toMatchObject({ after: 1, more: true })
    expect((await get(server, "/workflows/w1/events?after=2")).body).toEqual({ items: [], after: 2, more: false })
  })
})

test("the routes of the service", async () => {
  const server = await openServer()
  expect((await get(server, "/healthz")).body).toEqual({ status: "ok" })
  expect((await get(server, "/readyz")).body).toEqual({ status: "ok" })
  expect((await get(server, "/metrics")).body).toContain("handrail_actors")
  expect((await get(server, "/openapi.json")).body.openapi).toBe("3.1.0")
})

test("every operation of the API was on its ordinary way here", () => {
  const all = [...schemas.keys()].map((key) => key.split(" ")[0])
  expect(all.filter((name) => !seen.has(name ?? ""))).toEqual([])
})
