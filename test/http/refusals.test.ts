/** What is wrong with a request is said as what it is: status, code, facts, and never more than the caller may know. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { describe, expect, test } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { httpLimits } from "../../src/adapters/http/limits.ts"
import { HttpApp, type Observation } from "../../src/adapters/http/server/HttpApp.ts"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { Tenant } from "../../src/machines/ids.ts"
import { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { Governance } from "../../src/runtime/Governance.ts"
import { Journal, StorageUnavailable } from "../../src/runtime/Journal.ts"
import { claim, commit, offer, openServer, propose, root, teamYaml } from "./fixtures.ts"

const json = { "content-type": "application/json" }

describe("the form of a request", () => {
  test("a path that is none, and a method that the route does not know", async () => {
    const { call } = await openServer()
    for (const path of [
      "/",
      "/api/v1/replay",
      "/healthz/",
      "/api/v1/replay/sessions/%ZZ",
      "/api/v1/replay/sessions/a/b/c",
    ])
      expect(await call("GET", path)).toMatchObject({ status: 404, body: { code: "not_found", status: 404 } })
    const wrong = await call("DELETE", "/sessions/s1")
    expect(wrong).toMatchObject({ status: 405, body: { code: "method_not_allowed", retryable: false } })
    expect(wrong.headers.get("allow")).toBe("GET, HEAD")
    expect(wrong.headers.get("content-type")).toBe("application/problem+json")
    expect((await call("GET", "/sessions")).headers.get("allow")).toBe("POST")
  })

  test("HEAD is GET without a body", async () => {
    const { call } = await openServer()
    const [head, get] = [await call("HEAD", "/healthz"), await call("GET", "/healthz")]
    expect([head.status, head.body]).toEqual([200, ""])
    expect(head.headers.get("content-length")).toBe(String(JSON.stringify(get.body).length))
    const stream = await call("HEAD", "/workflows/none/events", { headers: { accept: "text/event-stream" } })
    expect([stream.status, stream.body]).toEqual([404, ""])
  })

  test("a body that is not JSON: by its type, its bytes, its text, its depth and its size", async () => {
    const server = await openServer({ maxBodyBytes: 5000 })
    const lead = await root(server)
    const send = (body: unknown, headers: Record<string, string> = json) =>
      server.call("POST", `/sessions/${lead.id}/proposals`, { body, headers })
    const typed = await send("calls=1", { "content-type": "application/x-www-form-urlencoded" })
    expect(typed).toMatchObject({ status: 415, body: { code: "unsupported_media_type" } })
    expect(typed.headers.get("accept-post")).toBe("application/json")
    expect(await send("{}", { "content-type": "application/json; charset=latin1" })).toMatchObject({ status: 415 })
    expect(await send(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toMatchObject({
      status: 400,
      body: { code: "invalid_request", detail: "The body is not UTF-8." },
    })
    expect(await send('{"calls":')).toMatchObject({ status: 400, body: { detail: "The body is not JSON." } })
    const depth = httpLimits.jsonDepth + 1
    expect(await send("[".repeat(depth) + "]".repeat(depth))).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("levels deep") },
    })
    const large = { status: 413, body: { code: "payload_too_large", max: 5000 } }
    expect(await send(`"${"x".repeat(5000)}"`)).toMatchObject(large)
    // Nobody waits for the end of a body that says nothing of its length.
    let sent = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        sent += 1000
        controller.enqueue(new Uint8Array(1000).fill(32))
      },
    })
    expect(await send(endless)).toMatchObject(large)
    expect(sent).toBeLessThan(20_000)
  })

  test("every mistake in a body with its path, in the names of the wire", async () => {
    const server = await openServer()
    const lead = await root(server)
    const { status, body } = await server.call("POST", `/sessions/${lead.id}/proposals`, {
      body: { calls: [{ tool: "-", estimated_cost: -1, extra: 1 }], usage: { input_tokens: 1.5 }, wait: "no" },
    })
    expect([status, body.code]).toEqual([400, "invalid_request"])
    const paths = body.errors.map((error: { path: string }) => error.path).toSorted()
    expect(paths).toEqual([
      "calls.0.estimated_cost",
      "calls.0.extra",
      "calls.0.tool",
      "usage.cost",
      "usage.input_tokens",
      "usage.output_tokens",
      "wait",
    ])
  })

  test("a query that says too much, twice, or what it can't mean", async () => {
    const { call } = await openServer()
    for (const query of ["limit=x", "limit=0", "limit=1001", "status=open", "nothing=1", "limit=1&limit=2", "role=-"])
      expect(await call("GET", `/workflows?${query}`), query).toMatchObject({
        status: 400,
        body: { code: "invalid_request", errors: [{ path: expect.any(String) }] },
      })
  })

  test("ids that are none", async () => {
    const { call } = await openServer()
    for (const path of ["/sessions/-a", `/workflows/${"a".repeat(129)}`, "/sessions/a%00b", "/sessions/a%2Fb"])
      expect(await call("GET", path), path).toMatchObject({ status: 400, body: { code: "invalid_request" } })
    const key = await call("GET", "/sessions/s1", { headers: { "idempotency-key": "k" } })
    expect(key.body.code).toBe("session_not_found")
  })
})

describe("the rules of a workflow", () => {
  test("refuse with 409 and the facts, and with 412 what was decided on an old version", async () => {
    const server = await openServer()
    const lead = await root(server)
    const body = { calls: [{ tool: "scan", estimated_cost: 101 }] }
    expect(await server.call("POST", `/sessions/${lead.id}/proposals`, { body })).toMatchObject({
      status: 409,
      body: {
        code: "limit_exceeded",
        retryable: true,
        limit: "max_cost",
        max: 100,
        used: 0,
        reserved: 0,
        requested: 101,
      },
    })
    expect(await server.call("POST", `/sessions/${lead.id}/handoffs`, { body: { to_role: "lead" } })).toMatchObject({
      status: 409,
      body: { code: "handoff_not_permitted", from: "lead", to: "lead", allowed: ["dev"] },
    })
    expect(
      await server.call("POST", `/sessions/${lead.id}/heartbeat`, { body: { expected_version: 7 } }),
    ).toMatchObject({ status: 412, body: { code: "version_mismatch", expected_version: 7, state_version: 1 } })
    expect(await server.call("POST", `/sessions/${lead.id}/complete`, { body: {} })).toMatchObject({ status: 200 })
    expect(await server.call("POST", `/sessions/${lead.id}/heartbeat`)).toMatchObject({
      status: 409,
      body: { code: "session_not_active", current_status: "completed" },
    })
  })

  test("a claim that comes second hears who was first", async () => {
    const server = await openServer()
    const lead = await root(server)
    const handoffId = await offer(server, lead)
    const dev = await claim(server, lead, handoffId)
    const second = await server.call("POST", "/sessions", {
      body: {
        agent: "late",
        workflow: { type: "child", workflow_id: "w1", role: "dev", parent_session_id: lead.id, handoff_id: handoffId },
      },
    })
    expect(second).toMatchObject({ status: 409, body: { code: "handoff_already_claimed", retryable: false } })
    expect(JSON.stringify(second.body)).toContain(handoffId)
    expect(JSON.stringify(second.body)).not.toContain(dev.token)
  })

  test("a late receipt is recorded, and its sender told that it is dead", async () => {
    const server = await openServer()
    const lead = await root(server)
    const step = await propose(server, lead)
    await server.call("POST", "/workflows/w1/kill", { body: { reason: "x" } })
    expect(await commit(server, lead, step)).toMatchObject({
      status: 409,
      body: { code: "session_killed", recorded: true, kill_id: expect.any(String), reason: "x" },
    })
  })
})

describe("an idempotency key", () => {
  test("replays the first answer and changes nothing (I8); for another request it is a mismatch", async () => {
    const server = await openServer()
    const lead = await root(server)
    const send = (cost: number) =>
      server.call("POST", `/sessions/${lead.id}/proposals`, {
        body: { calls: [{ tool: "scan", estimated_cost: cost }] },
        headers: { "idempotency-key": "k1" },
      })
    const first = await send(1)
    const again = await send(1)
    expect(again.body).toEqual(first.body)
    expect(again.headers.get("handrail-seq")).toBe("2")
    expect(await send(2)).toMatchObject({ status: 422, body: { code: "idempotency_mismatch", key: "k1" } })
    expect((await server.call("GET", "/workflows/w1")).body.seq).toBe(2)
    const long = await server.call("POST", `/sessions/${lead.id}/heartbeat`, {
      headers: { "idempotency-key": "k".repeat(256) },
    })
    expect(long).toMatchObject({ status: 400, body: { errors: [{ path: "idempotency_key" }] } })
  })
})

describe("how much is asked", () => {
  test("a key that sends too much waits, and another key does not", async () => {
    let now = 1_000_000
    const server = await openServer({ rate: { perSecond: 2, burst: 3 }, now: () => now })
    const [one, other] = [await server.keyOf(["read"]), await server.keyOf(["read"], "default", "two")]
    const ask = (key: string) => server.call("GET", "/workflows", { key })
    for (let n = 0; n < 3; n++) expect((await ask(one)).status).toBe(200)
    const refused = await ask(one)
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited", retryable: true, retry_after_ms: 500 } })
    expect(refused.headers.get("retry-after")).toBe("1")
    expect((await ask(other)).status).toBe(200)
    now += 500
    expect([(await ask(one)).status, (await ask(one)).status]).toEqual([200, 429])
  })

  test("a store that does not answer is 503 with Retry-After, and so is one that takes too long", async () => {
    const store = makeMemoryStore()
    const state = { broken: false, slow: false }
    const journal = memoryJournal(store)
    const spoilt: Journal["Service"] = {
      ...journal,
      append: (group) =>
        state.slow
          ? Effect.never
          : state.broken
            ? Effect.fail(new StorageUnavailable({ reason: "disk_full", detail: "the disk is full" }))
            : journal.append(group),
    }
    const managed = ManagedRuntime.make(Layer.provide(Governance.layer, Layer.succeed(Journal, spoilt)))
    const runtime = new EmbeddedClient({
      governance: await managed.runPromise(Effect.map(Governance, (it) => it)),
      tenant: Tenant.make("default"),
      run: (effect) => managed.runPromiseExit(effect),
      close: async () => {},
    })
    const server = await openServer({ runtime, requestMs: 50 })
    const lead = await root(server)
    state.broken = true
    const refused = await server.call("POST", `/sessions/${lead.id}/handoffs`, { body: { to_role: "dev" } })
    expect(refused).toMatchObject({
      status: 503,
      body: { code: "storage_unavailable", retryable: true, reason: "disk_full" },
    })
    expect(refused.headers.get("retry-after")).toBe("1")
    state.broken = false
    state.slow = true
    const late = await server.call("POST", `/sessions/${lead.id}/handoffs`, { body: { to_role: "dev" } })
    expect(late).toMatchObject({ status: 503, body: { code: "overloaded", timeout_ms: 50, retryable: true } })
  })
})

describe("who hears what", () => {
  test("other origins are refused by browsers unless they are listed", async () => {
    const closed = await openServer()
    const preflight = {
      key: null,
      headers: { origin: "https://a.example", "access-control-request-method": "POST" },
    }
    expect((await closed.call("OPTIONS", "/sessions", preflight)).status).toBe(405)
    expect((await closed.call("GET", "/healthz", preflight)).headers.get("access-control-allow-origin")).toBeNull()
    const open = await openServer({ cors: { origins: ["https://a.example"] } })
    const allowed = await open.call("OPTIONS", "/sessions", preflight)
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, "https://a.example"])
    const other = await open.call("GET", "/healthz", { headers: { origin: "https://b.example" } })
    expect(other.headers.get("access-control-allow-origin")).toBeNull()
    expect(other.headers.get("vary")).toBe("Origin")
  })

  test("observations name operation, actor and code, and hold no secret; nor does any refusal", async () => {
    const seen: Array<Observation> = []
    const server = await openServer({ observe: (one) => seen.push(one) })
    const lead = await root(server)
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await server.call("POST", "/workflows/w1/kill", { body: {}, headers: { traceparent: trace } })
    await server.call("POST", "/workflows/w1/kill", { body: { reason: "x" } })
    const bad = await server.call("GET", "/workflows", { key: `${server.key}x` })
    expect(bad.headers.get("www-authenticate")).toContain("Bearer")
    expect(seen.map(({ operation, status, code, actor }) => [operation, status, code, actor])).toEqual([
      ["createSession", 201, undefined, "operator:all"],
      ["killWorkflow", 400, "invalid_request", "operator:all"],
      ["killWorkflow", 200, undefined, "operator:all"],
      ["listWorkflows", 401, "unauthenticated", undefined],
    ])
    expect(seen[1]).toMatchObject({ workflowId: "w1", traceparent: trace, tenant: "default", method: "POST" })
    const all = JSON.stringify([seen, bad.body])
    for (const secret of [server.key, server.key.split("_")[2] ?? "?", lead.token]) expect(all).not.toContain(secret)
  })

  test("without keys, programs on this machine need none, and pages in its browsers do not get in", async () => {
    const server = await openServer()
    const keys = new MemoryKeys()
    let now = 0
    const app = await HttpApp.open({ runtime: server.runtime, keys, now: () => now })
    const workflow = { type: "root", workflow_id: "w1", role: "lead", definition: teamYaml }
    const create = (headers: Record<string, string>, isLocal = true) =>
      app.fetch(
        new Request("http://localhost/api/v1/replay/sessions", {
          method: "POST",
          body: JSON.stringify({ agent: "a", session_id: "s1", workflow }),
          headers: { ...json, ...headers },
        }),
        { isLocal },
      )
    expect((await create({}, false)).status).toBe(401)
    expect((await create({ origin: "https://evil.example" })).status).toBe(403)
    expect((await create({ host: "evil.example:4000" })).status).toBe(403)
    expect((await create({ host: "127.0.0.1:4000" })).status).toBe(201)
    expect((await create({})).status).toBe(201)
    await new KeyRing(keys).create({ name: "first", scopes: ["read"] })
    now += httpLimits.keyFreshMs
    expect((await create({})).status).toBe(401)
  })
})
