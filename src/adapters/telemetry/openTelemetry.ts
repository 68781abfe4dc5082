/**
 * Handrail's spans through OpenTelemetry: a tracer of Effect's shape over `@opentelemetry/api`.
 *
 * The API is handed over and not imported, so that whoever has none needs none, and so that the spans go to the very copy of it
 * that the program has set up. Where nothing is set up its tracer makes nothing that is recorded. What has no parent becomes a
 * child of whatever span is active in the program, such as that of a model's call. Sampling is the SDK's.
 */
import type * as Otel from "@opentelemetry/api"
import { type Context, Exit, Tracer } from "effect"

export type OpenTelemetryApi = Pick<typeof Otel, "trace" | "context" | "ROOT_CONTEXT">

const kinds: Readonly<Record<Tracer.SpanKind, Otel.SpanKind>> = {
  internal: 0,
  server: 1,
  client: 2,
  producer: 3,
  consumer: 4,
}
/** `SpanStatusCode.ERROR` */
const failed: Otel.SpanStatusCode = 2

export const openTelemetryTracer = ({ trace, context, ROOT_CONTEXT }: OpenTelemetryApi): Tracer.Tracer => {
  const tracer = trace.getTracer("handrail")
  return Tracer.make({
    span: (options) => {
      const parent = options.parent._tag === "Some" ? options.parent.value : undefined
      const inside =
        parent instanceof OtelSpan
          ? trace.setSpan(ROOT_CONTEXT, parent.inner)
          : parent === undefined
            ? context.active()
            : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent))
      const links = options.links.map(({ span, attributes }) => ({
        context: contextOf(span),
        attributes: plain(attributes),
      }))
      const inner = tracer.startSpan(
        options.name,
        { kind: kinds[options.kind], links, startTime: timeOf(options.startTime) },
        inside,
      )
      return new OtelSpan(inner, options)
    },
  })
}

type Options = Parameters<Tracer.Tracer["span"]>[0]

class OtelSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly parent: Options["parent"]
  readonly annotations: Context.Context<never>
  readonly kind: Tracer.SpanKind
  readonly inner: Otel.Span
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink>
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  status: Tracer.SpanStatus

  constructor(inner: Otel.Span, { name, parent, annotations, kind, links, startTime }: Options) {
    const { spanId, traceId, traceFlags } = inner.spanContext()
    this.inner = inner
    this.name = name
    this.parent = parent
    this.annotations = annotations
    this.kind = kind
    this.links = [...links]
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = (traceFlags & 1) === 1
    this.status = { _tag: "Started", startTime }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    if (Exit.isFailure(exit)) {
      const error = Exit.findErrorOption(exit)
      const message = error._tag === "Some" && typeof error.value === "string" ? { message: error.value } : {}
      this.inner.setStatus({ code: failed, ...message })
    }
    this.inner.end(timeOf(endTime))
  }
  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.inner.setAttributes(plain({ [key]: value }))
  }
  event(name: string, startTime: bigint, attributes: Record<string, unknown> = {}): void {
    this.inner.addEvent(name, plain(attributes), timeOf(startTime))
  }
  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
    this.inner.addLinks(
      links.map(({ span, attributes }) => ({ context: contextOf(span), attributes: plain(attributes) })),
    )
  }
}

const contextOf = ({ traceId, spanId, sampled, _tag }: Tracer.AnySpan): Otel.SpanContext => ({
  traceId,
  spanId,
  traceFlags: sampled ? 1 : 0,
  isRemote: _tag === "ExternalSpan",
})

const timeOf = (nanos: bigint): Otel.HrTime => [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)]

const plain = (attributes: Readonly<Record<string, unknown>>): Otel.Attributes =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) =>
      typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [[key, value]] : [],
    ),
  )
