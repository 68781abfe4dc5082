/** Approvals over HTTP: what waits is shown, a long poll ends with the decision, and an operator decides (semantics.md §5). */
import { describe, expect, test } from "vitest"
import { serve, thrown } from "./clientServers.ts"
import { checkedTeam, type Entered, openServer, propose, root, type Server } from "./fixtures.ts"

const asked = async (): Promise<{ server: Server; lead: Entered; stepId: string }> => {
  const server = await openServer()
  const lead = await root(server, "w1", {}, {}, checkedTeam)
  return { server, lead, stepId: await propose(server, lead, { tool: "deploy", arguments: { toWhere: "prod" } }) }
}
const halfAnHour = 30 * 60_000

describe("a step that awaits approval", () => {
  test("is shown as such by its session, by itself and by its workflow", async () => {
    const { server, lead, stepId } = await asked()
    const get = async (path: string) => (await server.call("GET", path)).body
    const step = await get(`/sessions/${lead.id}/steps/${stepId}`)
    expect(step).toMatchObject({ status: "awaiting_approval", fences: [] })
    const left = step.approval_deadline - Date.now()
    expect(left > halfAnHour - 60_000 && left <= halfAnHour).toBe(true)
    const [ofSession] = (await get(`/sessions/${lead.id}`)).steps
    expect(ofSession).toMatchObject({ status: "awaiting_approval", approval_deadline: step.approval_deadline })
    const workflow = await get("/workflows/w1")
    expect(workflow.approvals).toEqual([
      {
        step_id: stepId,
        session_id: lead.id,
        role: "lead",
        agent: "planner",
        tool: "deploy",
        arguments: { toWhere: "prod" },
        resources: [{ name: "line", key: "a" }],
        estimated_cost: 1,
        approval_deadline: step.approval_deadline,
      },
    ])
    expect(workflow.resources[0].steps).toMatchObject([{ step_id: stepId, status: "awaiting_approval" }])
  })

  test.each([
    ["approve", "admitted", [{ name: "line", key: "a", token: 1 }]],
    ["reject", "aborted", []],
  ])("is waited for, and %s makes it %s", async (decision, status, fences) => {
    const { server, lead, stepId } = await asked()
    const waiting = server.call("GET", `/sessions/${lead.id}/steps/${stepId}?wait=20000`)
    const key = await server.keyOf(["operator"], "default", "alice")
    const path = `/workflows/w1/steps/${stepId}/${decision}`
    const decided = await server.call("POST", path, { key, body: { reason: "looked" } })
    expect(decided).toMatchObject({ status: 200, body: { step_id: stepId, status, seq: 3 } })
    expect((await waiting).body).toMatchObject({ step_id: stepId, status, fences })
    const { body } = await server.call("GET", "/workflows/w1/events")
    expect(body.items.at(-1)).toMatchObject({ actor: "operator:alice", data: { reason: "looked" } })
    expect((await server.call("GET", "/workflows/w1")).body.approvals).toEqual([])
    // Again without a body: the same answer, and nothing more in the journal.
    expect((await server.call("POST", path)).body).toEqual(decided.body)
    const other = decision === "approve" ? "reject" : "approve"
    const refused = await server.call("POST", `/workflows/w1/steps/${stepId}/${other}`, { body: {} })
    expect(refused).toMatchObject({ status: 409, body: { code: "step_not_awaiting_approval", status: 409 } })
  })

  test("can't be committed", async () => {
    const { server, lead, stepId } = await asked()
    const receipts = [{ step_id: stepId, outcome: "committed" }]
    const refused = await server.call("POST", `/sessions/${lead.id}/receipts`, { body: { receipts } })
    expect(refused).toMatchObject({ status: 409, body: { code: "step_awaiting_approval" } })
  })
})

test("a turn without calls settles its usage; with nothing to settle it is no request", async () => {
  const server = await openServer()
  const lead = await root(server)
  const turn = (body: object) => server.call("POST", `/sessions/${lead.id}/proposals`, { body: { calls: [], ...body } })
  const usage = { input_tokens: 7, output_tokens: 5, cost: 0.5 }
  expect(await turn({ usage })).toMatchObject({ status: 200, body: { steps: [], seq: 2 } })
  expect((await server.call("GET", "/workflows/w1")).body.ledger.cost.used).toBe(0.5)
  expect(await turn({})).toMatchObject({ status: 400, body: { code: "invalid_request", errors: [{ path: "calls" }] } })
})

test("the remote client says what the embedded one does", async () => {
  const { connect, runtime } = await serve()
  const definition = { workflowYaml: checkedTeam.workflow_yaml, files: checkedTeam.files }
  const client = connect()
  const lead = await client.createRoot({ workflowId: "w1", role: "lead", agent: "planner", definition })
  const [one, two] = await lead.propose({
    calls: [
      { tool: "deploy", estimatedCost: 1 },
      { tool: "deploy", estimatedCost: 1 },
    ],
  })
  expect([one?.status, two?.status]).toEqual(["awaiting_approval", "awaiting_approval"])
  expect((await client.getWorkflow("w1")).approvals).toEqual((await runtime.getWorkflow("w1")).approvals)
  const about = (stepId = "") => ({ workflowId: "w1", stepId })
  // It stands behind the first, which has not been decided on.
  expect(await client.approveStep({ ...about(two?.stepId), reason: "fine" })).toMatchObject({ status: "queued" })
  expect(await client.rejectStep(about(one?.stepId))).toMatchObject({ status: "aborted" })
  expect(await runtime.approveStep(about(two?.stepId))).toEqual(await client.approveStep(about(two?.stepId)))
  expect((await runtime.approveStep(about(two?.stepId))).status).toBe("admitted")
  expect(await thrown(client.rejectStep(about(two?.stepId)))).toMatchObject({
    code: "step_not_awaiting_approval",
    facts: { status: "admitted" },
  })
})
