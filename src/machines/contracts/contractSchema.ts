/**
 * session.yaml and the kept part of a tool contract as JSON: the shapes that the definition's compiler has validated.
 *
 * An unknown key is an error here too. It would be a rule that the compiler accepts and nothing enforces.
 */
import { Schema } from "effect"
import { SideEffect } from "../definition.ts"
import { Count, Positive } from "../ids.ts"

const optional = Schema.optionalKey
const names = Schema.Array(Schema.String)

/** One test of a value: a path, and what must hold of what is there. */
const Test = Schema.Struct({
  path: Schema.String,
  exists: optional(Schema.Boolean),
  type: optional(Schema.Literals(["string", "number", "integer", "boolean", "object", "array", "null"])),
  equals: optional(Schema.Json),
  one_of: optional(Schema.Array(Schema.Json)),
  contains: optional(Schema.Json),
  regex: optional(Schema.String),
  gte: optional(Schema.Finite),
  lte: optional(Schema.Finite),
  length_gte: optional(Count),
  length_lte: optional(Count),
})
export type TestSource = typeof Test.Type

const SessionContract = Schema.Struct({
  schema_version: Schema.Literal("1.0"),
  agent: Schema.String,
  phases: optional(
    Schema.Array(
      Schema.Struct({ name: Schema.String, initial: optional(Schema.Boolean), terminal: optional(Schema.Boolean) }),
    ),
  ),
  transitions: optional(Schema.Record(Schema.String, names)),
  session_limits: optional(
    Schema.Struct({
      max_steps: optional(Count),
      max_tool_calls: optional(Count),
      max_cost_per_session: optional(Schema.Finite),
      max_calls_per_tool: optional(Schema.Record(Schema.String, Count)),
      loop_detection: optional(Schema.Struct({ window: Positive, threshold: Positive })),
      circuit_breaker: optional(
        Schema.Struct({ consecutive_blocks: optional(Positive), consecutive_errors: optional(Positive) }),
      ),
    }),
  ),
  risk_defaults: optional(Schema.Record(SideEffect, optional(Schema.Literals(["allow", "block"])))),
})
export type SessionSource = typeof SessionContract.Type

const ToolRest = Schema.Struct({
  commit_requirement: optional(Schema.Literals(["acknowledged", "none"])),
  transitions: optional(Schema.Struct({ valid_in_phases: optional(names), advances_to: optional(Schema.String) })),
  preconditions: optional(
    Schema.Array(Schema.Struct({ requires_prior_tool: Schema.String, with_output: optional(Schema.Array(Test)) })),
  ),
  forbids_after: optional(names),
  argument_value_invariants: optional(Schema.Array(Test)),
  gate: optional(Schema.Literals(["allow", "block"])),
  /** True, or how a person is asked: the control plane reads that. */
  checkpoint: optional(Schema.Json),
})

const strict = { onExcessProperty: "error" } as const
/** Throw where the JSON is not what the compiler lets through. */
export const decodeSession = Schema.decodeUnknownSync(SessionContract, strict)
export const decodeToolRest = Schema.decodeUnknownSync(ToolRest, strict)
