/** A server without a port: the app over a runtime in memory, keys of each kind, and short ways to call it. */
import { onTestFinished } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import type { Keys, Scope } from "../../src/adapters/http/auth/Keys.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { HttpApp, type HttpOptions } from "../../src/adapters/http/server/HttpApp.ts"
import { type MemoryStore, makeMemoryStore } from "../../src/adapters/memory/MemoryJournal.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"

export const teamYaml = `
schema_version: "1.0"
workflow: team
roles:
  - { name: lead, root: true }
  - { name: dev }
handoffs:
  - { from: lead, to: dev, claim_timeout: 60s, offer_timeout: 60s }
resources:
  - { name: env, mode: exclusive_pending }
  - { name: line, mode: serial_only }
  - { name: change, mode: single_writer }
limits: { max_cost: 100, max_steps: 100 }
`

/** The same team; a person approves what its lead deploys. */
export const checkedTeam = {
  workflow_yaml: teamYaml.replace("name: lead,", "name: lead, session_contract: lead/session.yaml,"),
  files: {
    "lead/session.yaml": 'schema_version: "1.0"\nagent: lead\n',
    "lead/deploy.yaml":
      "tool: deploy\nside_effect: write\nresources: [{ name: line, key: a }]\ncheckpoint: { timeout: 30m }\n",
  },
}

export const prefix = "/api/v1/replay"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers member by member, and compare them whole.
  readonly body: any
}
export interface CallOptions {
  /** An API key; none where null. */
  readonly key?: string | null
  /** A session token. */
  readonly session?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly isLocal?: boolean
  readonly signal?: AbortSignal
}

export interface Server {
  readonly app: HttpApp
  readonly runtime: Handrail
  readonly keys: Keys
  readonly ring: KeyRing
  readonly defects: Array<unknown>
  /** With all scopes. */
  readonly key: string
  keyOf(scopes: ReadonlyArray<Scope>, tenant?: string, name?: string): Promise<string>
  fetch(method: string, path: string, options?: CallOptions): Promise<Response>
  /** The answer with its body as JSON, or as text where it is none. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

export const openServer = async (
  options: Partial<HttpOptions> & { readonly store?: MemoryStore } = {},
): Promise<Server> => {
  const { store = makeMemoryStore(), ...rest } = options
  const runtime = options.runtime instanceof Handrail ? options.runtime : await Handrail.open({ store })
  const keys = options.keys ?? new MemoryKeys()
  const ring = new KeyRing(keys)
  const { key } = await ring.create({ name: "all", scopes: ["agent", "read", "operator", "admin"] })
  const defects: Array<unknown> = []
  const app = await HttpApp.open({ runtime, keys, rate: false, onDefect: (error) => defects.push(error), ...rest })
  onTestFinished(async () => {
    await app.drain(1000)
    await runtime.close()
    if (defects.length > 0) throw new Error(`defects: ${defects.map(String).join("; ")}`)
  })
  const fetch: Server["fetch"] = (method, path, call = {}) => app.fetch(requestOf(method, path, key, call), call)
  return {
    app,
    runtime,
    keys,
    ring,
    defects,
    key,
    keyOf: async (scopes, tenant = "default", name = "one") => (await ring.create({ tenant, name, scopes })).key,
    fetch,
    call: async (method, path, call) => {
      const response = await fetch(method, path, call)
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.includes("json") === true && text !== ""
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
    },
  }
}

export const requestOf = (method: string, path: string, key: string, call: CallOptions): Request => {
  const headers = new Headers(call.headers)
  const bearer = call.key === undefined ? key : call.key
  if (bearer !== null && !headers.has("authorization")) headers.set("authorization", `Bearer ${bearer}`)
  if (call.session !== undefined) headers.set("handrail-session", call.session)
  const { body } = call
  const isRaw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json")
  return new Request(
    `http://localhost${path.startsWith("/api") || (!path.startsWith("/s") && !path.startsWith("/w")) ? path : prefix + path}`,
    {
      method,
      headers,
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    } as RequestInit,
  )
}

export interface Entered {
  readonly id: string
  readonly token: string
}
const enteredOf = ({ status, body }: Answer): Entered => {
  if (status !== 201) throw new Error(`it was not created: ${JSON.stringify(body)}`)
  return { id: body.session_id, token: body.session_token }
}

export const root = async (
  server: Server,
  workflowId = "w1",
  more: object = {},
  call: CallOptions = {},
  definition: unknown = teamYaml,
): Promise<Entered> =>
  enteredOf(
    await server.call("POST", "/sessions", {
      ...call,
      body: {
        agent: "planner",
        workflow: { type: "root", workflow_id: workflowId, role: "lead", definition },
        ...more,
      },
    }),
  )
/** A handoff from `parent`, offered. */
export const offer = async (server: Server, parent: Entered, more: object = {}): Promise<string> => {
  const { body } = await server.call("POST", `/sessions/${parent.id}/handoffs`, { body: { to_role: "dev", ...more } })
  return body.handoff_id
}
export const claim = async (server: Server, parent: Entered, handoffId: string, workflowId = "w1"): Promise<Entered> =>
  enteredOf(
    await server.call("POST", "/sessions", {
      body: {
        agent: "worker",
        workflow: {
          type: "child",
          workflow_id: workflowId,
          role: "dev",
          parent_session_id: parent.id,
          handoff_id: handoffId,
        },
      },
    }),
  )
/** One admitted step. */
export const propose = async (server: Server, session: Entered, more: object = {}): Promise<string> => {
  const { body } = await server.call("POST", `/sessions/${session.id}/proposals`, {
    body: { calls: [{ tool: "scan", estimated_cost: 1, ...more }] },
  })
  return body.steps[0].step_id
}
export const commit = (server: Server, session: Entered, stepId: string) =>
  server.call("POST", `/sessions/${session.id}/receipts`, {
    body: { receipts: [{ step_id: stepId, outcome: "committed", actual_cost: 0.5 }] },
  })
