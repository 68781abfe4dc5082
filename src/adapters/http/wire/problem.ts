/**
 * Errors between the wire and the `Client`: `application/problem+json` with all the facts, and back.
 *
 * The facts stand beside `type`, `title`, `status`, `code`, `detail` and `retryable`; one that would hide a member of those
 * is called `current_…`. A defect says nothing of itself.
 */
import { type Code, codes } from "../../../machines/refusals.ts"
import { WorkflowError } from "../../../runtime/errors.ts"
import { type ProblemCode, problemCodes } from "../api/problems.ts"
import { camelName, snakeName } from "./cases.ts"

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ProblemCode
  readonly detail: string
  readonly retryable: boolean
  readonly [fact: string]: unknown
}

const own = new Set(["type", "title", "status", "code", "detail", "retryable"])
const hidden = /^current_(type|title|status|code|detail|retryable)$/

export const problem = (code: ProblemCode, detail: string, facts: Readonly<Record<string, unknown>> = {}): Problem => {
  const { status, title, retryable } = problemCodes[code]
  const members: Record<string, unknown> = {
    type: `urn:handrail:problem:${code}`,
    title,
    status,
    code,
    detail,
    retryable,
  }
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined) continue
    const wire = snakeName(name)
    members[own.has(wire) ? `current_${wire}` : wire] = deep(code, value, snakeName)
  }
  return members as unknown as Problem
}

export const problemOf = (error: unknown): Problem =>
  error instanceof WorkflowError
    ? problem(error.code, error.detail, error.facts)
    : problem("internal", "The request failed. It is a bug in Handrail; the log has more.")

/** The error that a `Client` throws for a problem; undefined where the JSON is none. */
export const errorOf = (value: unknown): WorkflowError | undefined => {
  if (typeof value !== "object" || value === null || !("code" in value) || !("detail" in value)) return undefined
  const { code, detail, ...rest } = value
  if (typeof code !== "string" || typeof detail !== "string") return undefined
  const facts: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(rest)) {
    if (own.has(name)) continue
    const [, shadowed] = hidden.exec(name) ?? []
    facts[shadowed ?? camelName(name)] = deep(code, member, camelName)
  }
  // What only HTTP can get wrong is a request that isn't one of the API.
  const known: Code = isCode(code) ? code : "invalid_request"
  return new WorkflowError({ code: known, detail, facts })
}

const isCode = (code: string): code is Code => Object.hasOwn(codes, code)

/** Facts hold no JSON of callers, so every key in them is a name; so is each path of a member that is wrong. */
const deep = (code: string, value: unknown, rename: (name: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((item: unknown) => deep(code, item, rename))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      rename(name),
      name === "path" && typeof member === "string" && code === "invalid_request"
        ? rename(member)
        : deep(code, member, rename),
    ]),
  )
}
