/**
 * `HttpApp`: the HTTP API over a runtime, as one function from request to answer. It opens no port.
 *
 * `fetch` mounts in whatever speaks `Request` and `Response`; `listen` (`nodeServer.ts`) puts it on `node:http`. Both go
 * through `answer`: find the route, know the caller, bound and decode the body, act, encode. Whatever goes wrong becomes a
 * problem+json.
 */
import { Effect, Schema } from "effect"
import { SessionId, Tenant, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient } from "../../../runtime/EmbeddedClient.ts"
import { fail, fromStorage, WorkflowError } from "../../../runtime/errors.ts"
import { quickDecoder, unsure } from "../../../runtime/quickDecoder.ts"
import { Observability } from "../../telemetry/Observability.ts"
import type { RequestWatch } from "../../telemetry/RequestWatch.ts"
import { openApiDocument } from "../api/openapi.ts"
import { Authenticator, type Holder } from "../auth/Authenticator.ts"
import type { Keys } from "../auth/Keys.ts"
import { type Rate, RateLimiter } from "../auth/RateLimiter.ts"
import { SessionTokens } from "../auth/SessionTokens.ts"
import { EventStream } from "../events/EventStream.ts"
import { Feeds } from "../events/Feeds.ts"
import { httpLimits } from "../limits.ts"
import { match, type Route } from "../routes.ts"
import { problem, problemOf } from "../wire/problem.ts"
import { bearerOf, placeOf, queryOf, wantsStream } from "./asked.ts"
import { type Actor, Authorizer } from "./authorize.ts"
import { HttpProblem, readJson } from "./body.ts"
import { type Cors, corsHeaders, isPreflight, preflight } from "./cors.ts"
import { answerFetch } from "./fetchHandler.ts"
import type { Figures } from "./gauges.ts"
import { type Context, type OperationId, operations, seqOf } from "./operations.ts"
import type { Incoming, Reply } from "./Request.ts"
import { answered, headless, refused, streamHeaders } from "./replies.ts"
import { settled } from "./steps.ts"

/** One answered request, for logs, metrics and audits. Holds no secret. */
export interface Observation {
  /** The operation's name; undefined where no route was found. */
  readonly operation: OperationId | undefined
  readonly method: string
  readonly status: number
  /** The problem's code; undefined for a success. */
  readonly code: string | undefined
  readonly tenant: string | undefined
  readonly keyId: string | undefined
  /** As the journal says it: `operator:<name>` marks what an operator did. */
  readonly actor: string | undefined
  /** Of the path. */
  readonly workflowId: string | undefined
  readonly sessionId: string | undefined
  readonly traceparent: string | undefined
  readonly durationMs: number
}

export interface HttpOptions {
  /** Whose workflows; other tenants are reached through it too. Stays open when the app is drained. */
  readonly runtime: EmbeddedClient
  readonly keys: Keys
  /** Origins whose pages may call it from a browser; none by default. `*` is any. */
  readonly cors?: Cors
  /** Commands per second of one key, or false for no limit. Default 2,000, bursts of 4,000. */
  readonly rate?: Rate | false
  /** Default 2 MiB. */
  readonly maxBodyBytes?: number
  /** Default 30,000. */
  readonly requestMs?: number
  /** Between comments on a quiet event stream. Default 15,000. */
  readonly heartbeatMs?: number
  /** How long a reader of events may be behind. Default 15,000. */
  readonly slowReaderMs?: number
  /** Event streams at once. Default 20,000. */
  readonly maxStreams?: number
  /** Counts, traces and logs what is asked, and gives the text of `/metrics`. Give it to the runtime too. */
  readonly observability?: Observability
  /** Told of every answered request. Must not throw. */
  readonly observe?: (observation: Observation) => void
  /** Told of every defect. Must not throw. */
  readonly onDefect?: (error: unknown) => void
  /** The text of `/metrics`. Default: what `observability` has counted, or only what is known without counting. */
  readonly metrics?: (figures: Figures) => string | Promise<string>
  /** Epoch ms; for tests. */
  readonly now?: () => number
}

const isSessionId = quickly(SessionId)
const isWorkflowId = quickly(WorkflowId)
const loopbackHost = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

