/**
 * Random contracts, and random stories of a session under them.
 *
 * The vocabulary is tiny on purpose: a handful of tools, phases and values, so that rules meet each other instead of passing by.
 */
import fc from "fast-check"
import type { ContractsJson, PlainCall, PlainOptions, SessionJson, TestJson, ToolJson } from "./plainReading.ts"

const contracted = ["draft", "check", "send", "undo"] as const
/** The last has no contract. */
export const toolNames: ReadonlyArray<string> = [...contracted, "other"]
const phaseNames = ["begin", "work", "end"] as const
const sideEffects = ["read", "write", "destructive", "admin", "financial"] as const

/** A key that is there in so many of ten cases. */
const maybe = <K extends string, A>(
  key: K,
  arbitrary: fc.Arbitrary<A>,
  ofTen = 5,
): fc.Arbitrary<{ readonly [P in K]?: A }> =>
  fc.tuple(fc.integer({ min: 1, max: 10 }), arbitrary).map(([dice, value]) => {
    const part: { [P in K]?: A } = {}
    if (dice <= ofTen) part[key] = value
    return part
  })

const merged = <A extends object>(...parts: ReadonlyArray<fc.Arbitrary<Partial<A>>>): fc.Arbitrary<Partial<A>> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as Partial<A>)

const scalar = fc.constantFrom<unknown>(null, true, false, 0, 1, 2, 2.5, "", "a", "ab", "b1")
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.record({ x: scalar, y: scalar }, { requiredKeys: [], noNullPrototype: true }),
)
const json: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      { a: value, b: value, list: fc.array(value, { maxLength: 3 }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
  },
  scalar,
)
const path = fc.constantFrom(
  "$.a",
  "$.b",
  "$.a.x",
  "$.b.y",
  "$.list",
  "$.list[0]",
  "$.list[1].x",
  "$.list.length",
  "$.c",
)

const outputTest: fc.Arbitrary<TestJson> = withOperator(
  merged<TestJson>(
    maybe("equals", value),
    maybe("exists", fc.boolean()),
    maybe("gte", fc.constantFrom(0, 1, 2)),
    maybe("lte", fc.constantFrom(1, 2, 3)),
  ),
)
const invariant: fc.Arbitrary<TestJson> = withOperator(
  fc.oneof<Array<fc.Arbitrary<Partial<TestJson>>>>(
    value.map((equals) => ({ equals })),
    fc.array(value, { minLength: 1, maxLength: 3 }).map((oneOf) => ({ one_of: oneOf })),
    fc.constantFrom("a", "^b", "\\d$", "^$").map((regex) => ({ regex })),
    fc.constantFrom("string", "number", "integer", "boolean", "object", "array", "null").map((type) => ({ type })),
    scalar.map((contains) => ({ contains })),
    merged<TestJson>(
      maybe("gte", fc.constantFrom(0, 1)),
      maybe("lte", fc.constantFrom(1, 2.5)),
      maybe("exists", fc.boolean()),
    ),
    merged<TestJson>(maybe("length_gte", fc.nat(2)), maybe("length_lte", fc.constantFrom(2, 3))),
  ),
)

function withOperator(operators: fc.Arbitrary<Partial<TestJson>>): fc.Arbitrary<TestJson> {
  return fc
    .tuple(path, operators)
    .map(([at, test]) => (Object.keys(test).length === 0 ? { path: at, exists: true } : { ...test, path: at }))
}

const few = <A>(arbitrary: fc.Arbitrary<A>, minLength = 0): fc.Arbitrary<Array<A>> =>
  fc.array(arbitrary, { minLength, maxLength: 2 })

const toolJson = (tool: string): fc.Arbitrary<ToolJson> =>
  fc
    .tuple(
      fc.constantFrom(...sideEffects),
      fc.constantFrom(null, 0, 400_000, 1_000_000),
      merged<ToolJson>(
        maybe("gate", fc.constantFrom("allow", "allow", "block"), 3),
        maybe("checkpoint", fc.boolean(), 2),
        maybe(
          "transitions",
          merged<NonNullable<ToolJson["transitions"]>>(
            maybe("valid_in_phases", few(fc.constantFrom(...phaseNames), 1)),
            maybe("advances_to", fc.constantFrom(...phaseNames)),
          ),
        ),
        maybe(
          "preconditions",
          few(
            fc
              .tuple(fc.constantFrom(...contracted), maybe("with_output", few(outputTest)))
              .map(([prior, tests]) => ({ requires_prior_tool: prior, ...tests })),
          ),
          4,
        ),
        maybe("forbids_after", few(fc.constantFrom(...contracted)), 4),
        maybe("argument_value_invariants", few(invariant), 4),
      ),
    )
    .map(([sideEffect, estimate, rest]) => ({ ...rest, tool, side_effect: sideEffect, estimate }))

