/** What the client does when the way to the server fails: a command changes state at most once, and errors say what is known. */
import { inspect } from "node:util"
import { describe, expect, test } from "vitest"
import { problemOf } from "../../src/adapters/http/wire/problem.ts"
import { fail, WorkflowError } from "../../src/runtime/errors.ts"
import { connected, gated, reset, serve, thrown } from "./clientServers.ts"
import { teamYaml } from "./fixtures.ts"

const root = { workflowId: "w1", role: "lead", agent: "planner", sessionId: "lead", definition: teamYaml }

const problem = (error: WorkflowError, headers = {}): Response =>
  new Response(JSON.stringify(problemOf(error)), {
    status: error.status,
    headers: { "content-type": "application/problem+json", ...headers },
  })
const page = (status: number, headers = {}): Response =>
  new Response("<html>Bad Gateway</html>", { status, headers: { "content-type": "text/html", ...headers } })

describe("a command whose answer is lost after the commit", () => {
  test("is sent again under the same key, and changes state once (I8)", async () => {
    const { url, key, runtime } = await serve()
    // Of each command the first answer is lost: by a reset, a proxy's page, a body that is cut, a busy server.
    const spoilt = [
      () => reset(),
      () => page(502),
      () => page(200),
      () => problem(fail("overloaded", "Busy.")),
      () => problem(fail("closed", "Closed.")),
    ]
    const tries = new Map<string, number>()
    const gate = gated(async ({ key }, pass) => {
      const count = (tries.get(key ?? "") ?? 0) + 1
      tries.set(key ?? "", count)
      const spoil = spoilt[(tries.size - 1) % spoilt.length]
      if (count > 1 || spoil === undefined) return pass()
      await (await pass()).text()
      return spoil()
    })
    const client = connected({ url, apiKey: key, fetch: gate.fetch })
    const lead = await client.createRoot(root)
    const { handoffId } = await lead.handoff({ toRole: "dev" })
    const claim = { workflowId: "w1", handoffId, parentSessionId: "lead", role: "dev", agent: "worker" }
    const dev = await client.claim(claim)
    const [step] = await dev.propose({ calls: [{ tool: "scan", estimatedCost: 1 }] })
    await dev.receipt({ receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
    await dev.complete({ result: 1 }, { idempotencyKey: "mine" })
    await lead.complete()
    const tags: Array<string> = []
    for await (const { body } of runtime.events({ workflowId: "w1" })) {
      tags.push(body._tag)
      if (body._tag === "session.completed" && body.sessionId === "lead") break
    }
    expect(tags).toEqual([
      "workflow.created",
      "handoff.offered",
      "handoff.claimed",
      "steps.proposed",
      "steps.resolved",
      "session.completed",
      "session.completed",
    ])
    expect([...tries.values()]).toEqual(Array(7).fill(2))
    expect([...tries.keys()]).toContain("mine")
  })
})

describe("what is tried again", () => {
  test("is trouble with the server or the way to it, for as long as the call may take", async () => {
    const { url, key } = await serve()
    const gate = gated((_, pass, count) => (count <= 6 ? page(503) : pass()))
    await connected({ url, apiKey: key, fetch: gate.fetch }).createRoot(root)
    expect(gate.seen).toHaveLength(7)
    expect(new Set(gate.seen.map((one) => one.key)).size).toBe(1)
  })

  test.each([
    ["limit_exceeded", 409],
    ["resource_busy", 409],
    ["version_mismatch", 412],
    ["idempotency_mismatch", 422],
    ["forbidden", 403],
    ["internal", 500],
  ] as const)("is not %s", async (code, status) => {
    const gate = gated(() => problem(fail(code, "No.", { some: "fact" })))
    const client = connected({ url: "http://192.0.2.1", fetch: gate.fetch })
    expect(await thrown(client.createRoot(root))).toMatchObject({
      code,
      status,
      detail: "No.",
      facts: { some: "fact" },
    })
    expect(gate.seen).toHaveLength(1)
  })

  test("waits as long as the server asks, and gives up where that is beyond its time", async () => {
    const { url, key } = await serve()
    const busy = problem(fail("rate_limited", "Slow down.", { retryAfterMs: 150 }))
    const gate = gated((_, pass, count) => (count === 1 ? busy.clone() : pass()))
    const client = connected({ url, apiKey: key, fetch: gate.fetch })
    const before = performance.now()
    await client.createRoot(root)
    expect(performance.now() - before).toBeGreaterThanOrEqual(149)
    for (const after of ["3600", new Date(Date.now() + 3_600_000).toUTCString()]) {
      const stubborn = gated(() => page(503, { "retry-after": after }))
      const patient = connected({ url, apiKey: key, fetch: stubborn.fetch, timeoutMs: 5000 })
      expect(await thrown(patient.heartbeat({ sessionId: "lead" }))).toMatchObject({ code: "storage_unavailable" })
      expect(stubborn.seen).toHaveLength(1)
    }
  })

  test("is bounded by maxRetries and by timeoutMs, whatever the server does", async () => {
    const down = gated(() => reset("ECONNREFUSED"))
    const client = connected({ url: "http://192.0.2.1", fetch: down.fetch, maxRetries: 2 })
    expect(await thrown(client.createRoot(root))).toMatchObject({ code: "storage_unavailable" })
    expect(down.seen).toHaveLength(3)
    const hanging = gated(
      (_, _pass, _count, { signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
    )
    const impatient = connected({ url: "http://192.0.2.1", fetch: hanging.fetch, timeoutMs: 1500 })
    expect(await thrown(impatient.getWorkflow("w1"))).toMatchObject({ facts: { reason: "timeout" } })
    expect(hanging.seen.length).toBeGreaterThan(1)
    expect(hanging.seen.length).toBeLessThan(5)
  })
})

describe("an outage is said as what it is", () => {
  const tried = async (...answers: ReadonlyArray<() => Response>) => {
    const gate = gated((_, _pass, count) => (answers[count - 1] ?? answers[answers.length - 1] ?? reset)())
    const client = connected({
      url: "http://192.0.2.1",
      apiKey: "hrk_very-secret",
      fetch: gate.fetch,
      maxRetries: answers.length - 1,
    })
    const error = await thrown(client.createRoot(root, { idempotencyKey: "k1" }))
    if (!(error instanceof WorkflowError)) throw new Error(`a raw error: ${inspect(error)}`)
    expect(inspect(error, { depth: 9 })).not.toContain("very-secret")
    return error
  }
  const refused = () => reset("ECONNREFUSED")

  test("nothing was carried out where no connection was made", async () => {
    const error = await tried(refused, refused)
    expect(error).toMatchObject({ code: "storage_unavailable", retryable: true, status: 503 })
    expect(error.facts).toEqual({ reason: "unreachable", idempotencyKey: "k1" })
    expect(error.detail).toContain("ECONNREFUSED")
    expect(error.detail).toContain("Nothing of the command was carried out")
  })

  test("something may have been where a connection was lost, also if only an earlier one was", async () => {
    const last = await tried(() => reset())
    expect(last.detail).toContain("may have been carried out all the same")
    expect(last.facts).toEqual({ reason: "connection", idempotencyKey: "k1" })
    const earlier = await tried(() => reset(), refused)
    expect(earlier.detail).toContain("By an earlier try the command may have been carried out")
    expect(earlier.facts).toEqual({ reason: "connection", idempotencyKey: "k1" })
    const told = await tried(
      () => reset(),
      () =>
        problem(fail("storage_unavailable", "Nothing of the command was written; try again.", { reason: "locked" })),
    )
    expect(told.detail).toMatch(/Nothing of .* By an earlier try the command may have been carried out/)
    expect(told.facts.reason).toBe("connection")
  })

  test("the server's own word stands where it is the only one", async () => {
    const own = fail("storage_unavailable", "Nothing of the command was written; try again.", { reason: "locked" })
    const error = await tried(() => problem(own))
    expect(error.detail).toBe(own.detail)
    expect(error.facts).toEqual({ reason: "locked", idempotencyKey: "k1" })
  })

  test("a read says only what happened", async () => {
    const gate = gated(() => page(502))
    const client = connected({ url: "http://192.0.2.1", fetch: gate.fetch, maxRetries: 0 })
    expect(await thrown(client.getWorkflow("w1"))).toMatchObject({
      code: "storage_unavailable",
      detail: "http://192.0.2.1 answered 502 (text/html), which is not an answer of Handrail.",
      facts: { reason: "answer", status: 502 },
    })
  })

  test("a real server that is gone is a typed error too", async () => {
    const { listening, connect } = await serve()
    const client = connect({ maxRetries: 1 })
    await client.createRoot(root)
    await listening.close({ graceMs: 0 })
    expect(await thrown(client.heartbeat({ sessionId: "lead" }))).toMatchObject({
      code: "storage_unavailable",
      facts: { reason: "unreachable" },
    })
  })
})

test("close ends what hangs, and what waits to be tried again", async () => {
  const hanging = gated(
    (_, _pass, _count, { signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
  )
  const one = connected({ url: "http://192.0.2.1", fetch: hanging.fetch })
  const waiting = thrown(one.createRoot(root))
  await expect.poll(() => hanging.seen.length).toBe(1)
  await one.close()
  expect(await waiting).toMatchObject({ code: "closed" })
  const busy = gated(() => page(503, { "retry-after": "20" }))
  const two = connected({ url: "http://192.0.2.1", fetch: busy.fetch })
  const retrying = thrown(two.createRoot(root))
  await expect.poll(() => busy.seen.length).toBe(1)
  const at = performance.now()
  await two.close()
  expect(await retrying).toMatchObject({ code: "closed" })
  // Long before the server wants to be asked again.
  expect(performance.now() - at).toBeLessThan(5000)
})

test("the state that a command was decided on goes with it", async () => {
  const { connect } = await serve()
  const client = connect()
  const lead = await client.createRoot(root)
  await client.heartbeat({ sessionId: "lead", expectedVersion: lead.stateVersion })
  expect(await thrown(client.fail({ sessionId: "lead", expectedVersion: 99, reason: "x" }))).toMatchObject({
    code: "version_mismatch",
    status: 412,
  })
})
