/**
 * Summary schemas: JSON Schema, Draft 2020-12, by Ajv.
 *
 * Nothing is ever fetched: a `$ref` that the schema does not hold itself is an error when it is compiled. A `$async` schema is
 * refused, since its validator would answer a promise, which is truthy whatever the summary holds.
 *
 * Validators recurse, and V8 aborts the process when it compiles a regular expression on an exhausted stack. So the references
 * of a schema and the nesting of a summary are bounded; a schema that refers to itself for ever is caught when it is used.
 */
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js"
import type { SummaryProblem } from "../machines/rules.ts"
import { bounds } from "./bounds.ts"
import type { Path } from "./tree.ts"

export interface SchemaProblem {
  readonly path: Path
  readonly message: string
}

export type SummaryValidator = (summary: unknown) => ReadonlyArray<SummaryProblem> | undefined
export type CompiledSchema =
  | { readonly ok: true; readonly validate: SummaryValidator }
  | { readonly ok: false; readonly problems: ReadonlyArray<SchemaProblem> }

/** Checks schemas against the meta-schema and keeps none of them, so one serves all: compiling the meta-schema is dear. */
const meta = new Ajv2020({ strict: false, logger: false })

export const compileSchema = (schema: unknown): CompiledSchema => {
  if (typeof schema !== "boolean" && (typeof schema !== "object" || schema === null || Array.isArray(schema))) {
    return refused([{ path: [], message: "a JSON schema is a map, true or false" }])
  }
  if (references(schema) > bounds.schemaReferences) {
    return refused([{ path: [], message: `a schema may have at most ${bounds.schemaReferences} references` }])
  }
  try {
    if (meta.validateSchema(schema) !== true) return refused(schemaProblems(meta.errors ?? []))
    // One compiler a schema, so that the $ids of two edges never meet; the meta-schema is checked once, above.
    const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false, meta: false, validateSchema: false })
    const check = ajv.compile(schema)
    if ("$async" in check) return refused([{ path: ["$async"], message: "an asynchronous schema can't be used" }])
    return { ok: true, validate: (summary) => run(check, summary) }
  } catch (error) {
    // Ajv throws for what its meta-schema can't see: an unknown $ref or $schema, a pattern that is no regular expression.
    return refused([{ path: [], message: error instanceof Error ? error.message : "it does not compile" }])
  }
}

const references = (schema: unknown): number => {
  if (typeof schema !== "object" || schema === null) return 0
  return Object.entries(schema).reduce(
    (sum, [key, value]) => sum + (key === "$ref" || key === "$dynamicRef" ? 1 : references(value)),
    0,
  )
}

const isDeeperThan = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1)))

const refused = (problems: ReadonlyArray<SchemaProblem>): CompiledSchema => ({ ok: false, problems })

interface Check {
  (data: unknown): unknown
  errors?: Array<ErrorObject> | null
}

const run = (check: Check, summary: unknown): ReadonlyArray<SummaryProblem> | undefined => {
  if (isDeeperThan(summary, bounds.summaryDepth)) {
    return [{ path: "", message: `a summary may be nested at most ${bounds.summaryDepth} levels deep` }]
  }
  try {
    if (check(summary) === true) return undefined
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [{ path: "", message: "the summary can't be checked: its schema refers to itself without end" }]
  }
  return (check.errors ?? []).slice(0, bounds.summaryProblems).map(({ instancePath, message }) => ({
    path: instancePath,
    message: message ?? "does not fit the schema",
  }))
}

/** The innermost problem of each place: the meta-schema reports a wrong keyword once for each of its vocabularies. */
const schemaProblems = (errors: ReadonlyArray<ErrorObject>): ReadonlyArray<SchemaProblem> => {
  const byPath = new Map<string, SchemaProblem>()
  for (const { instancePath, message, params } of errors) {
    if (byPath.has(instancePath)) continue
    const path = instancePath
      .split("/")
      .slice(1)
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    const allowed: unknown = params.allowedValues
    const choices = Array.isArray(allowed) ? `: ${allowed.join(", ")}` : ""
    byPath.set(instancePath, { path, message: `${message ?? "is not valid"}${choices}` })
  }
  return [...byPath.values()].slice(0, bounds.summaryProblems)
}
