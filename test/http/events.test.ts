/** Live events, waiting for a step, and stopping: what is sent, what resumes, what is never kept. */
import { describe, expect, test } from "vitest"
import { httpLimits } from "../../src/adapters/http/limits.ts"
import { commit, offer, openServer, propose, root, type Server } from "./fixtures.ts"
import { SseReader } from "./sse.ts"

const accept = { accept: "text/event-stream" }
const open = async (server: Server, query = "", headers: Record<string, string> = {}) => {
  const response = await server.fetch("GET", `/workflows/w1/events${query}`, { headers: { ...accept, ...headers } })
  expect(response.status).toBe(200)
  expect(response.headers.get("content-type")).toBe("text/event-stream")
  return new SseReader(response)
}

describe("a stream of events", () => {
  test("gives what is stored, then what comes, each once and in order", async () => {
    const server = await openServer()
    const lead = await root(server)
    await offer(server, lead)
    const reader = await open(server)
    const stored = await reader.take(2)
    expect(stored.map(({ id, event }) => [id, event])).toEqual([
      ["1", "workflow.created"],
      ["2", "handoff.offered"],
    ])
    expect(reader.retry).toBeGreaterThan(0)
    const coming = reader.take(2)
    await propose(server, lead)
    await server.call("POST", "/workflows/w1/kill", { body: { reason: "x" } })
    expect((await coming).map(({ id, event }) => [id, event])).toEqual([
      ["3", "steps.proposed"],
      ["4", "killed"],
    ])
    const page = await server.call("GET", "/workflows/w1/events?after=3")
    expect(page.body.items).toEqual([(await (await open(server, "?after=3")).take(1))[0]?.data])
  })

  test("resumes after Last-Event-ID, which counts more than the query, and refuses one that is none", async () => {
    const server = await openServer()
    const lead = await root(server)
    for (let n = 0; n < 5; n++) await offer(server, lead)
    const reader = await open(server)
    await reader.take(3)
    await reader.cancel()
    const again = await open(server, "?after=0", { "last-event-id": reader.lastId })
    expect((await again.take(3)).map(({ id }) => id)).toEqual(["4", "5", "6"])
    const wrong = await server.call("GET", "/workflows/w1/events", { headers: { ...accept, "last-event-id": "x" } })
    expect(wrong).toMatchObject({ status: 400, body: { code: "invalid_request" } })
    expect((await server.call("GET", "/workflows/w9/events", { headers: accept })).status).toBe(404)
    await again.cancel()
    expect(server.app.figures()).toMatchObject({ streams: 0, feeds: 0 })
  })

  test("that nobody begins to read is let go of", async () => {
    const server = await openServer({ slowReaderMs: 5 })
    await root(server)
    const response = await server.fetch("GET", "/workflows/w1/events", { headers: accept })
    await expect.poll(() => server.app.figures().streams).toBe(0)
    expect(await response.text()).toBe("")
  })

  test("catches up through more than the shared frames hold", async () => {
    const server = await openServer()
    const lead = await root(server)
    const live = await open(server)
    await live.take(1)
    const far = httpLimits.feedFrames + 300
    for (let n = 0; n < far; n += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          server.runtime.raiseLimits({ workflowId: "w1", limits: { maxCost: 101 + n + index } }).catch(() => undefined),
        ),
      )
    const { body } = await server.call("GET", "/workflows/w1")
    expect(body.seq).toBeGreaterThan(httpLimits.feedFrames)
    // One has not read since the first event, one begins now: both are behind the frames that are still shared.
    const late = await open(server)
    const ids = (await late.take(body.seq)).map(({ id }) => Number(id))
    expect(ids).toEqual(Array.from({ length: body.seq }, (_, index) => index + 1))
    expect((await live.take(body.seq - 1)).at(-1)?.id).toBe(String(body.seq))
    await offer(server, lead)
    expect((await late.take(1))[0]?.event).toBe("handoff.offered")
  })

  test("keeps a quiet one alive, until its key is revoked", async () => {
    let now = 0
    const server = await openServer({ heartbeatMs: 5, now: () => now })
    await root(server)
    const { key, record } = await server.ring.create({ name: "reader", scopes: ["read"] })
    const response = await server.fetch("GET", "/workflows/w1/events?after=1", { key, headers: accept })
    const reader = new SseReader(response)
    await reader.comment()
    await reader.comment()
    await server.ring.revoke(record.keyId)
    now += httpLimits.keyFreshMs
    expect(await reader.next()).toBeUndefined()
    expect(server.app.figures()).toMatchObject({ streams: 0, feeds: 0 })
  })

  test("lets go of a reader that stands still, and keeps nothing for it; it resumes where it was", async () => {
    const server = await openServer({ slowReaderMs: 20 })
    const lead = await root(server)
    for (let n = 0; n < 20; n++) await offer(server, lead, { summary: "x".repeat(40_000) })
    const slow = await open(server)
    const [first] = await slow.take(1)
    await expect.poll(() => server.app.figures().streams, { timeout: 10_000 }).toBe(0)
    const seen = [first?.id]
    for (let event = await slow.next(); event !== undefined; event = await slow.next()) seen.push(event.id)
    expect(seen.length).toBeLessThan(10)
    const again = await open(server, "", { "last-event-id": slow.lastId })
    expect((await again.take(1))[0]?.id).toBe(String(Number(slow.lastId) + 1))
    await again.cancel()
  })

  test("one too many is overloaded, and one that leaves makes room", async () => {
    const server = await openServer({ maxStreams: 1 })
    await root(server)
    const reader = await open(server)
    await reader.take(1)
    const second = await server.call("GET", "/workflows/w1/events", { headers: accept })
    expect(second).toMatchObject({ status: 503, body: { code: "overloaded", max: 1 } })
    await reader.cancel()
    expect(server.app.figures()).toMatchObject({ streams: 0, feeds: 0 })
    await (await open(server)).cancel()
  })
})

