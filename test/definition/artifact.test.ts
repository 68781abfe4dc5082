import { describe, expect, it } from "vitest"
import { artifactOf, canonicalJson, compile, fromArtifact, makeRules, sha256Hex } from "../../src/definition/index.ts"
import type { Artifact, Definition } from "../../src/machines/definition.ts"
import { codes, files, workflowYaml } from "./fixtures.ts"

const compiled = (): Artifact => {
  const result = compile({ file: "workflow.yaml", text: workflowYaml, files })
  if (!result.ok) throw new Error("the fixture does not compile")
  return result.artifact
}
const roundTrip = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const told = (value: unknown) => {
  const result = fromArtifact(value)
  return (result.ok ? result.warnings : result.diagnostics).map(({ code, excerpt }) => `${code} ${excerpt}`)
}
/** An artifact whose hash is right and whose definition is not. */
const forged = (change: (definition: Definition) => unknown): unknown => {
  const definition = change(compiled().definition)
  return { hash: sha256Hex(canonicalJson(definition)), definition }
}

describe("an artifact that was sent", () => {
  it("is accepted when it is what the compiler made, and detached from the sender's object", () => {
    const sent = roundTrip(compiled())
    const result = fromArtifact(sent)
    expect(result).toEqual({ ok: true, artifact: compiled(), warnings: [] })
    expect(result.ok && result.artifact).not.toBe(sent)
  })
  it("with another hash is refused", () => {
    expect(told({ ...compiled(), hash: "f".repeat(64) })).toEqual(["artifact_hash /hash"])
  })
  it.each([
    ["no object", 42, ["artifact_invalid "]],
    ["undefined", undefined, ["artifact_invalid "]],
    ["no definition", { hash: "x" }, ["artifact_invalid /definition"]],
    ["a stranger's key", { ...compiled(), extra: 1 }, ["artifact_invalid /extra"]],
    ["no JSON", { hash: "x", definition: { a: () => 1 } }, ["artifact_invalid /definition/a"]],
  ])("that has %s is refused", (_, value, expected) => expect(told(value)).toEqual(expected))
  it("that refers to itself or is very deep is refused, not followed", () => {
    const loop: Record<string, unknown> = {}
    loop.self = loop
    expect(told(loop)).toEqual(["artifact_invalid "])
    expect(told(JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`))).toEqual(["artifact_invalid "])
    expect(told(JSON.parse('{"hash":"x","definition":{"__proto__":{}}}'))).toEqual(["artifact_invalid /definition"])
  })
  it.each<[string, (definition: Definition) => unknown, ReadonlyArray<string>]>([
    [
      "an unknown role",
      (d) => ({ ...d, handoffs: d.handoffs.map((edge) => ({ ...edge, to: "nobody" })) }),
      ["unknown_role /definition/handoffs/0/to"],
    ],
    [
      "no root",
      (d) => ({ ...d, roles: d.roles.map((role) => ({ ...role, root: false })) }),
      ["no_root /definition/roles"],
    ],
    [
      "a role with a duration",
      (d) => ({
        ...d,
        roles: d.roles.map((role, i) => (i === 0 ? { ...role, limits: { ...role.limits, maxDurationMs: 1 } } : role)),
      }),
      ["role_max_duration /definition/roles/0/limits/maxDurationMs"],
    ],
    [
      "a schema that is none",
      (d) => ({ ...d, handoffs: d.handoffs.map((edge) => ({ ...edge, summarySchema: { type: "x" } })) }),
      ["invalid_schema /definition/handoffs/0/summarySchema/type"],
    ],
    [
      "an undeclared resource",
      (d) => ({ ...d, resources: d.resources.slice(1) }),
      ["unknown_resource /definition/roles/1/tools/0/resources/0/name"],
    ],
    [
      "a session with an unknown key",
      (d) => ({
        ...d,
        roles: d.roles.map((role, i) => (i === 0 ? { ...role, session: { ...role.session, x: 1 } } : role)),
      }),
      ["unknown_key /definition/roles/0/session/x"],
    ],
    [
      "a tool rule that is wrong",
      (d) => ({
        ...d,
        roles: d.roles.map((role) => ({
          ...role,
          tools: role.tools.map((tool) => ({ ...tool, rest: { gate: "open" } })),
        })),
      }),
      ["unknown_value /definition/roles/1/tools/0/rest/gate", "unknown_value /definition/roles/1/tools/1/rest/gate"],
    ],
    [
      "an unknown phase",
      (d) => ({
        ...d,
        roles: d.roles.map((role) => ({
          ...role,
          tools: role.tools.map((tool) => ({
            ...tool,
            rest: tool.tool === "test" ? { transitions: { advances_to: "nowhere" } } : tool.rest,
          })),
        })),
      }),
      ["unknown_phase /definition/roles/1/tools/1/rest/transitions/advances_to"],
    ],
    ["a wrong type", (d) => ({ ...d, preflightTimeoutMs: "10m" }), ["artifact_invalid /definition/preflightTimeoutMs"]],
    [
      "a missing default",
      (d) => ({ ...d, handoffs: d.handoffs.map(({ completion: _, ...edge }) => edge) }),
      ["artifact_invalid /definition/handoffs/0/completion"],
    ],
  ])("with a right hash and %s is refused all the same", (_, change, expected) =>
    expect(told(forged(change))).toEqual(expected),
  )
})

describe("canonicalJson", () => {
  it("sorts keys at every level by UTF-16 code units and spaces nothing", () => {
    expect(canonicalJson({ b: [1, { d: null, c: "é\n" }], a: 1.5, "€": true, A: -0 })).toBe(
      '{"A":0,"a":1.5,"b":[1,{"c":"é\\n","d":null}],"€":true}',
    )
  })
  it("writes numbers as RFC 8785 does", () => {
    expect(canonicalJson([1e21, 1e-7, 0.1, 1e20, 9007199254740991])).toBe(
      "[1e+21,1e-7,0.1,100000000000000000000,9007199254740991]",
    )
  })
  it("throws on what JSON can't hold", () => {
    for (const value of [Number.NaN, 1n, () => 1, [undefined]]) expect(() => canonicalJson(value)).toThrow(TypeError)
    expect(canonicalJson({ a: undefined })).toBe("{}")
  })
  it("is hashed as UTF-8", () => {
    expect(sha256Hex("é")).toBe("4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c")
  })
})

describe("rules", () => {
  const rules = makeRules(compiled())
  it("look up by name, and answer undefined for what is not there", () => {
    expect(rules.hash).toBe(compiled().hash)
    expect(rules.role("scanner")?.name).toBe("scanner")
    expect(rules.role("nobody")).toBeUndefined()
    expect(rules.edge("orchestrator", "scanner")?.maxAttempts).toBe(3)
    expect(rules.edge("scanner", "orchestrator")).toBeUndefined()
    expect(rules.resource("migration")?.mode).toBe("serial_only")
    expect(rules.resource("constructor")).toBeUndefined()
    expect(rules.tool("scanner", "deploy")?.estimate).toBe(500_000)
    expect(rules.tool("orchestrator", "deploy")).toBeUndefined()
    expect(rules.tool("nobody", "deploy")).toBeUndefined()
  })
  const withSchema = (summarySchema: Definition["handoffs"][number]["summarySchema"]) => {
    const { definition } = compiled()
    const made = makeRules(
      artifactOf({ ...definition, handoffs: definition.handoffs.map((edge) => ({ ...edge, summarySchema })) }),
    )
    const [edge] = made.definition.handoffs
    if (edge === undefined) throw new Error("the fixture has no edge")
    return (summary: unknown) => made.summaryProblems(edge, summary)
  }
  it("check a summary against its edge's schema", () => {
    const check = withSchema({ type: "object", required: ["task"], properties: { task: { type: "string" } } })
    expect(check({ task: "x" })).toBeUndefined()
    expect(check({})).toEqual([{ path: "", message: "must have required property 'task'" }])
    expect(check({ task: 1 })).toEqual([{ path: "/task", message: "must be string" }])
    expect(check(undefined)).toEqual([{ path: "", message: "must be object" }])
  })
  it("let any summary pass an edge without a schema, and none pass `false`", () => {
    expect(withSchema(null)(undefined)).toBeUndefined()
    expect(withSchema(true)({})).toBeUndefined()
    expect(withSchema(false)({})).toHaveLength(1)
  })
  it("list every problem, and at most twenty", () => {
    const check = withSchema({ type: "array", items: { type: "string" } })
    expect(check([1, "a", 2])).toHaveLength(2)
    expect(check(Array(50).fill(1))).toHaveLength(20)
  })
  it("refuse a summary whose schema never ends", () => {
    expect(withSchema({ allOf: [{ $ref: "#" }] })({})?.[0]?.message).toContain("without end")
  })
  it("follow a schema that refers to itself through the summary, to a bounded depth", () => {
    const check = withSchema({ type: "object", properties: { next: { $ref: "#" } } })
    expect(check({ next: { next: {} } })).toBeUndefined()
    expect(check({ next: { next: 1 } })).toEqual([{ path: "/next/next", message: "must be object" }])
    const deep: unknown = JSON.parse(`${'{"next":'.repeat(101)}1${"}".repeat(101)}`)
    expect(check(deep)?.[0]?.message).toContain("at most 100 levels")
  })
  it("compile the schema of each edge apart, also where two share an $id", () => {
    const { definition } = compiled()
    const [edge] = definition.handoffs
    if (edge === undefined) throw new Error("the fixture has no edge")
    const there = { ...edge, summarySchema: { $id: "s", type: "string" } }
    const back = { ...edge, from: "scanner", to: "orchestrator", summarySchema: { $id: "s", type: "number" } }
    const made = makeRules(artifactOf({ ...definition, handoffs: [there, back] }))
    expect([made.summaryProblems(there, 1), made.summaryProblems(back, 1)]).toEqual([
      [{ path: "", message: "must be string" }],
      undefined,
    ])
  })
})

describe("fromArtifact", () => {
  it("repeats the warnings that the compiler gave", () => {
    const result = compile({
      file: "w",
      text: 'schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }]\nhandoffs: [{ from: a, to: a }]\n',
    })
    const again = fromArtifact(result.ok ? roundTrip(result.artifact) : undefined)
    expect(codes(again.ok ? again.warnings : again.diagnostics)).toEqual(["unbounded_cycle"])
  })
})
