/** Errors as `application/problem+json`: every code, its status, and a schema for the codes that an operation can answer. */
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { type Code, codes } from "../../../machines/refusals.ts"

/** What only HTTP can get wrong: the codes of wire.md have no word for it. */
const httpCodes = {
  not_found: { status: 404, retryable: false, title: "No such route" },
  method_not_allowed: { status: 405, retryable: false, title: "The route does not know this method" },
  unsupported_media_type: { status: 415, retryable: false, title: "A body is application/json" },
} as const
export type ProblemCode = Code | keyof typeof httpCodes
export const problemCodes: Readonly<
  Record<ProblemCode, { readonly status: number; readonly retryable: boolean; readonly title: string }>
> = { ...codes, ...httpCodes }

export const ProblemCode = Schema.Literals(Object.keys(problemCodes) as [ProblemCode, ...Array<ProblemCode>]).annotate({
  identifier: "ProblemCode",
  description: "Every code that an answer can carry.",
})

const titles: Readonly<Record<number, string>> = {
  400: "The request is wrong",
  401: "No valid key",
  403: "Not permitted",
  404: "Not found, or another tenant's",
  409: "Refused by the workflow's rules",
  412: "The session has moved on",
  413: "The request is too large",
  415: "The body is not JSON",
  422: "The idempotency key was used for another request",
  429: "Too many requests",
  500: "A bug in Handrail, or a damaged store",
  503: "Try again after `Retry-After` seconds",
}

/** Statuses whose codes are the same wherever they occur: one component of the document serves all operations. */
const shared = new Set([401, 403, 412, 413, 415, 422, 429, 500, 503])

const make = (status: number, of: ReadonlyArray<ProblemCode>) =>
  Schema.StructWithRest(
    Schema.Struct({
      type: Schema.String,
      title: Schema.String,
      status: Schema.Literal(status),
      code: Schema.Literals(of),
      detail: Schema.String,
      retryable: Schema.Boolean,
    }),
    [Schema.Record(Schema.String, Schema.Json)],
  )
    .annotate({
      description: titles[status] ?? "Error",
      ...(shared.has(status) ? { identifier: `Problem${status}` } : {}),
    })
    .pipe(HttpApiSchema.asJson({ contentType: "application/problem+json" }), HttpApiSchema.status(status))

const made = new Map<string, ReturnType<typeof make>>()
const problem = (status: number, of: ReadonlyArray<ProblemCode>) => {
  const key = `${status} ${of.join(" ")}`
  const known = made.get(key) ?? make(status, of)
  made.set(key, known)
  return known
}

const byStatus = (of: ReadonlyArray<ProblemCode>) => {
  const groups = new Map<number, Array<ProblemCode>>()
  for (const code of new Set(of)) {
    const { status } = problemCodes[code]
    groups.set(status, [...(groups.get(status) ?? []), code])
  }
  return [...groups].map(([status, some]) => problem(status, some))
}

const always: ReadonlyArray<ProblemCode> = [
  "invalid_request",
  "unauthenticated",
  "forbidden",
  "rate_limited",
  "internal",
  "storage_corrupt",
  "overloaded",
  "storage_unavailable",
  "closed",
]
const whenSent: ReadonlyArray<ProblemCode> = ["payload_too_large", "unsupported_media_type", "idempotency_mismatch"]
const session: ReadonlyArray<ProblemCode> = [
  "session_not_found",
  "session_killed",
  "session_not_active",
  "workflow_not_found",
  "workflow_killed",
  "workflow_not_active",
  "version_mismatch",
]

/** The problems of an operation that reads. */
export const reading = (...of: ReadonlyArray<ProblemCode>) => byStatus([...always, ...of])
/** Of one that sends a command. */
export const commanding = (...of: ReadonlyArray<ProblemCode>) => byStatus([...always, ...whenSent, ...of])
/** Of a command by a session. */
export const acting = (...of: ReadonlyArray<ProblemCode>) => commanding(...session, ...of)
