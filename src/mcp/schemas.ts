/** Inputs and outputs of tools: from one schema each, the JSON Schema that a model sees and the check of what it sends. */
import { Result, Schema } from "effect"
import { invalid } from "../runtime/decode.ts"
import { refusalSchema } from "./results.ts"

/**
 * JSON Schema of an object, as MCP wants it: `type: "object"` on top, and without references, which some models' hosts can't
 * follow.
 */
export interface ObjectSchema {
  readonly type: "object"
  readonly [keyword: string]: unknown
}

const jsonSchemaOf = (schema: Schema.Constraint, onExcessProperty: "error" | "ignore"): object => {
  const { schema: json, definitions } = Schema.toJsonSchemaDocument(schema, {
    referencePolicy: () => undefined,
    onExcessProperty,
  })
  return Object.keys(definitions).length === 0 ? json : { ...json, $defs: definitions }
}

export const inputSchemaOf = (schema: Schema.Constraint): ObjectSchema => ({
  ...jsonSchemaOf(schema, "error"),
  type: "object",
})

/** The answer, or the refusal: clients check structured content also where it is an error's. */
export const outputSchemaOf = (schema: Schema.Constraint): ObjectSchema => {
  const { $defs, ...answer }: { readonly $defs?: unknown } = { ...jsonSchemaOf(schema, "ignore") }
  return { type: "object", anyOf: [answer, refusalSchema], ...($defs === undefined ? {} : { $defs }) }
}

/** Throws `WorkflowError` `invalid_request` with every mistake and its path. */
export const decoded = <A>(what: string, schema: Schema.Codec<A, unknown>, value: unknown): A => {
  const result = Schema.decodeUnknownResult(schema, { onExcessProperty: "error", errors: "all" })(value)
  if (Result.isSuccess(result)) return result.success
  throw invalid(what, result.failure)
}
