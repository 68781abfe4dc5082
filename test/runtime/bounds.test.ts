/** Everything that is too much or not valid is a typed error that says what is wrong with it; nothing of it is written. */
import { beforeEach, describe, expect, it } from "vitest"
import type { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import type { WorkflowError } from "../../src/runtime/errors.ts"
import { limits } from "../../src/runtime/limits.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, placed, refusal, teamYaml } from "./fixtures.ts"
import { memoryPlace, type Opened } from "./open.ts"

let client: EmbeddedClient
let governance: Opened["governance"]
beforeEach(async () => {
  nothingUnhandled()
  const it = await opened(placed(memoryPlace).layer())
  client = it.client
  governance = it.governance
  await createRoot(client)
})
const sessionId = "w1-root"

/** Sends what the types would not let through. */
const send = (name: string, input: unknown, options?: unknown): Promise<unknown> => {
  const method = (client as unknown as Record<string, (input: unknown, options?: unknown) => Promise<unknown>>)[name]
  if (method === undefined) throw new Error(`there is no method ${name}`)
  return method.call(client, input, options)
}
const paths = (error: WorkflowError): ReadonlyArray<string> =>
  ((error.facts.errors ?? []) as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path)

describe("a request", () => {
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  let deep: unknown = 1
  for (let n = 0; n < 100_000; n++) deep = [deep]
  const cases: ReadonlyArray<readonly [what: string, command: string, input: unknown, paths: ReadonlyArray<string>]> = [
    ["a bad id", "heartbeat", { sessionId: "no spaces" }, ["sessionId"]],
    ["an id of 129 characters", "heartbeat", { sessionId: "x".repeat(129) }, ["sessionId"]],
    ["no id", "heartbeat", {}, ["sessionId"]],
    ["an unknown member", "heartbeat", { sessionId, colour: "red" }, ["colour"]],
    ["cyclic JSON", "offer", { sessionId, toRole: "dev", summary: cyclic }, ["summary"]],
    ["a bigint", "offer", { sessionId, toRole: "dev", summary: { n: 1n } }, ["summary"]],
    ["a function", "complete", { sessionId, result: () => 1 }, ["result"]],
    ["JSON deeper than any stack", "offer", { sessionId, toRole: "dev", summary: deep }, ["summary"]],
    [
      "a cost that is no number",
      "propose",
      { sessionId, calls: [{ tool: "t", estimatedCost: Number.NaN }] },
      ["calls.0.estimatedCost"],
    ],
    ["an infinite cost", "preflight", { sessionId, estimatedCost: Number.POSITIVE_INFINITY }, ["estimatedCost"]],
    ["a negative cost", "preflight", { sessionId, estimatedCost: -1 }, ["estimatedCost"]],
    ["tokens that are no integer", "preflight", { sessionId, estimatedTokens: 1.5 }, ["estimatedTokens"]],
    ["a wrong outcome", "receipt", { sessionId, receipts: [{ stepId: "s", outcome: "done" }] }, ["receipts.0.outcome"]],
    ["a wrong scope", "kill", { sessionId, scope: "all", reason: "x" }, ["scope"]],
    ["no calls", "propose", { sessionId, calls: [] }, ["calls"]],
    ["calls that are no list", "propose", { sessionId, calls: "one" }, ["calls"]],
    ["a reason that is too long", "fail", { sessionId, reason: "x".repeat(2001) }, ["reason"]],
  ]
  it.each(cases)("with %s is invalid_request, and says where", async (_, command, input, where) => {
    const error = await refusal(send(command, input))
    expect(error.code).toBe("invalid_request")
    expect([...new Set(paths(error))]).toEqual(where)
    expect((await client.getWorkflow("w1")).seq).toBe(1)
  })

  it("with many mistakes names every one", async () => {
    const wrong = {
      sessionId: "",
      colour: 1,
      calls: [{ tool: 5 }, { tool: "ok", estimatedCost: "1" }, { tool: "ok", resources: [{ name: "env" }] }],
      wait: "yes",
    }
    const error = await refusal(send("propose", wrong))
    expect(error.code).toBe("invalid_request")
    expect([...paths(error)].sort()).toEqual(
      ["calls.0.tool", "calls.1.estimatedCost", "calls.2.resources.0.key", "colour", "sessionId", "wait"].sort(),
    )
  })

  it.each([undefined, null, 5, "text", []])("that is %s is invalid_request", async (input) => {
    for (const command of ["heartbeat", "createRoot", "claim", "kill"])
      expect(await codeOf(send(command, input)), command).toBe("invalid_request")
  })

  it("with a summary of 10 MB is payload_too_large, and the next one is not", async () => {
    const error = await refusal(send("offer", { sessionId, toRole: "dev", summary: { text: "x".repeat(10_000_000) } }))
    expect(error.code).toBe("payload_too_large")
    expect(error.facts).toMatchObject({ max: 1024 * 1024 })
    expect(await codeOf(send("offer", { sessionId, toRole: "dev", summary: { text: "x".repeat(1000) } }))).toBe("ok")
  })

  it("with JSON that is deep, but not too deep, is taken, also under a key", async () => {
    let nested: unknown = {}
    for (let n = 0; n < 90; n++) nested = { nested }
    const offer = { sessionId, toRole: "dev", summary: nested }
    expect(await codeOf(send("offer", offer, { idempotencyKey: "k" }))).toBe("ok")
  })

  it.each([100, 130, 1000, 4000, 8000])(
    "with JSON %i deep under a key is taken or typed, never a crash",
    async (depth) => {
      let nested: unknown = 1
      for (let n = 0; n < depth; n++) nested = [nested]
      const code = await codeOf(
        send("offer", { sessionId, toRole: "dev", summary: { nested } }, { idempotencyKey: "k" }),
      )
      expect(["ok", "invalid_summary", "invalid_request"]).toContain(code)
      const deep = { sessionId, calls: [{ tool: "work", estimatedCost: 0, arguments: nested }] }
      expect(["ok", "invalid_request"]).toContain(await codeOf(send("propose", deep, { idempotencyKey: "p" })))
      expect(await codeOf(client.getWorkflow("w1"))).toBe("ok")
    },
  )

  it.each(["", "x".repeat(256), 5, null])("with the idempotency key %s is invalid_request", async (idempotencyKey) => {
    expect(await codeOf(send("heartbeat", { sessionId }, { idempotencyKey }))).toBe("invalid_request")
  })

  it("that asks for a page of no size, or for nobody, is invalid_request", async () => {
    for (const limit of [0, -1, 1.5, limits.page + 1, Number.NaN])
      expect(await codeOf(client.listWorkflows({ limit }))).toBe("invalid_request")
    expect(await codeOf(client.getWorkflow("no such id"))).toBe("invalid_request")
    expect(await codeOf(client.getSession(""))).toBe("invalid_request")
    expect(await codeOf(client.listSessions({ workflowId: "/" }))).toBe("invalid_request")
  })
})

describe("a definition", () => {
  it("with ten mistakes is invalid_definition, and names them all, with their lines", async () => {
    const definition = `
schema_version: "2.0"
workflow: "two words"
colour: red
roles:
  - { name: lead, rot: true }
  - { name: lead }
  - { name: dev, default_cost: cheap }
handoffs:
  - { from: lead, to: nobody }
  - { from: lead, to: dev, claim_timeout: soon, max_attempts: 0, completion: never }
resources:
  - { name: env, mode: shared }
limits: { max_steps: -1 }
`
    const error = await refusal(client.createRoot({ workflowId: "w2", role: "lead", agent: "a", definition }))
    expect(error.code).toBe("invalid_definition")
    const found = error.facts.errors as ReadonlyArray<{
      readonly location?: { readonly line: number }
      readonly line?: number
    }>
    expect(found.length).toBeGreaterThanOrEqual(10)
    expect(error.message).toContain("claim_timeout")
  })
  it.each([
    undefined,
    null,
    5,
    {},
    [],
    { workflowYaml: 5 },
    { hash: "x", definition: null },
    { hash: "x", definition: {} },
  ])("that is %j is a typed error", async (definition) => {
    const code = await codeOf(send("createRoot", { workflowId: "w2", role: "lead", agent: "a", definition }))
    expect(["invalid_definition", "invalid_request"]).toContain(code)
  })
})

describe("a store", () => {
  it.each(["postgres", "", "sqlite:", "mysql://x"])("named %s is refused", async (store) => {
    expect(await codeOf(Handrail.open({ store }))).toBe("invalid_request")
  })
  it("in a folder that is not there is storage_unavailable", async () => {
    expect(await codeOf(Handrail.open({ store: "sqlite:/nowhere/at/all.db" }))).toBe("storage_unavailable")
  })
  it("of a tenant that is no id is refused", async () => {
    expect(await codeOf(Handrail.open({ store: "memory:", tenant: "a b" }))).toBe("invalid_request")
  })
})

describe("too much at once", () => {
  it("one workflow takes as much as its mailbox holds; more is overloaded, and all get an answer", async () => {
    const count = limits.mailbox + 100
    const codes = await Promise.all(
      Array.from({ length: count }, () => codeOf(client.heartbeat({ sessionId }, { workflowId: "w1" }))),
    )
    expect(codes.filter((code) => code === "overloaded")).toHaveLength(100)
    expect(codes.filter((code) => code === "ok")).toHaveLength(limits.mailbox)
    expect(await codeOf(client.heartbeat({ sessionId }))).toBe("ok")
  })

  it("a runtime takes as much as it may hold; more is overloaded, and it recovers", async () => {
    const each = limits.mailbox
    const workflows = Array.from({ length: Math.ceil(limits.waiting / each) + 1 }, (_, index) => `m${index}`)
    for (const id of workflows) await createRoot(client, id, teamYaml)
    const sent = workflows.flatMap((id) =>
      Array.from({ length: each }, () => codeOf(client.heartbeat({ sessionId: `${id}-root` }, { workflowId: id }))),
    )
    const codes = await Promise.all(sent)
    expect(codes.filter((code) => code === "ok")).toHaveLength(limits.waiting)
    expect(codes.filter((code) => code === "overloaded")).toHaveLength(codes.length - limits.waiting)
    expect(governance.gauges().waiting).toBe(0)
    expect(await codeOf(client.propose({ sessionId, ...call() }))).toBe("ok")
  })
})

it("a store or an operator that is none is refused by name", async () => {
  await expect(Handrail.open({ store: 5 as never })).rejects.toMatchObject({ code: "invalid_request" })
  await using runtime = await Handrail.open({ store: "memory:" })
  const input = { workflowId: "w", scope: "workflow" as const, reason: "stop" }
  await expect(runtime.kill(input, { operator: "a b".repeat(100) })).rejects.toMatchObject({ code: "invalid_request" })
})
