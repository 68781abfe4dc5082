/**
 * Summary schemas: JSON Schema, Draft 2020-12, by Ajv.
 *
 * Nothing is ever fetched: a `$ref` that the schema does not hold itself is an error when it is compiled. A `$async` schema is
 * refused, since its validator would answer a promise, which is truthy whatever the summary holds.
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

/** A compiler for the schemas of one definition. */
export const makeSchemaCompiler = (): ((schema: unknown) => CompiledSchema) => {
  // addUsedSchema: two edges may carry a schema with the same $id.
  const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false, addUsedSchema: false })
  return (schema) => {
    if (typeof schema !== "boolean" && (typeof schema !== "object" || schema === null || Array.isArray(schema))) {
      return refused([{ path: [], message: "a JSON schema is a map, true or false" }])
    }
    try {
      if (ajv.validateSchema(schema) !== true) return refused(schemaProblems(ajv.errors ?? []))
      const check = ajv.compile(schema)
      if ("$async" in check) return refused([{ path: ["$async"], message: "an asynchronous schema can't be used" }])
      return { ok: true, validate: (summary) => run(check, summary) }
    } catch (error) {
      // Ajv throws for what its meta-schema can't see: an unknown $ref or $schema, a pattern that is no regular expression.
      return refused([{ path: [], message: error instanceof Error ? error.message : "it does not compile" }])
    }
  }
}

const refused = (problems: ReadonlyArray<SchemaProblem>): CompiledSchema => ({ ok: false, problems })

interface Check {
  (data: unknown): unknown
  errors?: Array<ErrorObject> | null
}

const run = (check: Check, summary: unknown): ReadonlyArray<SummaryProblem> | undefined => {
  try {
    if (check(summary) === true) return undefined
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [{ path: "", message: "the summary can't be checked: its schema refers to itself without end, or it is nested too deeply" }]
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
    const path = instancePath.split("/").slice(1).map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    const allowed: unknown = params["allowedValues"]
    const choices = Array.isArray(allowed) ? `: ${allowed.join(", ")}` : ""
    byPath.set(instancePath, { path, message: `${message ?? "is not valid"}${choices}` })
  }
  return [...byPath.values()].slice(0, bounds.summaryProblems)
}
