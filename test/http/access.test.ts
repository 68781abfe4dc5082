/**
 * Who may call what: every route of the API × (no key, a wrong scope, another tenant, another session's token), all refused with
 * nothing changed (I12). The rows are demanded by the definition: a new route without one does not compile, and fails here.
 */
import { describe, expect, test } from "vitest"
import type { Rule } from "../../src/adapters/http/api/Access.ts"
import type { Scope } from "../../src/adapters/http/auth/Keys.ts"
import { routes } from "../../src/adapters/http/routes.ts"
import type { OperationId } from "../../src/adapters/http/server/operations.ts"
import {
  type CallOptions,
  checkedTeam,
  claim,
  type Entered,
  offer,
  openServer,
  propose,
  root,
  type Server,
} from "./fixtures.ts"

interface Scene {
  readonly server: Server
  readonly lead: Entered
  /** Claimed `held`; `open` is offered. */
  readonly dev: Entered
  readonly held: string
  readonly open: string
  readonly step: string
  /** It awaits approval. */
  readonly asked: string
  readonly kill: string
  /** Of another workflow. */
  readonly stranger: Entered
}
interface Row {
  readonly path: string
  readonly body?: unknown
}

/** One request for each operation that would be carried out if the caller might. */
const rows: { readonly [I in OperationId]: (scene: Scene) => Row } = {
  createSession: ({ lead, open }) => ({
    path: "/sessions",
    body: {
      agent: "worker",
      workflow: { type: "child", workflow_id: "w1", role: "dev", parent_session_id: lead.id, handoff_id: open },
    },
  }),
  getSession: ({ lead }) => ({ path: `/sessions/${lead.id}` }),
  preflight: ({ lead }) => ({ path: `/sessions/${lead.id}/preflight`, body: { estimated_cost: 1 } }),
  propose: ({ lead }) => ({
    path: `/sessions/${lead.id}/proposals`,
    body: { calls: [{ tool: "scan", estimated_cost: 1 }], usage: { input_tokens: 1, output_tokens: 1, cost: 1 } },
  }),
  receipt: ({ lead, step }) => ({
    path: `/sessions/${lead.id}/receipts`,
    body: { receipts: [{ step_id: step, outcome: "committed" }] },
  }),
  getStep: ({ lead, step }) => ({ path: `/sessions/${lead.id}/steps/${step}?wait=10` }),
  offer: ({ lead }) => ({ path: `/sessions/${lead.id}/handoffs`, body: { to_role: "dev" } }),
  heartbeat: ({ lead }) => ({ path: `/sessions/${lead.id}/heartbeat`, body: {} }),
  complete: ({ lead }) => ({ path: `/sessions/${lead.id}/complete`, body: {} }),
  fail: ({ lead }) => ({ path: `/sessions/${lead.id}/fail`, body: { reason: "x" } }),
  release: ({ lead }) => ({
    path: `/sessions/${lead.id}/release`,
    body: { resources: [{ name: "change", key: "1" }] },
  }),
  killSession: ({ lead }) => ({ path: `/sessions/${lead.id}/kill`, body: { scope: "subtree", reason: "x" } }),
  attach: ({ lead }) => ({ path: `/sessions/${lead.id}/attach`, body: {} }),
  listWorkflows: () => ({ path: "/workflows" }),
  getWorkflow: () => ({ path: "/workflows/w1" }),
  listSessions: () => ({ path: "/workflows/w1/sessions" }),
  listHandoffs: () => ({ path: "/workflows/w1/handoffs" }),
  getHandoff: ({ held }) => ({ path: `/workflows/w1/handoffs/${held}` }),
  getKill: ({ kill }) => ({ path: `/workflows/w1/kills/${kill}` }),
  events: () => ({ path: "/workflows/w1/events" }),
  reclaim: ({ held }) => ({ path: `/workflows/w1/handoffs/${held}/reclaim`, body: {} }),
  completeHandoff: ({ held }) => ({ path: `/workflows/w1/handoffs/${held}/complete`, body: {} }),
  failHandoff: ({ held }) => ({ path: `/workflows/w1/handoffs/${held}/fail`, body: { reason: "x" } }),
  withdraw: ({ open }) => ({ path: `/workflows/w1/handoffs/${open}/withdraw`, body: {} }),
  killWorkflow: () => ({ path: "/workflows/w1/kill", body: { reason: "x" } }),
  resolveStep: ({ step }) => ({
    path: `/workflows/w1/steps/${step}/resolve`,
    body: { outcome: "aborted", reason: "x" },
  }),
  approveStep: ({ asked }) => ({ path: `/workflows/w1/steps/${asked}/approve`, body: {} }),
  rejectStep: ({ asked }) => ({ path: `/workflows/w1/steps/${asked}/reject`, body: { reason: "x" } }),
  raiseLimits: () => ({ path: "/workflows/w1/limits", body: { max_cost: 500 } }),
  healthz: () => ({ path: "/healthz" }),
  readyz: () => ({ path: "/readyz" }),
  metrics: () => ({ path: "/metrics" }),
  openapi: () => ({ path: "/openapi.json" }),
}

