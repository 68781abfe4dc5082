/**
 * Spans, on a tracer of Effect's shape, and the context that carries them from an SDK call to the command that it becomes.
 *
 * What a caller has decided not to sample makes no span here, and its header goes on as it came.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { Context, Exit, Option, type Tracer } from "effect"
import { writeTraceparent } from "./traceparent.ts"

export interface SpanStart {
  readonly name: string
  readonly kind: Tracer.SpanKind
  /** Default: the span of whoever calls. */
  readonly parent?: Tracer.AnySpan | undefined
  readonly attributes: Readonly<Record<string, string | number | undefined>>
  readonly links?: ReadonlyArray<Tracer.AnySpan>
}

/** Links that one span may have: what an exporter keeps by default. */
const mostLinks = 128

const clockNanos = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6))

export class Tracing {
  readonly #tracer: Tracer.Tracer
  readonly #current = new AsyncLocalStorage<Tracer.AnySpan>()

  constructor(tracer: Tracer.Tracer) {
    this.#tracer = tracer
  }

  /** The span in which the caller runs. */
  get current(): Tracer.AnySpan | undefined {
    return this.#current.getStore()
  }

  /** Runs what belongs to a span. */
  within<A>(span: Tracer.AnySpan | undefined, run: () => A): A {
    return span === undefined ? run() : this.#current.run(span, run)
  }

  /** Undefined where the trace is not sampled. */
  start({ name, kind, parent = this.current, attributes, links = [] }: SpanStart): Tracer.Span | undefined {
    if (parent?.sampled === false) return undefined
    const span = this.#tracer.span({
      name,
      kind,
      parent: Option.fromUndefinedOr(parent),
      annotations: Context.empty(),
      links: links.slice(0, mostLinks).map((linked) => ({ span: linked, attributes: {} })),
      startTime: clockNanos(),
      root: parent === undefined,
      sampled: true,
    })
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(key, value)
    return span
  }

  /** `failure` is a code, such as `storage_unavailable`: an error's words may hold what does not belong in a trace. */
  end(span: Tracer.Span, failure?: string): void {
    span.end(clockNanos(), failure === undefined ? Exit.void : Exit.fail(failure))
  }

  /** A `fetch` that tells the server in which span its caller is: for `Handrail.connect({ fetch })`. */
  fetch(inner: (url: string, init: RequestInit) => Promise<Response> = (url, init) => fetch(url, init)) {
    return (url: string, init: RequestInit): Promise<Response> => {
      const { current } = this
      if (current === undefined) return inner(url, init)
      const headers = new Headers(init.headers)
      headers.set("traceparent", writeTraceparent(current))
      return inner(url, { ...init, headers })
    }
  }
}
