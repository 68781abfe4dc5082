/** The quick decoders are derived from the schemas: what they accept, the schemas accept, and read in the same way. */
import { Result, Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Command } from "../../src/machines/commands.ts"
import { quickDecoder, unsure } from "../../src/runtime/quickDecoder.ts"

const members = Command.members.map((schema) => ({ name: schema.fields._tag.schema.literal, schema }))

/** One input of each command that has every member, and is right. */
const resources = [{ name: "repo", key: "42" }]
const artifacts = [{ uri: "file:a", hash: "abc", mediaType: "text/plain" }]
const session = { sessionId: "s_1", expectedVersion: 3 }
const handoff = { workflowId: "wf", handoffId: "h_1", generation: 2 }
const full: Readonly<Record<string, Record<string, unknown>>> = {
  createRoot: { workflowId: "wf", role: "lead", agent: "a", sessionId: "s_1", definitionHash: "x" },
  claim: { ...handoff, parentSessionId: "s_0", role: "r", agent: "a", sessionId: "s_1" },
  attach: session,
  offer: { ...session, toRole: "r", handoffId: "h_1", summary: { task: "t" }, artifacts, resources },
  preflight: { ...session, estimatedCost: 0.5, estimatedTokens: 10 },
  propose: {
    ...session,
    calls: [{ tool: "t", arguments: { a: 1 }, resources, estimatedCost: 0.0000001, estimatedTokens: 4 }],
    preparedRequestId: "p_1",
    usage: { inputTokens: 1, outputTokens: 2, cost: 0.07 },
    wait: false,
  },
  receipt: {
    ...session,
    receipts: [
      {
        stepId: "st_1",
        outcome: "committed",
        actualCost: 1.5,
        actualTokens: 3,
        evidence: [1],
        fences: [{ name: "r", key: "k", token: 1 }],
      },
    ],
  },
  heartbeat: session,
  release: { ...session, resources },
  complete: { ...session, result: { ok: true }, artifacts },
  fail: { ...session, reason: "no" },
  completeHandoff: { ...handoff, result: 1, artifacts },
  failHandoff: { ...handoff, reason: "no" },
  reclaim: { ...handoff, sessionId: "s_1", reason: "slow" },
  withdraw: { ...handoff, sessionId: "s_1", reason: "slow" },
  kill: { workflowId: "wf", scope: "subtree", sessionId: "s_1", expectedVersion: 1, reason: "stop" },
  approveStep: { workflowId: "wf", stepId: "st_1", reason: "reviewed" },
  rejectStep: { workflowId: "wf", stepId: "st_1" },
  resolveStep: { workflowId: "wf", stepId: "st_1", outcome: "aborted", actualCost: 2, actualTokens: 1, reason: "seen" },
  raiseLimits: { workflowId: "wf", role: "r", limits: { maxCost: 2.5, maxSteps: 4 } },
  tick: { workflowId: "wf" },
}

const bySchema = (schema: Schema.Constraint, input: unknown) =>
  Schema.decodeUnknownResult(schema as Schema.Codec<unknown, unknown>, { onExcessProperty: "error" })(input)

/** Changes one place of a value: another value there, a member less, a member more. */
const spoil = (value: unknown, path: number, other: unknown): unknown => {
  const places: Array<(to: unknown) => unknown> = []
  const visit = (at: unknown, rebuild: (to: unknown) => unknown): void => {
    places.push(rebuild)
    if (Array.isArray(at)) for (const [i, one] of at.entries()) visit(one, (to) => rebuild(at.with(i, to)))
    else if (typeof at === "object" && at !== null) {
      places.push(() => rebuild({ ...at, extra: other }))
      for (const [name, one] of Object.entries(at)) {
        visit(one, (to) => rebuild({ ...at, [name]: to }))
        places.push(() => rebuild(Object.fromEntries(Object.entries(at).filter(([key]) => key !== name))))
      }
    }
  }
  visit(value, (to) => to)
  return places[path % places.length]?.(other)
}

const others = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    true,
    "",
    "a b",
    "-x",
    "s_1",
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    [],
    {},
  ),
  fc.anything(),
)

/** Structs that a literal tells apart, as in the body that makes a session. */
const inForms = Schema.Struct({
  agent: Schema.String,
  workflow: Schema.Union([
    Schema.Struct({ type: Schema.Literal("root"), role: Schema.String }),
    Schema.Struct({ type: Schema.Literal("child"), role: Schema.String, generation: Schema.optionalKey(Schema.Int) }),
    Schema.Struct({ role: Schema.String }),
  ]),
})
/** Any JSON, as a body that is decoded from JSON has it: `Unknown` behind a check that it is one. */
const withJson = Schema.toCodecJson(Schema.Struct({ one: Schema.Unknown, other: Schema.optionalKey(Schema.Json) }))
const cases = [
  ...members.map(({ name, schema }) => ({ name, schema, right: { _tag: name, ...full[name] } })),
  ...[{ type: "root", role: "r" }, { type: "child", role: "r", generation: 2 }, { role: "r" }].map((workflow) => ({
    name: `forms (${workflow.type ?? "none"})`,
    schema: inForms,
    right: { agent: "a", workflow },
  })),
  { name: "any JSON", schema: withJson, right: { one: { a: [1, null, "x", { b: true }] }, other: [{}, 0.5] } },
]

describe.each(cases)("the quick decoder of $name", ({ schema, right }) => {
  const quick = quickDecoder(schema)

  it("is sure of a right input, and reads it as the schema does", () => {
    expect(Result.getOrThrow(bySchema(schema, right))).toEqual(quick(right))
  })

  it("accepts nothing that the schema refuses, and never reads it differently", () => {
    fc.assert(
      fc.property(fc.nat(), others, fc.option(fc.tuple(fc.nat(), others)), (path, other, second) => {
        const once = spoil(right, path, other)
        const input = second === null ? once : spoil(once, ...second)
        const answer = quick(input)
        if (answer === unsure) return
        const said = bySchema(schema, input)
        expect(Result.isSuccess(said) ? said.success : said.failure.message).toEqual(answer)
      }),
      { numRuns: 400 },
    )
  })
})
