/** One HTTP request under watch: the span between the caller's, that its `traceparent` names, and those of its commands. */
import { Schema, type Tracer } from "effect"
import { SessionId } from "../../machines/ids.ts"
import type { Fields } from "./Log.ts"
import type { Tracing } from "./Tracing.ts"
import { readTraceparent } from "./traceparent.ts"

const isId = Schema.is(SessionId)
/** A path may hold anything; what is no id is nobody's, and is left out. */
export const idIn = (text: string | undefined): string | undefined => (isId(text) ? text : undefined)

export interface RequestStart {
  readonly method: string
  /** With `:name` for a parameter. */
  readonly route: string
  readonly traceparent: string | undefined
  /** Of the path, as they were sent. */
  readonly workflowId: string | undefined
  readonly sessionId: string | undefined
}

export class RequestWatch {
  readonly #tracing: Tracing | undefined
  readonly #caller: Tracer.AnySpan | undefined
  readonly #span: Tracer.Span | undefined

  constructor({ method, route, traceparent, workflowId, sessionId }: RequestStart, tracing: Tracing | undefined) {
    this.#tracing = tracing
    if (tracing === undefined) return
    this.#caller = readTraceparent(traceparent)
    this.#span = tracing.start({
      name: `${method} ${route}`,
      kind: "server",
      parent: this.#caller,
      attributes: {
        "http.request.method": method,
        "http.route": route,
        "handrail.workflow_id": idIn(workflowId),
        "handrail.session_id": idIn(sessionId),
      },
    })
  }

  get trace(): Pick<Fields, "traceId" | "spanId"> | undefined {
    const span = this.#span ?? this.#caller
    return span === undefined ? undefined : { traceId: span.traceId, spanId: span.spanId }
  }

  within<A>(run: () => A): A {
    return this.#tracing === undefined ? run() : this.#tracing.within(this.#span ?? this.#caller, run)
  }

  answered(status: number, code: string | undefined): void {
    const span = this.#span
    if (span === undefined) return
    span.attribute("http.response.status_code", status)
    if (code !== undefined) span.attribute("handrail.code", code)
    this.#tracing?.end(span, status >= 500 ? code : undefined)
  }
}
