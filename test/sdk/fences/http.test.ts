/** Fencing over real HTTP: a server on a socket, and clients that send their tokens. */
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import {
  type Fence,
  fencedFetch,
  fencedHandler,
  fenceHeaderOf,
  fenceProblem,
  MemoryFences,
  readFences,
  StaleFenceError,
} from "../../../src/fences.ts"
import { gate } from "../fixtures.ts"
import { arrivals, fence, isGrowing, landed, landing, runs } from "./fixtures.ts"

const listen = async (onRequest: RequestListener): Promise<string> => {
  const server = createServer(onRequest)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** A service that keeps what was put, in the order in which it was; a body that says "wait" waits for `freed`. */
const service = async (store = new MemoryFences(), freed: Promise<unknown> = Promise.resolve()) => {
  const writes: Array<string> = []
  const seen: Array<string> = []
  const handler = fencedHandler({
    store,
    resources: (request: Request) => [{ name: "environment", key: request.headers.get("x-key") ?? "prod" }],
    handle: async (request) => {
      const text = await request.text()
      seen.push(text)
      if (text.startsWith("wait")) await freed
      writes.push(text)
      return new Response("written", { status: 201 })
    },
  })
  const url = await listen(async (incoming, outgoing) => {
    const request = new Request("http://service/", {
      method: "POST",
      headers: headersOf(incoming),
      body: await new Response(incoming as never).text(),
    })
    const response = await handler(request)
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(await response.text())
  })
  return { url, writes, seen }
}

const headersOf = (incoming: IncomingMessage): Headers => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === "string") headers.set(name, value)
  return headers
}

const put = (url: string, body: string, fences: ReadonlyArray<Fence>) =>
  fencedFetch(fences)(url, { method: "POST", body })

test("one after another, exactly the writes land whose token is not older than all before", async () => {
  await fc.assert(
    fc.asyncProperty(arrivals, async (tokens) => {
      const { url, writes } = await service()
      const found: Array<boolean> = []
      for (const token of tokens) found.push(await landed(() => put(url, `${token}`, [fence(token)])))
      expect(found).toEqual(landing(tokens))
      expect(writes.map(Number)).toEqual(tokens.filter((_, index) => found[index]))
    }),
    runs(10),
  )
})

test("at once: what lands has growing tokens, and the greatest is last", async () => {
  const { url, writes } = await service()
  const tokens = Array.from({ length: 40 }, (_, index) => ((index * 7) % 11) + 1)
  await Promise.all(tokens.map((token) => landed(() => put(url, `${token}`, [fence(token)]))))
  expect(isGrowing(writes.map(Number))).toBe(true)
  expect(writes.at(-1)).toBe("11")
})

test("a request that was let in and froze is waited for, so that a newer one's write comes after it", async () => {
  const freed = gate()
  const { url, writes, seen } = await service(new MemoryFences(), freed.opened)
  const frozen = put(url, "wait", [fence(1)])
  while (seen.length === 0) await new Promise(setImmediate)
  const newer = put(url, "newer", [fence(2)])
  const other = await fencedFetch([fence(1, "test")])(url, {
    method: "POST",
    body: "other",
    headers: { "x-key": "test" },
  })
  expect(other.status).toBe(201)
  freed.open()
  await Promise.all([frozen, newer])
  expect(writes).toEqual(["other", "wait", "newer"])
})

test("the answer to a stale token is 412 with the newest, and the client throws it", async () => {
  const { url, writes } = await service()
  await put(url, "new", [fence(7)])
  const answer = await fetch(url, {
    method: "POST",
    body: "late",
    headers: { "handrail-fence": fenceHeaderOf([fence(5)]) },
  })
  expect(answer.status).toBe(412)
  expect(answer.headers.get("content-type")).toBe("application/problem+json")
  expect(await answer.json()).toMatchObject({
    type: "urn:handrail:problem:stale_fence",
    status: 412,
    name: "environment",
    key: "prod",
    token: 5,
    newest: 7,
  })
  await expect(put(url, "late", [fence(5)])).rejects.toThrow(new StaleFenceError(fence(5), 7))
  expect(writes).toEqual(["new"])
})

test.each([
  ["no header", {}, 428],
  ["a token of another resource only", { "handrail-fence": "environment/test=9" }, 428],
  ["an empty header", { "handrail-fence": "" }, 428],
  ["a malformed one", { "handrail-fence": "environment/prod" }, 400],
  ["a token that is no number", { "handrail-fence": "environment/prod=1e3" }, 400],
  ["a token of zero", { "handrail-fence": "environment/prod=0" }, 400],
  ["two tokens of one resource", { "handrail-fence": "environment/prod=1, environment/prod=9" }, 400],
  [
    "one that is too long",
    { "handrail-fence": `environment/prod=1,${" ".repeat(9000)},`.repeat(1).padEnd(16_385, "x") },
    400,
  ],
])("%s is refused, and nothing is written", async (_, headers, status) => {
  const store = new MemoryFences()
  const handle = fencedHandler({
    store,
    resources: () => [{ name: "environment", key: "prod" }],
    handle: () => expect.unreachable(),
  })
  const answer = await handle({ headers })
  expect(answer.status).toBe(status)
})

test("several resources are checked together; others that the request carries are left aside", async () => {
  const store = new MemoryFences()
  await store.transaction([fence(3, "b")], () => {})
  await expect(store.transaction([fence(5, "a"), fence(1, "b")], () => {})).rejects.toMatchObject({ newest: 3 })
  // The refused one has stored nothing.
  expect(await store.transaction([fence(1, "a")], () => "in")).toBe("in")
  const headers = new Headers({ "handrail-fence": fenceHeaderOf([fence(2, "b"), fence(1, "a")]) })
  expect(readFences(headers, [fence(9, "a")])).toEqual([fence(1, "a")])
  expect(readFences({ "handrail-fence": ["environment/a=4", "environment/b=5"] }, [fence(9, "b")])).toEqual([
    fence(5, "b"),
  ])
})

test("an answer of another server with 412, or another error of the handler, is left as it is", async () => {
  const url = await listen((_, outgoing) => outgoing.writeHead(412).end("not mine"))
  const answer = await put(url, "x", [fence(1)])
  expect([answer.status, await answer.text()]).toEqual([412, "not mine"])
  expect(fenceProblem(new Error("other"))).toBeUndefined()
  const handle = fencedHandler({
    store: new MemoryFences(),
    resources: () => [fence(1)],
    handle: () => Promise.reject(new Error("broken")),
  })
  await expect(handle({ headers: { "handrail-fence": "environment/prod=1" } })).rejects.toThrow("broken")
})

test("a store in memory forgets nothing to make room: at its bounds it refuses", async () => {
  const store = new MemoryFences({ maxResources: 1, maxWaiting: 1 })
  const held = gate()
  const first = store.transaction([fence(2)], () => held.opened)
  await expect(store.transaction([fence(3)], () => {})).rejects.toMatchObject({ code: "full" })
  held.open()
  await first
  await expect(store.transaction([fence(3, "other")], () => {})).rejects.toMatchObject({ code: "full" })
  await expect(store.transaction([fence(1)], () => {})).rejects.toBeInstanceOf(StaleFenceError)
})