/** `begin` is the initial phase and `end` the terminal one; all are reachable, as the compiler demands. */
const phases: fc.Arbitrary<Partial<SessionJson>> = fc
  .record({
    begin: fc.constantFrom(["work"], ["work", "end"], ["work", "begin"]),
    work: fc.constantFrom(["end"], ["end", "begin"]),
    end: fc.constantFrom([], ["begin"]),
  })
  .map((transitions) => ({
    phases: [{ name: "begin", initial: true }, { name: "work" }, { name: "end", terminal: true }],
    transitions,
  }))

const sessionJson: fc.Arbitrary<SessionJson> = merged<SessionJson>(
  fc.oneof(phases, phases, fc.constant({})),
  maybe(
    "session_limits",
    merged<NonNullable<SessionJson["session_limits"]>>(
      maybe("max_steps", fc.integer({ min: 0, max: 8 }), 4),
      maybe("max_tool_calls", fc.integer({ min: 0, max: 12 }), 4),
      maybe("max_cost_per_session", fc.constantFrom(0, 1, 3, 8), 4),
      maybe(
        "max_calls_per_tool",
        fc.dictionary(fc.constantFrom(...toolNames), fc.nat(3), { maxKeys: 3, noNullPrototype: true }),
        4,
      ),
      maybe(
        "loop_detection",
        fc.record({ window: fc.integer({ min: 1, max: 5 }), threshold: fc.integer({ min: 1, max: 3 }) }),
        4,
      ),
      maybe(
        "circuit_breaker",
        merged<{ consecutive_blocks: number; consecutive_errors: number }>(
          maybe("consecutive_blocks", fc.integer({ min: 1, max: 4 })),
          maybe("consecutive_errors", fc.integer({ min: 1, max: 3 })),
        ),
      ),
    ),
  ),
  maybe(
    "risk_defaults",
    fc.dictionary(fc.constantFrom(...sideEffects), fc.constantFrom("allow", "block"), {
      maxKeys: 2,
      noNullPrototype: true,
    }),
    4,
  ),
)

/** Contracts that the compiler accepts: phases are named only where session.yaml has some. */
export const contracts: fc.Arbitrary<ContractsJson> = fc
  .record({
    session: sessionJson,
    tools: fc.tuple(...contracted.map(toolJson)),
    defaultCost: fc.constantFrom(null, 0, 200_000),
  })
  .map(({ session, tools, defaultCost }) => ({
    session,
    defaultCost,
    tools: session.phases === undefined ? tools.map(({ transitions: _, ...tool }) => tool) : tools,
  }))

export const call: fc.Arbitrary<PlainCall> = fc.record({
  tool: fc.constantFrom(...toolNames),
  args: json,
  estimate: fc.constantFrom(undefined, undefined, undefined, 0, 500_000),
})

export const options: fc.Arbitrary<PlainOptions> = fc.record({
  unmatched: fc.constantFrom("allow", "block"),
  checkpoints: fc.constantFrom("hold", "hold", "unavailable"),
})

/**
 * One thing that happens. `pick` chooses among the steps. `admit` is which calls of an answer become steps: those that are allowed;
 * none, as when another of the answer was blocked; or all of them, as where nothing is enforced.
 */
export type Happening =
  | { readonly what: "answer"; readonly calls: ReadonlyArray<PlainCall>; readonly admit: "allowed" | "none" | "all" }
  | {
      readonly what: "end"
      readonly as: "committed" | "aborted" | "unknown"
      readonly pick: number
      readonly output: unknown
      readonly actual: number | undefined
      readonly threw: boolean
    }
  | { readonly what: "again"; readonly pick: number }
  | { readonly what: "usage"; readonly cost: number }

const answer: fc.Arbitrary<Happening> = fc.record({
  what: fc.constant("answer"),
  calls: fc.oneof(
    fc.array(call, { minLength: 1, maxLength: 4 }),
    // The same call over and over, or no loop would ever be seen.
    fc.tuple(call, fc.integer({ min: 1, max: 3 })).map(([one, times]) => Array.from({ length: times }, () => one)),
  ),
  admit: fc.constantFrom("allowed", "allowed", "allowed", "allowed", "none", "all"),
})
const end: fc.Arbitrary<Happening> = fc.record({
  what: fc.constant("end"),
  as: fc.constantFrom("committed", "committed", "committed", "aborted", "unknown"),
  pick: fc.nat(20),
  output: fc.option(json, { nil: undefined, freq: 9 }),
  actual: fc.option(fc.constantFrom(0, 300_000), { nil: undefined }),
  threw: fc.boolean(),
})

export const happenings: fc.Arbitrary<ReadonlyArray<Happening>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: answer },
    { weight: 7, arbitrary: end },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("again"), pick: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("usage"), cost: fc.constantFrom(0, 100_000, 1_000_000) }) },
  ),
  { maxLength: 25, size: "max" },
)
