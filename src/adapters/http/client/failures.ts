/**
 * What became of one try that did not succeed, as the `WorkflowError` that says so.
 *
 * What the server refuses is passed on as it is. Everything else (no connection, no answer in time, an answer of something that
 * stands before the server) is a typed error too, and tells whether the command may have been carried out all the same.
 */
import { type Code, codes } from "../../../machines/refusals.ts"
import { fail, isInfrastructure, mayBeWritten, WorkflowError } from "../../../runtime/errors.ts"
import { errorOf } from "../wire/problem.ts"

export interface Failure {
  readonly error: WorkflowError
  /** Whether the server may have carried the request out. */
  readonly mayBeDone: boolean
  /** Whether the server said it, in its own words. */
  readonly isTold: boolean
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number
}

/** A request can't have got anywhere. */
const neverSent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
])

export const unreachable = (url: string, error: unknown): Failure => {
  const why = causeOf(error)
  const mayBeDone = why === undefined || !neverSent.has(why)
  const what = mayBeDone ? "The connection was lost" : "There is no connection"
  return {
    error: fail("storage_unavailable", `${what} to the server at ${url}${why === undefined ? "" : ` (${why})`}.`, {
      reason: mayBeDone ? "connection" : "unreachable",
    }),
    mayBeDone,
    isTold: false,
  }
}

/** `fetch` hides the system's own word in the cause of its error. */
const causeOf = (error: unknown): string | undefined => {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 4; depth++) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z0-9_]{2,64}$/.test(at.code)) return at.code
    at = "cause" in at ? at.cause : undefined
  }
  return undefined
}

export const late = (url: string, ms: number): Failure => ({
  error: fail("storage_unavailable", `The server at ${url} did not answer within ${Math.round(ms)} ms.`, {
    reason: "timeout",
  }),
  mayBeDone: true,
  isTold: false,
})

export const tooLarge = (url: string, max: number): Failure => ({
  error: fail("payload_too_large", `The server at ${url} answered with more than ${max} characters.`, { max }),
  mayBeDone: true,
  isTold: false,
})

/** An answer with another status than it should have, or one that can't be read. */
export const misanswered = (url: string, response: Response, text: string): Failure => {
  const retryAfterMs = retryAfterOf(response.headers.get("retry-after"))
  const said = problemIn(response, text)
  if (said !== undefined) {
    const asked = said.facts.retryAfterMs
    const waitMs = typeof asked === "number" ? asked : retryAfterMs
    const wait = waitMs === undefined ? {} : { retryAfterMs: waitMs }
    return said.code === "closed"
      ? { error: closedThere(url), mayBeDone: true, isTold: false, ...wait }
      : { error: said, mayBeDone: leavesOpen(said), isTold: true, ...wait }
  }
  const { status } = response
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(response.headers.get("content-type") ?? "")?.[0] ?? "no content type"
  const hint = status < 500 && status !== 429 ? " Is the url right?" : ""
  return {
    error: fail(
      codeFor(status),
      `${url} answered ${status} (${type}), which is not an answer of Handrail.${hint}`,
      codes[codeFor(status)].status === 503 ? { reason: "answer", status } : { status },
    ),
    mayBeDone: status < 300 || status >= 500,
    isTold: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/** The server itself does not know, and says so. */
const leavesOpen = ({ code, facts }: WorkflowError): boolean =>
  code === "overloaded"
    ? typeof facts.timeoutMs === "number"
    : typeof facts.reason === "string" && mayBeWritten.has(facts.reason)

/** The runtime of that server is closed; this client is not, and another server may answer. */
const closedThere = (url: string): WorkflowError =>
  fail("storage_unavailable", `The runtime of the server at ${url} is closed.`, { reason: "closed" })

/** A problem of Handrail's own: one that a proxy made has another status, or no code that is known. */
const problemIn = (response: Response, text: string): WorkflowError | undefined => {
  if (response.headers.get("content-type")?.includes("json") !== true) return undefined
  const error = errorOf(parsed(text))
  if (error === undefined) return undefined
  return error.status === response.status || (error.status < 500 && response.status >= 400 && response.status < 500)
    ? error
    : undefined
}

export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const byStatus: Readonly<Record<number, Code>> = {
  401: "unauthenticated",
  403: "forbidden",
  408: "storage_unavailable",
  413: "payload_too_large",
  425: "storage_unavailable",
  429: "rate_limited",
}
/** A success that is none may be a proxy's page for its own trouble. */
const codeFor = (status: number): Code =>
  byStatus[status] ?? (status < 300 || status >= 500 ? "storage_unavailable" : "invalid_request")

/** Seconds or a date. */
const retryAfterOf = (header: string | null): number | undefined => {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

/** The error of a call by the last of its tries, with what the earlier ones leave open. */
export const concluded = (last: Failure, earlierMayBeDone: boolean, key: string | undefined): WorkflowError => {
  const { error, mayBeDone, isTold } = last
  if (key === undefined || (!isInfrastructure(error) && isTold)) return error
  const { code, detail, facts } = error
  const again = "may have been carried out all the same; send it again under its idempotency key."
  const open = mayBeDone
    ? isTold
      ? ""
      : ` The command ${again}`
    : earlierMayBeDone
      ? ` By an earlier try the command ${again}`
      : facts.reason === "unreachable"
        ? " Nothing of the command was carried out; try again."
        : ""
  // Whoever asks the reason has to hear that something is open.
  const reason = earlierMayBeDone && !mayBeDone && code === "storage_unavailable" ? { reason: "connection" } : {}
  return new WorkflowError({ code, detail: `${detail}${open}`, facts: { ...facts, ...reason, idempotencyKey: key } })
}