/** Scopes that are not enough, without a token. */
const tooLittle: { readonly [R in Rule]: ReadonlyArray<ReadonlyArray<Scope>> } = {
  open: [],
  enter: [["read"], ["operator"], ["admin"]],
  act: [["read"], ["admin"], ["agent"]],
  look: [["admin"], ["agent"]],
  list: [["agent"], ["admin"]],
  watch: [["admin"], ["agent"]],
  settle: [["read"], ["admin"], ["agent"]],
  operate: [["agent"], ["read"], ["admin"], ["agent", "read", "admin"]],
}
/** Where a token is looked at. */
const looksAtTokens: ReadonlySet<Rule> = new Set(["act", "look", "watch", "settle", "operate"])

const scene = async (): Promise<Scene> => {
  const server = await openServer()
  const lead = await root(server, "w1", {}, {}, checkedTeam)
  const [held, open, doomed] = [await offer(server, lead), await offer(server, lead), await offer(server, lead)]
  const dev = await claim(server, lead, held)
  const victim = await claim(server, lead, doomed)
  const { body } = await server.call("POST", `/sessions/${victim.id}/kill`, { body: { scope: "session", reason: "x" } })
  const step = await propose(server, lead)
  const asked = await propose(server, lead, { tool: "deploy" })
  return { server, lead, dev, held, open, step, asked, kill: body.kill_id, stranger: await root(server, "w2") }
}

/** All that can be seen of the tenant. */
const everything = async ({ server }: Scene): Promise<string> => {
  const { items } = await server.runtime.listWorkflows()
  const views = await Promise.all(items.map(({ workflowId }) => server.runtime.getWorkflow(workflowId)))
  return JSON.stringify({ items, views })
}

const attempt = async (
  at: Scene,
  route: (typeof routes)[number],
  call: CallOptions,
): Promise<readonly [status: number, code: unknown]> => {
  const { path, body } = rows[route.id as OperationId](at)
  const before = await everything(at)
  const answer = await at.server.call(route.method, path, { ...call, ...(body === undefined ? {} : { body }) })
  expect(await everything(at), "nothing changed").toBe(before)
  expect(JSON.stringify(answer.body)).not.toContain(at.lead.token)
  return [answer.status, answer.body.code]
}

test("every route has a row, and every row a route", () => {
  expect(Object.keys(rows).toSorted()).toEqual(routes.map((route) => route.id).toSorted())
})

describe.each(routes.map((route) => [route.id, route] as const))("%s", (_, route) => {
  test("is refused without a key, or with one that is none", async () => {
    const at = await scene()
    const keys = [null, "hrk_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", at.lead.token]
    for (const key of keys) expect(await attempt(at, route, { key })).toEqual([401, "unauthenticated"])
    // Once a key was made, loopback gives no right but to look at the service.
    const local = await attempt(at, route, { key: null, isLocal: true })
    expect(local).toEqual(route.access === "open" ? [200, undefined] : [401, "unauthenticated"])
  })

  test("is refused to keys whose scopes are not enough", async () => {
    const at = await scene()
    for (const scopes of tooLittle[route.access])
      expect(await attempt(at, route, { key: await at.server.keyOf(scopes) }), scopes.join(" ")).toEqual([
        403,
        "forbidden",
      ])
  })

  test("shows another tenant nothing: as if it did not exist", async () => {
    const at = await scene()
    const key = await at.server.keyOf(["agent", "read", "operator", "admin"], "other")
    if (route.access === "open") return
    if (route.access === "list") {
      const { body } = await at.server.call("GET", "/workflows", { key })
      return expect(body).toEqual({ items: [], cursor: null })
    }
    const [status, code] = await attempt(at, route, { key })
    expect([status, code]).toEqual([404, expect.stringMatching(/^(session|workflow)_not_found$/)])
    // Nor with a token that was stolen.
    const [, stolen] = await attempt(at, route, { key, session: at.lead.token })
    expect(stolen).toBe(code)
  })

  test("is refused with the token of another session, whatever the key may do", async () => {
    const at = await scene()
    if (!looksAtTokens.has(route.access)) return
    const [mac = "", ...rest] = at.lead.token.split(".")
    const forged = [`${mac.slice(0, -2)}AA`, ...rest].join(".")
    const tokens = [at.stranger.token, forged, "hrs_x", ""]
    if (route.access === "act" || route.access === "look") tokens.push(at.dev.token)
    for (const session of tokens) expect(await attempt(at, route, { session }), session).toEqual([403, "forbidden"])
  })
})