describe("waiting for a queued step", () => {
  const queued = async (server: Server) => {
    const lead = await root(server)
    const on = { resources: [{ name: "line", key: "main" }] }
    const [first, second] = [await propose(server, lead, on), await propose(server, lead, on)]
    return { lead, first, second, path: `/sessions/${lead.id}/steps/${second}` }
  }

  test("is answered once it is admitted, with its tokens", async () => {
    const server = await openServer()
    const { lead, first, second, path } = await queued(server)
    expect((await server.call("GET", path)).body).toMatchObject({ step_id: second, status: "queued", fences: [] })
    const waiting = server.call("GET", `${path}?wait=30000`)
    // Something else happens first: it goes on waiting.
    await offer(server, lead)
    await commit(server, lead, first)
    expect((await waiting).body).toMatchObject({
      step_id: second,
      status: "admitted",
      fences: [{ name: "line", key: "main", token: 2 }],
    })
    expect(server.app.figures().feeds).toBe(0)
  })

  test("is answered once it can't be admitted any more, and when the time is over", async () => {
    const server = await openServer()
    const { path } = await queued(server)
    expect((await server.call("GET", `${path}?wait=5`)).body.status).toBe("queued")
    const waiting = server.call("GET", `${path}?wait=30000`)
    await server.call("POST", "/workflows/w1/kill", { body: { reason: "x" } })
    expect((await waiting).body.status).toBe("aborted")
  })

  test("of a step of another session there is nothing to see", async () => {
    const server = await openServer()
    const { first } = await queued(server)
    const other = await root(server, "w2")
    expect(await server.call("GET", `/sessions/${other.id}/steps/${first}?wait=1000`)).toMatchObject({
      status: 404,
      body: { code: "step_not_found" },
    })
  })
})

describe("stopping", () => {
  test("ends streams with a hint when to come back, answers who waits, and takes nothing new", async () => {
    const server = await openServer()
    const lead = await root(server)
    const on = { resources: [{ name: "line", key: "main" }] }
    await propose(server, lead, on)
    const second = await propose(server, lead, on)
    const reader = await open(server)
    await reader.take(3)
    const waiting = server.call("GET", `/sessions/${lead.id}/steps/${second}?wait=30000`)
    const command = server.call("POST", `/sessions/${lead.id}/handoffs`, { body: { to_role: "dev" } })
    expect(server.app.figures().requests).toBe(2)
    expect(await server.app.drain(10_000)).toBe(true)
    expect((await command).status).toBe(201)
    expect((await waiting).body.status).toBe("queued")
    // It may still hear of what was under way; then it ends.
    while ((await reader.next()) !== undefined);
    expect(reader.retry).toBeGreaterThanOrEqual(1000)
    const refused = await server.call("POST", `/sessions/${lead.id}/handoffs`, { body: { to_role: "dev" } })
    expect(refused).toMatchObject({ status: 503, body: { code: "overloaded", retryable: true } })
    expect((await server.call("GET", "/healthz")).status).toBe(200)
    expect((await server.call("GET", "/readyz")).status).toBe(503)
  })
})
