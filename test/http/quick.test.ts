/**
 * The routes that agents call all the time are decoded without asking a schema: one that is no longer sure of a right body costs
 * several times as much, and nothing else would show it.
 */
import { HttpApi } from "effect/http-api"
import { expect, test } from "vitest"
import { Api } from "../../src/adapters/http/api/Api.ts"
import { quickDecoder, unsure } from "../../src/runtime/quickDecoder.ts"

const child = { type: "child", workflow_id: "w", role: "dev", parent_session_id: "s_1", handoff_id: "h_1" }
const hot: Readonly<Record<string, unknown>> = {
  createSession: { agent: "a", workflow: child },
  preflight: { estimated_cost: 0.5, expected_version: 3 },
  propose: {
    calls: [{ tool: "scan", arguments: { path: "src", depth: [1, null] }, estimated_cost: 0.02 }],
    wait: true,
  },
  receipt: { receipts: [{ step_id: "st_1", outcome: "committed", actual_cost: 0.02, evidence: { ok: true } }] },
  offer: { to_role: "dev", summary: { task: "scan" }, resources: [{ name: "repo", key: "42" }] },
  heartbeat: {},
  complete: { result: { findings: 3 } },
}

test.each(Object.entries(hot))("a right body of %s needs no schema", (name, body) => {
  const decoders: Array<ReturnType<typeof quickDecoder>> = []
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      if (endpoint.identifier !== name) return
      for (const { schemas } of endpoint.payload.values()) decoders.push(...schemas.map(quickDecoder))
    },
  })
  expect(decoders).toHaveLength(1)
  expect(decoders.map((decode) => decode(body))).not.toContain(unsure)
})
