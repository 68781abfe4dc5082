/** The remote client against the embedded one: the same answers, views, events and refusals, over a real socket. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { describe, expect, onTestFinished, test } from "vitest"
import type { JournalEvent } from "../../src/machines/events.ts"
import type { Client } from "../../src/runtime/Client.ts"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { connected, serve, thrown } from "./clientServers.ts"
import { teamYaml } from "./fixtures.ts"

const definition = teamYaml
  .replace("limits: {", "limits: { max_duration: 1h,")
  .replace("{ name: dev }", "{ name: dev, limits: { max_steps: 50 } }")
const root = { workflowId: "w1", role: "lead", agent: "planner", sessionId: "lead", definition }
const h1 = { workflowId: "w1", handoffId: "h1" }

/** Every method once, with what it is for. */
const life = async (client: Client): Promise<string> => {
  const lead = await client.createRoot(root)
  expect(lead).toMatchObject({ workflowId: "w1", sessionId: "lead", parentSessionId: null, handedOver: null })
  const offered = await lead.handoff({
    toRole: "dev",
    handoffId: "h1",
    summary: { some_name: { camelCase: 1, nothing: null } },
    artifacts: [{ uri: "file:a", mediaType: "text/plain" }],
    resources: [{ name: "change", key: "1" }],
  })
  expect(offered).toMatchObject({ handoffId: "h1", status: "offered", generation: 1 })
  const claim = { ...h1, parentSessionId: "lead", role: "dev", agent: "worker" }
  const first = await client.claim({ ...claim, sessionId: "dev-1" })
  expect(first.handedOver).toMatchObject({ generation: 1, summary: { some_name: { camelCase: 1, nothing: null } } })
  expect(await lead.reclaim({ handoffId: "h1" })).toMatchObject({ status: "offered", generation: 2 })
  const dev = await client.claim({ ...claim, sessionId: "dev-2", generation: 2 })
  expect(await dev.heartbeat()).toMatchObject({ claimDeadline: expect.any(Number) })
  const { preparedRequestId, remaining } = await dev.preflight({ estimatedCost: 0.5, estimatedTokens: 10 })
  expect(remaining).toEqual({ cost: 99.5, tokens: null, steps: 50 })
  const [one, two] = await dev.propose({
    preparedRequestId,
    usage: { inputTokens: 5, outputTokens: 7, cost: 0.000001 },
    calls: [
      {
        tool: "deploy",
        arguments: { to_where: "prod", theKey: null },
        resources: [{ name: "env", key: "prod" }],
        estimatedCost: 0,
      },
      { tool: "scan", estimatedCost: 0.25 },
    ],
  })
  if (one === undefined || two === undefined) throw new Error("two were proposed")
  expect(one.fences).toEqual([{ name: "env", key: "prod", token: 1 }])
  expect(await dev.receipt({ receipts: [{ stepId: one.stepId, outcome: "unknown" }] })).toMatchObject({
    steps: [{ status: "admitted", unknown: true }],
  })
  expect((await dev.state()).steps).toMatchObject([
    { stepId: one.stepId, unknown: true, arguments: { to_where: "prod", theKey: null } },
    { stepId: two.stepId, estimatedCost: 0.25 },
  ])
  await client.resolveStep({
    workflowId: "w1",
    stepId: one.stepId,
    outcome: "committed",
    actualCost: 2,
    reason: "seen",
  })
  await dev.receipt({ receipts: [{ stepId: two.stepId, outcome: "committed", actualCost: 0.1, evidence: { a_b: 1 } }] })
  expect((await dev.heartbeat()).claimDeadline).toBeNull()
  expect((await client.attach({ sessionId: "dev-2" })).stateVersion).toBe(dev.stateVersion)
  await dev.release({ resources: [{ name: "change", key: "1" }] })
  expect(await dev.complete({ result: { found_bugs: 3 } })).toMatchObject({ status: "completed", handoffId: "h1" })
  await lead.handoff({ toRole: "dev", handoffId: "h2" })
  expect(await lead.withdraw({ handoffId: "h2" })).toMatchObject({ status: "withdrawn" })
  for (const handoffId of ["h3", "h4", "h5"]) {
    await lead.handoff({ toRole: "dev", handoffId })
    await client.claim({ ...claim, handoffId, sessionId: `dev-${handoffId}` })
  }
  await client.failHandoff({ ...h1, handoffId: "h3", reason: "not needed" })
  const [step] = await (await client.attach({ sessionId: "dev-h4" })).propose({
    calls: [{ tool: "scan", estimatedCost: 0 }],
  })
  await client.receipt({ sessionId: "dev-h4", receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
  await client.completeHandoff({ ...h1, handoffId: "h4", result: 1 })
  await client.raiseLimits({ workflowId: "w1", limits: { maxCost: 200.5, maxDurationMs: 86_400_000 } })
  await client.raiseLimits({ workflowId: "w1", role: "dev", limits: { maxSteps: 1000 } })
  const kill = await client.kill({ scope: "session", sessionId: "dev-h5", reason: "loops" })
  expect(kill).toMatchObject({ scope: "session", sessionId: "dev-h5", state: "quiescent", counts: { sessions: 1 } })
  return (await client.kill({ workflowId: "w1", scope: "workflow", reason: "done" })).killId
}

/** All that can be read of the workflow that `life` leaves behind. */
const seen = async (client: Client, killId: string) => {
  const events: Array<JournalEvent> = []
  for await (const event of client.events({ workflowId: "w1" })) {
    events.push(event)
    if (event.body._tag === "killed" && event.body.scope === "workflow") break
  }
  const pages: Array<ReadonlyArray<unknown>> = []
  for (let cursor: string | undefined, n = 0; n < 10; n++) {
    const page = await client.listSessions({ workflowId: "w1", limit: 2, ...(cursor === undefined ? {} : { cursor }) })
    pages.push(page.items)
    if (page.cursor === null) break
    cursor = page.cursor
  }
  return {
    events,
    pages,
    workflow: await client.getWorkflow("w1"),
    sessions: await Promise.all(["lead", "dev-1", "dev-2"].map((id) => client.getSession(id))),
    handoff: await client.getHandoff("w1", "h1"),
    handoffs: await client.listHandoffs({ workflowId: "w1", open: false }),
    kill: await client.getKill("w1", killId),
    workflows: await client.listWorkflows({ status: "killed", role: "dev" }),
    none: await client.listWorkflows({ status: "active" }),
  }
}

describe("the same client", () => {
  test("carries a workflow through its life, and shows what the embedded one shows, event by event", async () => {
    const { runtime, connect } = await serve()
    const killId = await life(connect())
    const [remote, embedded] = [await seen(connect(), killId), await seen(runtime, killId)]
    expect(remote).toEqual(embedded)
    expect(remote.events.length).toBeGreaterThan(25)
    expect(remote.workflow.ledger.cost.used).toBe(2.100001)
  })

  test("embedded, does the very same things", async () => {
    const { runtime } = await serve()
    expect((await seen(runtime, await life(runtime))).events.length).toBeGreaterThan(25)
  })

  test("refuses with the same error: code, detail, facts, status and whether to retry", async () => {
    const { runtime, connect } = await serve()
    const client = connect()
    await client.createRoot(root)
    await client.offer({ sessionId: "lead", toRole: "dev", handoffId: "h1" })
    const claim = { ...h1, parentSessionId: "lead", role: "dev", agent: "worker" }
    await client.claim({ ...claim, sessionId: "dev-1" })
    const wrong: { readonly [name: string]: (client: Client) => Promise<unknown> } = {
      claimed: (one) => one.claim(claim),
      role: (one) => one.claim({ ...claim, role: "lead" }),
      parent: (one) => one.claim({ ...claim, parentSessionId: "dev-1" }),
      "another definition": (one) => one.createRoot({ ...root, definition: definition.replace("100", "101") }),
      "no definition": (one) => one.createRoot({ ...root, workflowId: "w2", definition: "roles: 3" }),
      "no edge": (one) => one.offer({ sessionId: "dev-1", toRole: "dev" }),
      version: (one) => one.heartbeat({ sessionId: "lead", expectedVersion: 77 }),
      "no session": (one) => one.heartbeat({ sessionId: "nobody" }),
      "no offerer": (one) => one.reclaim({ ...h1, sessionId: "nobody" }),
      "no progress": (one) => one.complete({ sessionId: "dev-1" }),
      "open handoff": (one) => one.complete({ sessionId: "lead" }),
      "no step": (one) => one.receipt({ sessionId: "lead", receipts: [{ stepId: "st", outcome: "aborted" }] }),
      resource: (one) =>
        one.propose({ sessionId: "lead", calls: [{ tool: "t", resources: [{ name: "x", key: "y" }] }] }),
      "dear call": (one) => one.propose({ sessionId: "lead", calls: [{ tool: "t", estimatedCost: 100.01 }] }),
      limits: (one) => one.raiseLimits({ workflowId: "w1", limits: { maxCost: 1 } }),
      "session kill": (one) => one.kill({ workflowId: "w1", scope: "session", reason: "x" }),
      "kill of nothing": (one) => one.kill({ scope: "workflow", reason: "x" }),
      "an id": (one) => one.heartbeat({ sessionId: "../workflows" }),
      members: (one) => one.offer({ sessionId: "lead", toRole: "a b", more: 1 } as never),
      cost: (one) => one.preflight({ sessionId: "lead", estimatedCost: -1 }),
      depth: (one) => one.complete({ sessionId: "lead", result: JSON.parse("[".repeat(200) + "]".repeat(200)) }),
      cycle: (one) => {
        const cycle: Array<unknown> = []
        cycle.push(cycle)
        return one.complete({ sessionId: "lead", result: cycle })
      },
      large: (one) => one.complete({ sessionId: "lead", result: "x".repeat(1_100_000) }),
      key: (one) => one.heartbeat({ sessionId: "lead" }, { idempotencyKey: "" }),
      operator: (one) => one.fail({ sessionId: "lead", reason: "x" }, { operator: "no name" }),
      workflow: (one) => one.getWorkflow("w2"),
      "workflow id": (one) => one.getWorkflow(".."),
      handoff: (one) => one.getHandoff("w1", "h9"),
      "session view": (one) => one.getSession("nobody"),
      limit: (one) => one.listSessions({ workflowId: "w1", limit: 0 }),
      events: async (one) => {
        for await (const _ of one.events({ workflowId: "w2" })) throw new Error("there are none")
      },
      after: async (one) => {
        for await (const _ of one.events({ workflowId: "w1", after: -1 })) throw new Error("there are none")
      },
    }
    const before = (await runtime.getWorkflow("w1")).seq
    for (const [name, call] of Object.entries(wrong)) {
      const [there, here] = [await thrown(call(client), name), await thrown(call(runtime), name)]
      expect(there, name).toBeInstanceOf(WorkflowError)
      if (!(there instanceof WorkflowError && here instanceof WorkflowError)) throw new Error(`${name}: ${here}`)
      const parts = ({ code, status, retryable }: WorkflowError) => ({ code, status, retryable })
      expect(parts(there), name).toEqual(parts(here))
      // What was found wrong with a request says where; a refusal says all.
      if (here.status !== 400 && name !== "no offerer")
        expect({ ...there.facts, detail: there.detail }, name).toEqual({ ...here.facts, detail: here.detail })
    }
    expect((await runtime.getWorkflow("w1")).seq).toBe(before)
  })

  test("repeats a command under its key with the same answer, and refuses the key for another (I8)", async () => {
    const { connect } = await serve()
    const [one, two] = [connect(), connect()]
    const key = { idempotencyKey: "open it" }
    await one.createRoot(root, key)
    expect((await two.createRoot(root, key)).sessionId).toBe("lead")
    const again = { idempotencyKey: "offer" }
    const offered = await one.offer({ sessionId: "lead", toRole: "dev" }, again)
    expect(await two.offer({ sessionId: "lead", toRole: "dev" }, again)).toEqual(offered)
    expect(await thrown(two.offer({ sessionId: "lead", toRole: "dev", summary: 1 }, again))).toMatchObject({
      code: "idempotency_mismatch",
    })
    expect(await thrown(one.heartbeat({ sessionId: "lead" }, { idempotencyKey: "schlüssel\n" }))).toMatchObject({
      code: "invalid_request",
      facts: { errors: [{ path: "idempotencyKey" }] },
    })
  })

  test("once closed, refuses everything and ends its streams", async () => {
    const { connect } = await serve()
    const client = connect()
    await client.createRoot(root)
    const reading = (async () => {
      const tags: Array<string> = []
      for await (const { body } of client.events({ workflowId: "w1" })) {
        tags.push(body._tag)
        void client.close()
      }
      return tags
    })()
    expect(await reading).toEqual(["workflow.created"])
    for (const call of [
      () => client.heartbeat({ sessionId: "lead" }),
      () => client.getWorkflow("w1"),
      () => client.events({ workflowId: "w1" })[Symbol.asyncIterator]().next(),
    ])
      expect(await thrown(call())).toMatchObject({ code: "closed" })
  })
})

describe("tokens of sessions", () => {
  test("are kept and sent by the client that opened them; another has to be given them", async () => {
    const { url, keyOf } = await serve()
    const apiKey = await keyOf("agent")
    const client = connected({ url, apiKey })
    const lead = await client.createRoot(root)
    await lead.handoff({ toRole: "dev", handoffId: "h1" })
    expect((await client.getWorkflow("w1")).status).toBe("active")
    expect((await lead.reclaim({ handoffId: "h1" }).catch((error) => error)).code).toBe("handoff_not_claimed")

    const stranger = connected({ url, apiKey })
    for (const call of [
      () => stranger.attach({ sessionId: "lead" }),
      () => stranger.getSession("lead"),
      () => stranger.getWorkflow("w1"),
      () => stranger.withdraw({ ...h1, sessionId: "lead" }),
      () => stranger.events({ workflowId: "w1" })[Symbol.asyncIterator]().next(),
    ])
      expect(await thrown(call())).toMatchObject({ code: "forbidden" })

    const token = client.sessionToken("lead") ?? ""
    expect(token).toMatch(/^hrs_/)
    const restarted = connected({ url, apiKey, sessionTokens: [token] })
    const again = await restarted.attach({ sessionId: "lead" })
    expect(await again.withdraw({ handoffId: "h1" })).toMatchObject({ status: "withdrawn" })
    expect((await restarted.getWorkflow("w1")).handoffs).toHaveLength(1)
    const { value } = await restarted.events({ workflowId: "w1" })[Symbol.asyncIterator]().next()
    expect(value).toMatchObject({ seq: 1 })
    const other = token[10] === "X" ? "Y" : "X"
    const forged = connected({ url, apiKey, sessionTokens: [`${token.slice(0, 10)}${other}${token.slice(11)}`] })
    expect(await thrown(forged.attach({ sessionId: "lead" }))).toMatchObject({ code: "forbidden" })
  })

  test("are not asked of an operator, who never acts as a session without one", async () => {
    const { url, key, keyOf, runtime } = await serve()
    await connected({ url, apiKey: await keyOf("agent") }).createRoot(root)
    const operator = connected({ url, apiKey: key })
    await operator.offer({ sessionId: "lead", toRole: "dev", handoffId: "h1" })
    expect(await thrown(operator.withdraw({ ...h1, sessionId: "lead" }))).toMatchObject({ code: "forbidden" })
    expect(await operator.withdraw(h1)).toMatchObject({ status: "withdrawn" })
    const actors: Array<string> = []
    for await (const { actor, seq } of runtime.events({ workflowId: "w1" }))
      if (actors.push(actor) === 3 || seq > 3) break
    expect(actors).toEqual(["lead", "operator:all", "operator:all"])
  })
})

describe("a client that is set up wrongly", () => {
  const elsewhere = async (status: number, type: string, body: string, headers = {}): Promise<string> => {
    const server = createServer((_, response) =>
      response.writeHead(status, { "content-type": type, ...headers }).end(body),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const secret = "hrk_very-secret"

  test("by its key or scope is refused at once", async () => {
    const { url, keyOf } = await serve()
    expect(await thrown(connected({ url, apiKey: secret }).createRoot(root))).toMatchObject({ code: "unauthenticated" })
    expect(await thrown(connected({ url }).createRoot(root))).toMatchObject({ code: "unauthenticated" })
    const reader = connected({ url, apiKey: await keyOf("read") })
    expect(await thrown(reader.createRoot(root))).toMatchObject({ code: "forbidden", status: 403 })
  })

  test.each([
    [404, "text/html", "<h1>Not Found</h1>", "invalid_request"],
    [302, "text/html", "moved", "invalid_request"],
    [401, "text/html", "who are you?", "unauthenticated"],
    [403, "text/plain", "no", "forbidden"],
    [404, "application/json", '{"code":"nothing","detail":"to see"}', "invalid_request"],
    [
      500,
      "application/problem+json",
      '{"code":"handoff_closed","detail":"made up","status":500}',
      "storage_unavailable",
    ],
    [200, "text/html", "<h1>Welcome</h1>", "storage_unavailable"],
    [200, "application/json", "{", "storage_unavailable"],
    [200, "application/json", '{"hello":"world"}', "internal"],
  ])("by its url, which answers %i %s %s, hears %s", async (status, type, body, code) => {
    const url = await elsewhere(status, type, body, { location: "http://192.0.2.1/" })
    const client = connected({ url, apiKey: secret, maxRetries: 0 })
    const error = await thrown(client.createRoot(root))
    expect(error).toBeInstanceOf(WorkflowError)
    expect(error).toMatchObject({ code })
    expect(inspect(error, { depth: 9 })).not.toContain(secret)
    const iterator = client.events({ workflowId: "w1" })[Symbol.asyncIterator]()
    if (status >= 300 && status < 500) expect(await thrown(iterator.next())).toMatchObject({ code })
  })

  test("is told so before anything is sent, without its secrets", () => {
    const cases: ReadonlyArray<readonly [object, string]> = [
      [{ url: "" }, "url"],
      [{ url: "ftp://x" }, "url"],
      [{ url: "http://user:hunter2@x" }, "url"],
      [{ url: "http://x/?key=hunter2" }, "url"],
      [{ url: "http://x", apiKey: "hunter2 \n" }, "apiKey"],
      [{ url: "http://x", apiKey: "" }, "apiKey"],
      [{ url: "http://x", sessionTokens: ["hunter2 "] }, "sessionTokens"],
      [{ url: "http://x", timeoutMs: 0 }, "timeoutMs"],
      [{ url: "http://x", maxRetries: 21 }, "maxRetries"],
      [{ url: "http://x", silenceMs: 0.5 }, "silenceMs"],
    ]
    for (const [options, path] of cases) {
      const error: unknown = (() => {
        try {
          return Handrail.connect(options as never)
        } catch (thrown) {
          return thrown
        }
      })()
      expect(error, path).toMatchObject({ code: "invalid_request", facts: { errors: [{ path }] } })
      expect(inspect(error, { depth: 9 })).not.toContain("hunter2")
    }
  })
})