describe("what is allowed", () => {
  test("an agent acts for the session whose token it holds, in that session's name", async () => {
    const { server, lead, dev } = await scene()
    const key = await server.keyOf(["agent"])
    const offered = await server.call("POST", `/sessions/${lead.id}/handoffs`, {
      key,
      session: lead.token,
      body: { to_role: "dev" },
    })
    expect(offered.status).toBe(201)
    const killed = await server.call("POST", `/sessions/${dev.id}/kill`, {
      key,
      session: dev.token,
      body: { scope: "session", reason: "x" },
    })
    expect(killed.body).toMatchObject({ actor: dev.id })
    const { body } = await server.call("GET", "/workflows/w1/events", { key, session: lead.token })
    expect(body.items.at(-1)).toMatchObject({ type: "killed", actor: dev.id })
    expect(body.items.at(-2)).toMatchObject({ type: "handoff.offered", actor: lead.id })
  })

  test("an operator acts without a token, and the journal says who it was", async () => {
    const { server, lead, held } = await scene()
    const key = await server.keyOf(["operator"], "default", "alice")
    const call = (path: string, body: unknown) => server.call("POST", path, { key, body })
    expect((await call(`/sessions/${lead.id}/handoffs`, { to_role: "dev" })).status).toBe(201)
    expect((await call(`/workflows/w1/handoffs/${held}/reclaim`, {})).status).toBe(200)
    expect((await call("/workflows/w1/limits", { max_cost: 500 })).status).toBe(200)
    expect((await call("/workflows/w1/kill", { reason: "x" })).body.actor).toBe("operator:alice")
    const { body } = await server.call("GET", "/workflows/w1/events", { key })
    expect(body.items.slice(-4).map((event: { actor: string }) => event.actor)).toEqual(Array(4).fill("operator:alice"))
  })

  test("the offering session reclaims and withdraws with its token; the claimant may not", async () => {
    const { server, lead, dev, held, open } = await scene()
    const key = await server.keyOf(["agent"])
    const by = (session: string, path: string) =>
      server.call("POST", `/workflows/w1/handoffs/${path}`, { key, session })
    expect(await by(dev.token, `${open}/withdraw`)).toMatchObject({ status: 403, body: { code: "forbidden" } })
    expect(await by(lead.token, `${open}/withdraw`)).toMatchObject({ status: 200, body: { status: "withdrawn" } })
    expect(await by(lead.token, `${held}/reclaim`)).toMatchObject({ status: 200, body: { generation: 2 } })
  })

  test("a read key reads and nothing else", async () => {
    const at = await scene()
    const key = await at.server.keyOf(["read"])
    for (const route of routes.filter(({ method }) => method === "GET")) {
      const { path } = rows[route.id as OperationId](at)
      expect((await at.server.call("GET", path, { key })).status, route.id).toBe(200)
    }
  })

  test("an idempotent replay returns the same token, and another session has another", async () => {
    const { server, lead } = await scene()
    const headers = { "idempotency-key": "open-1" }
    const [one, again, other] = [
      await root(server, "w7", {}, { headers }),
      await root(server, "w7", {}, { headers }),
      await root(server, "w8", {}, { headers }),
    ]
    expect(again).toEqual(one)
    expect(new Set([one.token, other.token, lead.token]).size).toBe(3)
  })
})
