/**
 * `Observability`: metrics, traces and logs of a process, to give to `Handrail.open` and `HttpApp.open`.
 *
 * It is the runtime's `Telemetry` port and the HTTP server's. Metrics are always counted; spans are made where a tracer is given,
 * and lines where a log is. One may watch several runtimes: their figures add up.
 */
import { Effect, Exit, Layer, type Tracer } from "effect"
import type { Command } from "../../machines/commands.ts"
import type { Client } from "../../runtime/Client.ts"
import type { Submission } from "../../runtime/Governance.ts"
import type { Journal, StorageError } from "../../runtime/Journal.ts"
import { Telemetry, type TelemetryService, type Watch } from "../../runtime/Telemetry.ts"
import { CommandWatch } from "./CommandWatch.ts"
import { exposition } from "./exposition.ts"
import { type Answered, HttpMetrics } from "./HttpMetrics.ts"
import { Log, type LogOptions, thrown } from "./Log.ts"
import { idIn, type RequestStart, RequestWatch } from "./RequestWatch.ts"
import { RuntimeMetrics, verdictOf } from "./RuntimeMetrics.ts"
import { figuresOf, type Hosted, type ServerFigures, Surveyor } from "./readings.ts"
import { TracedClient } from "./TracedClient.ts"
import { Tracing } from "./Tracing.ts"
import { watchedJournal } from "./watchedJournal.ts"

export interface ObservabilityOptions {
  /** Where spans go: `openTelemetryTracer(api)`, or any tracer of Effect. None are made without one. */
  readonly tracer?: Tracer.Tracer
  /** Lines of JSON; `true` for the defaults. None are written without it. */
  readonly log?: boolean | LogOptions
}

export class Observability implements TelemetryService {
  readonly #metrics = new RuntimeMetrics()
  readonly #http = new HttpMetrics()
  readonly #surveyor = new Surveyor()
  readonly #tracing: Tracing | undefined
  readonly #log: Log | undefined

  constructor({ tracer, log = false }: ObservabilityOptions = {}) {
    this.#tracing = tracer === undefined ? undefined : new Tracing(tracer)
    this.#log = log === false ? undefined : new Log(log === true ? {} : log)
  }

  /** What a runtime has to be given: for Effect programs that provide `Governance.layer` themselves. */
  get layer(): Layer.Layer<never> {
    const telemetry = Layer.succeed(Telemetry, this)
    return this.#log === undefined ? telemetry : Layer.merge(telemetry, this.#log.layer)
  }

  /** The same client, whose calls are spans; itself where there is no tracer. */
  client(client: Client): Client {
    return this.#tracing === undefined ? client : new TracedClient(client, this.#tracing)
  }

  /** A `fetch` for `Handrail.connect` that carries the trace of a call to the server. */
  fetch(inner?: (url: string, init: RequestInit) => Promise<Response>) {
    return this.#tracing?.fetch(inner) ?? inner ?? ((url: string, init: RequestInit) => fetch(url, init))
  }

  /** The text for Prometheus: of what was counted here, and of a runtime and a server as they are now. */
  async text(host: Hosted, server?: ServerFigures): Promise<string> {
    const survey = await this.#surveyor.look(host)
    return exposition([
      ...this.#metrics.families,
      ...this.#http.families,
      ...figuresOf(host.governance.gauges(), survey, server),
    ])
  }

  // ---- the server ----

  /** A request whose route is known. */
  request(start: RequestStart): RequestWatch {
    return new RequestWatch(start, this.#tracing)
  }

  /** Any answered request, whether a route was found or not. */
  answered(request: Answered): void {
    this.#http.answered(request)
    const log = this.#log
    if (log?.tellsRequests !== true) return
    const { operation = "none", durationMs, trace, workflowId, sessionId, ...fields } = request
    const level = request.status === 500 ? "error" : request.status > 500 ? "warn" : "debug"
    const about = { workflowId: idIn(workflowId), sessionId: idIn(sessionId) }
    const line = { ...fields, ...about, operation, durationMs: Math.round(durationMs * 1000) / 1000, ...trace }
    if (level === "warn") log.seldom(`http ${request.code}`, level, "request failed", line)
    else log.line(level, level === "error" ? "request failed" : "request", line)
  }

  /** Something that must never happen has, outside of a command. */
  defect(error: unknown): void {
    if (this.#log?.tellsRequests === true) this.#log.line("error", "defect", thrown(error))
  }

  // ---- the runtime ----

  command(command: Command, submission: Submission): Watch {
    return new CommandWatch(command, submission, this.#metrics, this.#tracing, this.#log)
  }

  query(): Watch {
    return { settled: (error) => this.#metrics.query(verdictOf(error)), located: () => {} }
  }

  turn(depth: number): void {
    this.#metrics.depth.observe(depth)
  }

  redecided(count: number): void {
    this.#metrics.redecided.value += count
  }

  journal(journal: Journal["Service"]): Journal["Service"] {
    return watchedJournal(journal, {
      metrics: this.#metrics,
      now: () => performance.now() / 1000,
      onFailure: (operation, error) => {
        const reason = error === "defect" ? error : error._tag === "StorageCorrupt" ? "corrupt" : error.reason
        this.#log?.seldom(`store ${operation} ${reason}`, "error", "the store failed", { operation, reason })
      },
    })
  }

  /**
   * One commit serves many commands. Its span is a child of the first whose trace is sampled and links to all, and each of those
   * of other traces links back to it.
   */
  group<A>(
    append: Effect.Effect<A, StorageError>,
    watches: () => ReadonlyArray<Watch>,
  ): Effect.Effect<A, StorageError> {
    const tracing = this.#tracing
    if (tracing === undefined) return append
    return Effect.suspend(() => {
      const spans = watches().flatMap((watch) =>
        watch instanceof CommandWatch && watch.span !== undefined ? [watch.span] : [],
      )
      const sampled = spans.filter((span) => span.sampled)
      const [first] = sampled
      if (first === undefined) return append
      const attributes = { "handrail.commands": sampled.length }
      const span = tracing.start({
        name: "handrail.commit",
        kind: "internal",
        parent: first,
        attributes,
        links: sampled,
      })
      if (span === undefined) return append
      for (const other of sampled) if (other.traceId !== span.traceId) other.addLinks([{ span, attributes: {} }])
      return Effect.onExit(append, (exit) =>
        Effect.sync(() => tracing.end(span, Exit.isSuccess(exit) ? undefined : "storage_unavailable")),
      )
    })
  }
}
