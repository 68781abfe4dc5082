/** `/openapi.json`: a valid document of OpenAPI 3.1 that says all there is to say. */
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { describe, expect, test } from "vitest"
import { Api } from "../../src/adapters/http/api/Api.ts"
import { openApiDocument } from "../../src/adapters/http/api/openapi.ts"
import { problemCodes } from "../../src/adapters/http/api/problems.ts"
import { routes } from "../../src/adapters/http/routes.ts"
import { openServer, root } from "./fixtures.ts"
import { isObject, readDocument } from "./fuzz/document.ts"

describe("the document", () => {
  test("is a valid OpenAPI 3.1 document, and what the server serves", async () => {
    const { call } = await openServer()
    const { body, headers } = await call("GET", "/openapi.json")
    expect(headers.get("content-type")).toBe("application/json")
    expect(body).toEqual(openApiDocument())
    const validator = new Validator()
    const result = await validator.validate(structuredClone(body))
    expect(result).toEqual({ valid: true })
    expect(validator.version).toBe("3.1")
  })

  test("has every route, with examples for every body and every problem", () => {
    const { operations, resolve } = readDocument(openApiDocument())
    const named = operations.map(({ id, method, path }) => `${id} ${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`)
    expect(named.toSorted()).toEqual(routes.map(({ id, method, path }) => `${id} ${method} ${path}`).toSorted())
    for (const { id, body } of operations)
      if (body !== undefined) expect(resolve(body).schema.examples, id).toHaveLength(1)
    const { components } = openApiDocument()
    const examples = isObject(components) && isObject(components.examples) ? components.examples : {}
    expect(Object.keys(examples)).toEqual(Object.keys(problemCodes))
    expect(
      JSON.stringify(openApiDocument().paths).match(/"#\/components\/examples\/limit_exceeded"/g)?.length,
    ).toBeGreaterThan(2)
  })

  test("lists every code, with its status where an operation can answer it", () => {
    const document = openApiDocument()
    const schemas =
      isObject(document.components) && isObject(document.components.schemas) ? document.components.schemas : {}
    const listed = isObject(schemas.ProblemCode) ? schemas.ProblemCode.enum : undefined
    expect(listed).toEqual(Object.keys(problemCodes))
    const answered = new Map<string, Set<number>>()
    for (const { responses } of readDocument(document).operations)
      for (const [status, codes] of responses)
        for (const code of codes) answered.set(code, (answered.get(code) ?? new Set()).add(status))
    // What no operation answers: the request found none.
    const nowhere = new Set(["not_found", "method_not_allowed"])
    for (const [code, { status }] of Object.entries(problemCodes))
      expect([...(answered.get(code) ?? [])], code).toEqual(nowhere.has(code) ? [] : [status])
  })
})

test("the typed client that comes from the same definition speaks to the server", async () => {
  const server = await openServer()
  const lead = await root(server)
  const program = Effect.gen(function* () {
    const client = yield* HttpApiClient.make(Api, {
      transformClient: HttpClient.mapRequest((request) =>
        HttpClientRequest.bearerToken(HttpClientRequest.prependUrl(request, "http://localhost"), server.key),
      ),
    })
    const params = { session_id: lead.id as never }
    const proposed = yield* client.sessions.propose({
      params,
      headers: { "idempotency-key": "k1" },
      payload: { calls: [{ tool: "scan", arguments: { a: 1 }, estimated_cost: 1 }] },
    })
    const refused = yield* Effect.flip(
      client.sessions.propose({ params, headers: {}, payload: { calls: [{ tool: "scan", estimated_cost: 1000 }] } }),
    )
    return { proposed, refused }
  })
  const { proposed, refused } = await Effect.runPromise(
    program.pipe(
      Effect.provide(FetchHttpClient.layer),
      Effect.provideService(FetchHttpClient.Fetch, (input, init) => server.app.fetch(new Request(input, init))),
    ),
  )
  expect(proposed.steps).toMatchObject([{ tool: "scan", status: "admitted" }])
  expect(refused).toMatchObject({ status: 409, code: "limit_exceeded", limit: "max_cost" })
})
