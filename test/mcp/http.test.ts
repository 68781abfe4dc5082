/** `handrail mcp --http`: a real socket, and the official client; and requests that it must not let in. */
import { request } from "node:http"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Running } from "../cli/command.ts"
import { answer, connected, governance, refusal, rootOf, storeIn } from "./fixtures.ts"

const serving = async (more: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}) => {
  const { store, runtime } = await storeIn(governance())
  const server = new Running(["mcp", "--store", store, "--workflow", "w1", "--http", "0", ...more], { env })
  const [, url = ""] = await server.printed(/listening on (\S+)\n/)
  return { url, runtime, server }
}

const claim = { parent_session_id: "lead-1", role: "worker" }

test("several connections each have their own sessions, and none acts for another's", async () => {
  const { url, runtime, server } = await serving()
  const lead = await rootOf(runtime)
  for (const handoffId of ["h1", "h2"]) await lead.handoff({ toRole: "worker", handoffId })
  const [one, two] = await Promise.all([connected(url), connected(url)])
  expect((await one.client.listTools()).tools).toHaveLength(9)
  answer(await one.call("claim", { ...claim, handoff_id: "h1", session_id: "a" }))
  answer(await two.call("claim", { ...claim, handoff_id: "h2", session_id: "b" }))
  expect(refusal(await two.call("claim", { ...claim, handoff_id: "h1" }))).toBe("handoff_already_claimed")
  expect(answer(await one.call("state"))).toMatchObject({ session: { session_id: "a" } })
  expect(refusal(await two.call("kill_self", { session_id: "a", reason: "not mine" }))).toBe("forbidden")
  // Another connection that claims it with the same id is the same agent, come back.
  const again = await connected(url)
  answer(await again.call("claim", { ...claim, handoff_id: "h1", session_id: "a" }))
  expect(answer(await again.call("propose", { calls: [{ tool: "write" }] })).steps).toHaveLength(1)
  // It does not wait for who waits; what its client makes of that is the client's.
  void two.call("state", { handoff_id: "h2", wait_ms: 20_000 }).catch(() => {})
  server.signal("SIGTERM")
  expect((await server.ended).code).toBe(0)
  expect(await runtime.getSession("b")).toMatchObject({ status: "active" })
  expect(server.err).toBe("")
})

test("a connection that ends stops renewing its leases", async () => {
  const { url, runtime } = await serving()
  const lead = await rootOf(runtime)
  await lead.handoff({ toRole: "worker", handoffId: "h1" })
  const { client, call } = await connected(url)
  answer(await call("claim", { ...claim, handoff_id: "h1" }))
  const { transport } = client
  if (transport !== undefined && "terminateSession" in transport && typeof transport.terminateSession === "function")
    await transport.terminateSession()
  for await (const { body } of runtime.events({ workflowId: "w1" })) if (body._tag === "handoff.reclaimed") break
  expect(await runtime.getHandoff("w1", "h1")).toMatchObject({ status: "offered" })
})

test("a key is asked for where one was set, and required beyond this machine", async () => {
  const key = "correct-horse-battery"
  const { url } = await serving([], { HANDRAIL_MCP_KEY: key })
  const { client } = await connected(url, key)
  expect((await client.listTools()).tools).toHaveLength(9)
  await expect(connected(url)).rejects.toMatchObject({ code: 401 })
  await expect(connected(url, "wrong")).rejects.toMatchObject({ code: 401 })
  const { store } = await storeIn(governance())
  const open = new Running(["mcp", "--store", store, "--http", "0", "--host", "0.0.0.0"])
  const { code, err } = await open.ended
  expect([code, err]).toEqual([1, expect.stringMatching(/^handrail: keys_required: /)])
  const short = new Running(["mcp", "--store", store, "--http", "0"], { env: { HANDRAIL_MCP_KEY: "short" } })
  expect((await short.ended).code).toBe(2)
})

test("nothing but MCP of this machine is let in", async () => {
  const { url } = await serving()
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  }
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" }
  const send = (path: string, headers: Readonly<Record<string, string>>, body: string) =>
    new Promise<number>((resolve, reject) => {
      const sent = request(url, { path, method: "POST", headers: { ...json, ...headers } }, (response) => {
        response.resume()
        response.on("end", () => resolve(response.statusCode ?? 0))
      })
      sent.on("error", reject)
      sent.end(body)
    })
  const good = JSON.stringify(initialize)
  expect(await send("/mcp", {}, good)).toBe(200)
  expect(await send("/other", {}, good)).toBe(404)
  expect(await send("//", {}, good)).toBe(404)
  expect(await send("/mcp", { host: "evil.example" }, good)).toBe(403)
  expect(await send("/mcp", { origin: "https://evil.example" }, good)).toBe(403)
  expect(await send("/mcp", { origin: "null" }, good)).toBe(403)
  expect(await send("/mcp", { origin: new URL(url).origin }, good)).toBe(200)
  expect(await send("/mcp", { "mcp-session-id": "none" }, good)).toBe(404)
  expect(await send("/mcp", {}, "{")).toBe(400)
  expect(await send("/mcp", {}, JSON.stringify({ ...initialize, method: "tools/list" }))).toBe(400)
  expect(await send("/mcp", {}, JSON.stringify({ ...initialize, filler: "x".repeat(5_000_000) }))).toBe(413)
})

test("wrong usage is told as such", async () => {
  const { store } = await storeIn(governance())
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["mcp", "--store", store, "--host", "::1"], /--host needs --http/],
    [["mcp", "--store", store, "--role", "lead"], /--role needs --workflow/],
    [["mcp", "--store", store, "--workflow", "w", "--parent", "s"], /--parent and --handoff go together/],
    [["mcp", "--store", store, "--workflow", "w", "--handoff", "h", "--parent", "s"], /--role is needed/],
    [["mcp", "--store", store, "proxy2"], /takes no argument/],
    [["mcp", "proxy", "--", "node"], /--contracts DIR/],
    [["mcp", "proxy", "--contracts", "."], /say which server/],
    [["mcp", "proxy", "--contracts", ".", "--upstream", "ftp://x"], /--upstream takes a URL/],
    [["mcp", "proxy", "--contracts", ".", "--session", "s", "--", "node"], /--session is of a workflow/],
    [["mcp", "--url", "http://127.0.0.1:1", "--store", join("a", "b")], /exclude each other/],
  ]
  for (const [args, words] of cases) {
    const { code, err, out } = await new Running(args).ended
    expect([args, code, out]).toEqual([args, 2, ""])
    expect(err).toMatch(words)
  }
})
