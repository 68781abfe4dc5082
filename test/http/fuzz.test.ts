/**
 * A short run of requests made from the OpenAPI document; `npm run fuzz:http` is the long one, through real sockets. Repeat a failure
 * with the seed that it prints: `HANDRAIL_SEED=… npm test -- test/http/fuzz`.
 */
import { expect, test } from "vitest"
import { openApiDocument } from "../../src/adapters/http/api/openapi.ts"
import { SessionTokens } from "../../src/adapters/http/auth/SessionTokens.ts"
import { SessionId, Tenant } from "../../src/machines/ids.ts"
import { openServer } from "./fixtures.ts"
import { readDocument } from "./fuzz/document.ts"
import { complaint, Fuzzer } from "./fuzz/Fuzzer.ts"
import { Scene } from "./fuzz/scene.ts"

const requests = 1000

test(`${requests} requests are each answered, and the answer says what was wrong`, async () => {
  const seed = Number(process.env.HANDRAIL_SEED ?? Date.now() % 1_000_000)
  const server = await openServer()
  const tokens = await SessionTokens.open(server.keys)
  const scene = new Scene(server.runtime)
  const fuzzer = new Fuzzer(seed, readDocument(openApiDocument()), () => scene.known, {
    key: server.key,
    tokens: () => scene.sessions.map((id) => tokens.issue(Tenant.make("default"), SessionId.make(id))),
  })
  const codes = new Map<string, number>()
  for (let n = 0; n < requests; n++) {
    if (n % 40 === 0) await scene.renew()
    const request = fuzzer.next()
    const { method, path, headers, body } = request
    const asked = new Request(`http://localhost${path}`, {
      method,
      headers,
      ...(body === null || method === "GET" || method === "HEAD"
        ? {}
        : { body: typeof body === "string" ? body : new Uint8Array(body) }),
    })
    const response = await server.app.fetch(asked)
    const text = await response.text()
    const wrong = complaint(request, {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      text,
    })
    const shown = { ...request, operation: request.operation.id, body: String(body).slice(0, 500) }
    expect(
      wrong,
      `seed ${seed}, request ${n}: ${JSON.stringify(shown)} → ${response.status} ${text.slice(0, 500)}`,
    ).toBeUndefined()
    const code = response.status < 400 ? String(response.status) : String(JSON.parse(text).code)
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  expect(server.defects).toEqual([])
  expect(server.app.figures()).toMatchObject({ requests: 0, streams: 0, feeds: 0 })
  // The run reached the rules, and not only the door.
  for (const code of [
    "200",
    "201",
    "invalid_request",
    "unauthenticated",
    "forbidden",
    "not_found",
    "method_not_allowed",
  ])
    expect(codes.get(code), `${code} of ${JSON.stringify([...codes])}, seed ${seed}`).toBeGreaterThan(0)
  expect(codes.size).toBeGreaterThan(12)
})