export class HttpApp {
  readonly #options: HttpOptions
  readonly #now: () => number
  readonly #authenticator: Authenticator
  readonly #tokens: SessionTokens
  readonly #authorizer: Authorizer
  readonly #limiter: RateLimiter | undefined
  readonly #feeds: Feeds
  readonly #streams = new Set<EventStream>()
  readonly #clients = new Map<Tenant, EmbeddedClient>()
  readonly #stopping = new AbortController()
  readonly #service: Context["service"]
  #underWay = 0
  #idle: (() => void) | undefined

  private constructor(options: HttpOptions, tokens: SessionTokens) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#tokens = tokens
    this.#authenticator = new Authenticator(options.keys, this.#now)
    this.#authorizer = new Authorizer(options.runtime.host, tokens)
    const rate = options.rate ?? { perSecond: httpLimits.ratePerSecond, burst: httpLimits.rateBurst }
    this.#limiter = rate === false ? undefined : new RateLimiter(rate)
    this.#feeds = new Feeds(options.runtime.host)
    this.#service = {
      metrics: () => this.#metrics(),
      ready: () => this.#ready(),
      document: openApiDocument,
    }
  }

  static async open(options: HttpOptions): Promise<HttpApp> {
    return new HttpApp(options, await SessionTokens.open(options.keys))
  }

  /** A standard handler. `isLocal` says that the request came over loopback, where development needs no key. */
  fetch(request: Request, options: { readonly isLocal?: boolean } = {}): Promise<Response> {
    return answerFetch(this, request, options.isLocal ?? false)
  }

  get slowReaderMs(): number {
    return this.#options.slowReaderMs ?? httpLimits.slowReaderMs
  }
  get isStopping(): boolean {
    return this.#stopping.signal.aborted
  }
  hasKeys(): Promise<boolean> {
    return this.#authenticator.hasKeys()
  }
  figures(): Figures {
    return {
      ...this.#options.runtime.host.governance.gauges(),
      streams: this.#streams.size,
      feeds: this.#feeds.size,
      requests: this.#underWay,
    }
  }

  /** Answers a request. Never rejects. */
  async answer(incoming: Incoming): Promise<Reply> {
    const started = performance.now()
    const seen: Seen = { route: undefined, holder: undefined, actor: undefined, params: {}, watch: undefined }
    this.#underWay += 1
    let reply: Reply
    let code: string | undefined
    try {
      reply = await this.#route(incoming, seen)
    } catch (error) {
      if (!(error instanceof WorkflowError) && !(error instanceof HttpProblem)) this.#defect(error)
      const said = error instanceof HttpProblem ? error.problem : problemOf(error)
      reply = refused(said, error instanceof HttpProblem ? error.headers : {})
      code = said.code
    }
    this.#underWay -= 1
    if (this.#underWay === 0) this.#idle?.()
    const { cors } = this.#options
    if (cors !== undefined) reply = { ...reply, headers: { ...reply.headers, ...corsHeaders(cors, incoming) } }
    if (incoming.method === "HEAD" && !(reply.body instanceof EventStream)) reply = headless(reply)
    this.#observe(incoming, reply.status, code, seen, performance.now() - started)
    return reply
  }

  #defect(error: unknown): void {
    this.#options.observability?.defect(error)
    this.#options.onDefect?.(error)
  }

  #observe(incoming: Incoming, status: number, code: string | undefined, seen: Seen, durationMs: number): void {
    const { observe, observability } = this.#options
    if (observe === undefined && observability === undefined) return
    const { method } = incoming
    const operation = seen.route?.id as OperationId | undefined
    const by = { tenant: seen.holder?.tenant, keyId: seen.holder?.keyId, actor: seen.actor?.name }
    const about = { workflowId: seen.params.workflow_id, sessionId: seen.params.session_id }
    const answered = { operation, method, status, code, ...by, ...about, durationMs }
    seen.watch?.answered(status, code)
    observability?.answered({ ...answered, trace: seen.watch?.trace })
    observe?.({ ...answered, traceparent: incoming.header("traceparent") })
  }

  #metrics(): string | Promise<string> {
    const { metrics, observability, runtime } = this.#options
    if (metrics !== undefined) return metrics(this.figures())
    return (observability ?? new Observability()).text(runtime.host, this.figures())
  }

  /**
   * Takes no new work, ends streams with a hint when to come back, lets what is under way finish. Resolves once nothing is,
   * or after `ms`: then false.
   */
  async drain(ms: number = httpLimits.drainMs): Promise<boolean> {
    this.#stopping.abort()
    for (const stream of this.#streams) stream.finish()
    if (this.#underWay === 0) return true
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms)
      this.#idle = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
  }

  // ---- one request ----

  async #route(incoming: Incoming, seen: Seen): Promise<Reply> {
    const { method, path } = incoming
    const { cors } = this.#options
    const matched = match(method, path)
    if (cors !== undefined && matched._tag !== "nowhere" && isPreflight(incoming)) return preflight()
    if (matched._tag === "nowhere") throw new HttpProblem(problem("not_found", "There is no such route.", {}))
    if (matched._tag === "otherMethod") {
      const allow = matched.allowed.join(", ")
      throw new HttpProblem(problem("method_not_allowed", `This route knows ${allow}.`, { allow: matched.allowed }), {
        allow,
      })
    }
    const { route, params } = matched
    seen.route = route
    seen.params = params
    const { workflow_id: workflowId, session_id: sessionId } = params
    const traceparent = incoming.header("traceparent")
    seen.watch = this.#options.observability?.request({ method, route: route.path, traceparent, workflowId, sessionId })
    const enter = () => this.#enter(incoming, route, params, seen)
    return seen.watch === undefined ? enter() : seen.watch.within(enter)
  }

  async #enter(incoming: Incoming, route: Route, params: Readonly<Record<string, string>>, seen: Seen): Promise<Reply> {
    if (this.isStopping && route.access !== "open") throw fail("overloaded", "This server is stopping. Try again.", {})
    const found = this.#holder(incoming, route)
    const holder = found instanceof Promise ? await found : found
    seen.holder = holder
    this.#limit(holder)
    const authorized = this.#authorizer.authorize({
      rule: route.access,
      holder,
      sessionToken: incoming.header("handrail-session"),
      sessionId: isSessionId(params.session_id) ? params.session_id : undefined,
      workflowId: isWorkflowId(params.workflow_id) ? params.workflow_id : undefined,
    })
    const actor = authorized instanceof Promise ? await authorized : authorized
    seen.actor = actor
    return this.#act(incoming, route, params, actor)
  }

  async #act(
    incoming: Incoming,
    route: Route,
    rawParams: Readonly<Record<string, string>>,
    actor: Actor,
  ): Promise<Reply> {
    const params = route.params(rawParams)
    const query = route.query(queryOf(incoming.query))
    const sent =
      route.body === undefined
        ? undefined
        : await readJson(incoming, this.#options.maxBodyBytes ?? httpLimits.bodyBytes)
    const body = route.body?.(sent)
    const context = this.#contextOf(incoming, route, actor)
    if (route.id === "events" && wantsStream(incoming)) return this.#stream(incoming, context, params, query)
    const run = operations[route.id as OperationId] as (input: object, context: Context) => Promise<object>
    return answered(route, await this.#inTime(run({ params, query, body }, context), query))
  }

  #contextOf(incoming: Incoming, route: Route, actor: Actor): Context {
    const { isStopping } = this
    const stopping = this.#stopping.signal
    return {
      client: this.#clientOf(actor.holder.tenant),
      actor,
      tokens: this.#tokens,
      feeds: this.#feeds,
      idempotencyKey: incoming.header("idempotency-key"),
      // Only waiting needs to know when to stop.
      get signal() {
        return route.method !== "GET" || isStopping ? stopping : AbortSignal.any([stopping, incoming.signal])
      },
      service: this.#service,
    }
  }

  /**
   * The caller by its key; a visitor for what anybody on loopback may ask. At once for a key that was seen a moment ago;
   * throws or rejects with `unauthenticated`.
   */
  #holder(incoming: Incoming, route: Route): Holder | Promise<Holder> {
    const authorization = incoming.header("authorization")
    if (authorization === undefined)
      return route.access === "open" && incoming.isLocal ? visitor : this.#developer(incoming)
    const key = bearerOf(authorization)
    const found = key === undefined ? undefined : this.#authenticator.holder(key)
    return found instanceof Promise ? found.then(known) : known(found)
  }

  async #developer(incoming: Incoming): Promise<Holder> {
    const holder = await this.#authenticator.anonymous(incoming.isLocal)
    if (holder === undefined) throw unauthenticated("Send an API key as Authorization: Bearer <key>.")
    this.#guardDevelopment(incoming)
    return holder
  }

  /**
   * Without keys, a page in a browser on this machine must not be able to act: neither by its own name nor by one that it
   * lends.
   */
  #guardDevelopment(incoming: Incoming): void {
    const origin = incoming.header("origin")
    const host = incoming.header("host")
    const { cors } = this.#options
    const isForeign =
      origin !== undefined &&
      (cors === undefined || corsHeaders(cors, incoming)["access-control-allow-origin"] === undefined)
    if (isForeign || (host !== undefined && !loopbackHost.test(host)))
      throw fail("forbidden", "Without keys, only programs on this machine may call: make a key.", {})
  }

  #limit(holder: Holder): void {
    if (this.#limiter === undefined || holder.isDevelopment) return
    const waitMs = this.#limiter.take(holder.keyId, this.#now())
    if (waitMs > 0) throw fail("rate_limited", "The key sends more than it may. Slow down.", { retryAfterMs: waitMs })
  }

  /**
   * A request that takes too long is answered; what it asked for may still be carried out, and its idempotency key finds
   * out.
   */
  #inTime<A>(work: Promise<A>, query: unknown): Promise<A> {
    const wait = typeof query === "object" && query !== null && "wait" in query ? Number(query.wait) : 0
    const ms = (this.#options.requestMs ?? httpLimits.requestMs) + Math.min(httpLimits.waitMs, wait)
    return new Promise<A>((resolve, reject) => {
      const late = (): void =>
        reject(
          fail("overloaded", `There was no answer within ${ms} ms. Repeat the request with the same Idempotency-Key.`, {
            timeoutMs: ms,
          }),
        )
      const timer = setTimeout(late, ms)
      work.then(
        (answer) => {
          clearTimeout(timer)
          resolve(answer)
        },
        (error: unknown) => {
          clearTimeout(timer)
          reject(error)
        },
      )
    })
  }

  async #stream(incoming: Incoming, context: Context, params: unknown, query: unknown): Promise<Reply> {
    const { workflowId } = params as { readonly workflowId: WorkflowId }
    const { after: asked } = query as { readonly after?: string }
    const seq = await this.#inTime(seqOf(context, workflowId), undefined)
    if (incoming.method === "HEAD") return { status: 200, headers: streamHeaders(seq), body: null }
    const max = this.#options.maxStreams ?? httpLimits.streams
    if (this.#streams.size >= max) throw fail("overloaded", `${max} event streams are open on this server.`, { max })
    const { holder } = context.actor
    const after = placeOf(incoming.header("last-event-id") ?? asked)
    const authorization = incoming.header("authorization")
    const stream = new EventStream({
      feed: this.#feeds.join(holder.tenant, workflowId, seq),
      after,
      heartbeatMs: this.#options.heartbeatMs ?? httpLimits.heartbeatMs,
      mayRead: async () => {
        if (holder.isDevelopment) return !(await this.hasKeys())
        return (await this.#authenticator.holder(bearerOf(authorization) ?? "")) !== undefined
      },
      onClose: () => this.#streams.delete(stream),
    })
    this.#streams.add(stream)
    if (this.isStopping) stream.finish()
    return { status: 200, headers: streamHeaders(seq), body: stream }
  }

  async #ready(): Promise<void> {
    if (this.isStopping) throw fail("overloaded", "This server is stopping.", {})
    const { governance, run } = this.#options.runtime.host
    await settled(run(Effect.mapError(governance.journal.nextWake, fromStorage)))
  }

  #clientOf(tenant: Tenant): EmbeddedClient {
    let client = this.#clients.get(tenant)
    if (client !== undefined) return client
    client = this.#options.runtime.forTenant(tenant)
    if (this.#clients.size >= httpLimits.tenants) this.#clients.clear()
    this.#clients.set(tenant, client)
    return client
  }
}

interface Seen {
  route: Route | undefined
  holder: Holder | undefined
  actor: Actor | undefined
  params: Readonly<Record<string, string>>
  watch: RequestWatch | undefined
}

const known = (holder: Holder | undefined): Holder => {
  if (holder === undefined) throw unauthenticated("The API key is unknown, expired or revoked.")
  return holder
}

/** Whoever asks for what anybody may. */
const visitor: Holder = {
  tenant: Tenant.make("default"),
  keyId: "none",
  name: "visitor",
  scopes: new Set(),
  isDevelopment: true,
}

/** The schema is asked only where the quick decoder is not sure. */
function quickly<S extends Schema.ConstraintDecoder<unknown>>(schema: S): (value: unknown) => value is S["Type"] {
  const quick = quickDecoder(schema)
  const slow = Schema.is(schema)
  return (value): value is S["Type"] => quick(value) !== unsure || slow(value)
}

const unauthenticated = (detail: string) => fail("unauthenticated", detail, {})
