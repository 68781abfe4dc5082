/**
 * Small definitions: two to four roles, random edges with cycles, all resource modes, limits that are often tight.
 *
 * Commands happen at multiples of 100 ms, and each kind of lease has its own remainder, so that two deadlines meet
 * only where their order does not matter: an offer's and a workflow's are reached exactly, a claim's never ties with
 * another.
 */
import fc from "fast-check"
import {
  type Definition,
  type Edge,
  type Limits,
  noLimits,
  type Resource,
  type Role,
  type ToolContract,
} from "../../machines/definition.ts"

export const roleNames = ["lead", "dev", "ops", "qa"] as const
export const resourceNames = { exclusive_pending: "env", single_writer: "doc", serial_only: "line" } as const
export const tools = ["read", "write", "deploy"] as const
const unit = 1_000_000

/** Null three times out of `loose + 1`, else one of the values. */
const maybe = <T>(values: ReadonlyArray<T>, loose: number): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: loose, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...values) })

const limits = (loose: number, root: boolean): fc.Arbitrary<Limits> =>
  fc.record({
    maxSessions: maybe([root ? 1 : 0, 2, 3, 5], loose),
    maxActiveSessions: maybe([root ? 2 : 1, 2, 3], loose),
    maxSteps: maybe(root ? [2, 4, 8] : [0, 1, 3, 6], loose),
    maxCost: maybe([0, unit / 2, 2 * unit, 5 * unit], Math.ceil(loose / 2)),
    maxTokens: maybe([0, 100, 400], loose),
    maxOpenHandoffs: maybe([1, 2, 3], loose),
    maxDepth: maybe([1, 2], loose),
    maxDurationMs: fc.constant(null),
  })

const tool: fc.Arbitrary<ToolContract> = fc.record({
  tool: fc.constantFrom(...tools),
  sideEffect: fc.constant("write" as const),
  evidenceClass: fc.constant("ack_only" as const),
  resources: fc.subarray([
    { name: resourceNames.serial_only, key: { constant: "a" } },
    { name: resourceNames.single_writer, key: { constant: "b" } },
  ]),
  estimate: maybe([unit / 4, 0], 1),
  timeoutMs: fc.constant(null),
  // A remainder of their own, as every lease has: 31 and 33.
  rest: fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom(true, { timeout: "1331ms" }, { timeout: "3333ms" }, false)
        .map((checkpoint) => ({ checkpoint })),
    },
  ),
})

const role = (name: string, root: boolean): fc.Arbitrary<Role> =>
  fc.record({
    name: fc.constant(name),
    root: name === roleNames[2] ? fc.boolean() : fc.constant(root),
    limits: fc.oneof({ weight: 2, arbitrary: fc.constant(noLimits) }, { weight: 1, arbitrary: limits(7, root) }),
    defaultCost: maybe([unit / 10, unit], 1),
    session: fc.constant(null),
    tools: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: tool.map((one) => [one]) }),
  })

const summarySchema = { type: "object", required: ["task"] }

const edge = (from: string, to: string, index: number): fc.Arbitrary<Edge> =>
  fc.record({
    from: fc.constant(from),
    to: fc.constant(to),
    claimTimeoutMs: maybe(
      [1201, 2601, 4001].map((ms) => ms + index),
      1,
    ),
    offerTimeoutMs: maybe([900, 2500, 4000], 2),
    maxAttempts: maybe([1, 2, 3], 1),
    completion: fc.constantFrom("requires_progress", "requires_progress", "any"),
    summarySchema: maybe([summarySchema], 2),
  })

const resource = (name: string, mode: Resource["mode"], index: number): fc.Arbitrary<Resource> =>
  fc.oneof(
    fc.constant({ name, mode, unresolved: "hold" as const, pendingTimeoutMs: null }),
    fc
      .constantFrom(751, 2051)
      .map((ms) => ({ name, mode, unresolved: "release" as const, pendingTimeoutMs: ms + index })),
  )

/** The first edge is always there, so that a root can hand something off; a role may hand off to itself. */
const edges = (names: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<Edge>> => {
  const pairs = names.flatMap((from) => names.map((to) => [from, to] as const))
  const first = pairs[1] ?? (["lead", "dev"] as const)
  return fc
    .subarray(
      pairs.filter((pair) => pair !== first),
      { minLength: Math.min(1, pairs.length), maxLength: pairs.length - 1 },
    )
    .chain((chosen) => fc.tuple(...[first, ...chosen].map(([from, to], index) => edge(from, to, index))))
}

export const definitions: fc.Arbitrary<Definition> = fc.integer({ min: 2, max: 4 }).chain((count) => {
  const names = roleNames.slice(0, count)
  return fc.record({
    schemaVersion: fc.constant("1.0" as const),
    workflow: fc.constant("model"),
    roles: fc.tuple(...names.map((name, index) => role(name, index === 0))),
    handoffs: edges(names),
    resources: fc.tuple(
      resource(resourceNames.exclusive_pending, "exclusive_pending", 0),
      resource(resourceNames.single_writer, "single_writer", 1),
      resource(resourceNames.serial_only, "serial_only", 2),
    ),
    limits: fc
      .oneof({ weight: 1, arbitrary: fc.constant(noLimits) }, { weight: 2, arbitrary: limits(7, true) })
      .chain((some) => maybe([3000, 12_000], 6).map((maxDurationMs) => ({ ...some, maxDurationMs }))),
    preflightTimeoutMs: fc.constantFrom(500, 5000),
  })
})
