/** What the HTTP server counts and measures: by operation, never by path. */

import { Counter, type Family, Histogram } from "./exposition.ts"
import type { Fields } from "./Log.ts"
import { seconds } from "./RuntimeMetrics.ts"

/** One answered request. */
export interface Answered
  extends Pick<Fields, "tenant" | "keyId" | "actor" | "workflowId" | "sessionId" | "method" | "code"> {
  /** Undefined where no route was found. */
  readonly operation: string | undefined
  readonly status: number
  readonly durationMs: number
  readonly trace: Pick<Fields, "traceId" | "spanId"> | undefined
}

export class HttpMetrics {
  readonly #requests = new Counter("handrail_http_requests_total", "Requests answered, by operation and status.", [
    "operation",
    "status",
  ])
  readonly #problems = new Counter("handrail_http_problems_total", "Requests answered with a problem, by its code.", [
    "code",
  ])
  readonly #durations = new Histogram(
    "handrail_http_request_duration_seconds",
    "From a request's headers to its answer; of an event stream, to its beginning.",
    seconds,
    ["operation"],
  )

  get families(): ReadonlyArray<Family> {
    return [this.#requests, this.#problems, this.#durations]
  }

  answered({ operation = "none", status, code, durationMs }: Answered): void {
    this.#requests.cell(operation, String(status)).value += 1
    if (code !== undefined) this.#problems.cell(code).value += 1
    this.#durations.cell(operation).observe(durationMs / 1000)
  }
}
