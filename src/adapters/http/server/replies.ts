/** Answers as they are sent: success, refusal, stream, and what HEAD makes of them. */
import type { Route } from "../routes.ts"
import type { Problem } from "../wire/problem.ts"
import type { Reply } from "./Request.ts"

/** What an operation answers. Text is what `/metrics` says; whatever knows a sequence carries it as `Handrail-Seq`. */
export const answered = ({ status, encode }: Route, answer: object | string): Reply => {
  if (typeof answer === "string")
    return { status, headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" }, body: answer }
  const body = JSON.stringify(encode(answer))
  return "seq" in answer && typeof answer.seq === "number"
    ? { status, headers: { "content-type": "application/json", "handrail-seq": String(answer.seq) }, body }
    : { status, headers: { "content-type": "application/json" }, body }
}

export const refused = (problem: Problem, more: Readonly<Record<string, string>>): Reply => {
  const { status, code } = problem
  const headers: Record<string, string> = { "content-type": "application/problem+json", ...more }
  if (code === "unauthenticated") headers["www-authenticate"] = 'Bearer realm="handrail"'
  if (status === 503) headers["retry-after"] = "1"
  if (code === "rate_limited") headers["retry-after"] = String(Math.ceil(Number(problem.retry_after_ms) / 1000))
  return { status, headers, body: JSON.stringify(problem) }
}

export const streamHeaders = (seq: number): Readonly<Record<string, string>> => ({
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
  "handrail-seq": String(seq),
})

/** HEAD has the headers of GET, its length among them. */
export const headless = ({ status, headers, body }: Reply): Reply => ({
  status,
  headers: typeof body === "string" ? { ...headers, "content-length": String(Buffer.byteLength(body)) } : headers,
  body: null,
})
