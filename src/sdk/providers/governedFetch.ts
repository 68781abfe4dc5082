/**
 * A fetch under which every model call of a client is a turn of the governor: the request is narrowed, the answer gated.
 *
 * What the provider or the network says goes back as it came: errors, statuses, what is no JSON. Where nothing changes, the
 * request is sent as the very text that the client wrote. An answer that the governor wants asked again is asked under a new
 * turn; a client's own retry is a new turn too. The client's time limit covers all of that, as this is one fetch for it.
 */
import type { Governor, ModelAnswer, ModelRequest, ModelUsage, Turn, Verdict } from "../governor/Turn.ts"
import { askForUsage, chat } from "./chat.ts"
import { endpointOf, type Family } from "./endpoints.ts"
import { gatedStream } from "./gatedStream.ts"
import { type JsonObject, jsonText, parseObject, text } from "./json.ts"
import { maxAttempts } from "./limits.ts"
import type { Protocol } from "./Protocol.ts"
import type { Refusals } from "./Refusals.ts"
import { copyOf, withFreshBody, withHeaders, withJson } from "./reread.ts"
import type { Withheld } from "./Withheld.ts"

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

export interface Governance {
  readonly family: Family
  readonly governor: Governor
  readonly withheld: Withheld
  readonly refusals: Refusals
  readonly blocksUngoverned: boolean
  /** Ask a stream of chat completions for its usage, which it tells only when asked. */
  readonly asksForUsage: boolean
  readonly ungoverned: (endpoint: string, why: string) => Error
}

/** A request that was sent, under its turn. Its turn ends once, whoever ends it first. */
export class Asked {
  readonly turn: Turn
  readonly body: JsonObject
  readonly attempt: number
  readonly #link: Link
  #isOver = false

  constructor(turn: Turn, body: JsonObject, attempt: number, link: Link) {
    this.turn = turn
    this.body = body
    this.attempt = attempt
    this.#link = link
  }

  /** Throws `Refused`. */
  finish(answer: ModelAnswer): Promise<Verdict> {
    this.#isOver = true
    return refusing(this.turn.finish(answer))
  }

  /** The call failed or was left: ends the turn, unless it has ended. */
  async leave(usage: ModelUsage | undefined): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.turn.fail(usage)
  }

  /** Stops the request. */
  stop(reason: unknown): void {
    this.#link.stop(reason)
  }

  /** Lets go of the caller's signal and of the turn's. */
  release(): void {
    this.#link.release()
  }
}

export interface Answered {
  readonly asked: Asked
  readonly response: Response
}

/** What the governor, and not the provider, refuses: it goes to the caller as it is. */
export class Refused extends Error {
  readonly error: unknown

  constructor(error: unknown) {
    super("The governor refused the call.", { cause: error })
    this.error = error
  }
}

export const governedFetch =
  (inner: Fetch, governance: Governance): Fetch =>
  async (input, init) => {
    const url = typeof input === "string" ? input : input instanceof URL ? input.href : input.url
    const method = init?.method ?? (input instanceof Request ? input.method : "GET")
    const endpoint = endpointOf(governance.family, method, url)
    const refuse = (why: string) => governance.refusals.response(governance.ungoverned(`${method} ${url}`, why))
    if (endpoint === "other") return inner(input, init)
    if (endpoint === "ungoverned") {
      if (!governance.blocksUngoverned) return inner(input, init)
      return refuse("tools can be called there, and those calls are not governed")
    }
    const source = init?.body
    const body = typeof source === "string" ? parseObject(source) : undefined
    if (init === undefined || typeof source !== "string" || body === undefined) {
      return refuse("the request's body is not the text of a JSON object, so it cannot be read")
    }
    if (body.background === true && governance.blocksUngoverned) {
      return refuse("the answer of a response in the background is fetched later, and is not governed")
    }
    try {
      return await governed(new Caller(inner, input, init, endpoint, governance), body, source)
    } catch (error) {
      if (error instanceof Refused) return governance.refusals.response(error.error)
      throw error
    }
  }

const governed = async (caller: Caller, first: JsonObject, source: string): Promise<Response> => {
  let body = first
  for (let attempt = 0; ; attempt++) {
    const { asked, response } = await caller.ask(body, attempt === 0 ? source : undefined, attempt)
    if (!response.ok) {
      await asked.leave(undefined)
      asked.release()
      return response
    }
    withHeaders(response, asked.turn.headers)
    if (isStream(response)) {
      const stream = gatedStream(caller, asked, response)
      return withFreshBody(response, () => copyOf(response, stream))
    }
    const next = await judge(caller, asked, response)
    asked.release()
    if (next.response !== undefined) return next.response
    body = next.body
  }
}

const isStream = (response: Response): boolean =>
  response.headers.get("content-type")?.includes("text/event-stream") === true && response.body !== null

type Judged = { readonly response: Response } | { readonly response?: undefined; readonly body: JsonObject }

const judge = async ({ protocol, governance }: Caller, asked: Asked, response: Response): Promise<Judged> => {
  const { turn, attempt } = asked
  let source: string
  try {
    source = await response.text()
  } catch (error) {
    await asked.leave(undefined)
    if (turn.signal.aborted) throw new Refused(turn.signal.reason)
    // The client finds it where it would have: on reading.
    return { response: withFreshBody(response, () => copyOf(response, brokenBody(error))) }
  }
  const whole = parseObject(source)
  const answer = whole === undefined ? undefined : protocol.answer(whole)
  if (whole === undefined || answer === undefined) {
    await asked.leave(undefined)
    return { response: withFreshBody(response, () => copyOf(response, source)) }
  }
  const verdict = await asked.finish(answer)
  if (verdict.retry && attempt + 1 < maxAttempts) {
    const body = protocol.again(asked.body, whole, verdict.feedback)
    if (body !== undefined) return { body }
  }
  const removed = verdict.retry ? verdict.feedback : verdict.removed
  if (removed.size === 0) return { response: withJson(response, () => source, whole) }
  protocol.strip(whole, removed, governance.withheld)
  return { response: withJson(response, () => jsonText(whole), whole) }
}

const brokenBody = (error: unknown): ReadableStream<Uint8Array> =>
  new ReadableStream({ start: (controller) => controller.error(error) })

/** Who asked, and how to ask again. */
export class Caller {
  readonly protocol: Protocol
  readonly governance: Governance
  readonly #inner: Fetch
  readonly #input: string | URL | Request
  readonly #init: RequestInit

  constructor(
    inner: Fetch,
    input: string | URL | Request,
    init: RequestInit,
    protocol: Protocol,
    governance: Governance,
  ) {
    this.protocol = protocol
    this.governance = governance
    this.#inner = inner
    this.#input = input
    this.#init = init
  }

  /**
   * Sends the request under a new turn. `source` is the body's text, where it has one. Throws `Refused`, or what the fetch threw.
   */
  async ask(body: JsonObject, source: string | undefined, attempt: number): Promise<Answered> {
    const { protocol, governance } = this
    const chars = source === undefined ? jsonText(body).length : source.length
    const link = new Link(this.#init.signal ?? undefined)
    const turn = await this.#begin(protocol.request(body, chars, attempt), link)
    link.follow(turn.signal)
    const asked = new Asked(turn, body, attempt, link)
    try {
      const changed = protocol.rewrite(body, turn, governance.withheld)
      const sent = governance.asksForUsage && protocol === chat ? askForUsage(changed) : changed
      const isSame = sent === body && source !== undefined
      const init = isSame
        ? { ...this.#init, signal: link.signal }
        : this.#rewritten(jsonText(sent), link.signal, attempt)
      const response = await Promise.race([this.#inner(this.#input, init), link.stopped])
      if (response.ok) protocol.accepted?.(body, governance.withheld)
      return { asked, response }
    } catch (error) {
      link.release()
      await asked.leave(undefined)
      if (turn.signal.aborted) throw new Refused(turn.signal.reason)
      throw error
    }
  }

  /** A caller who leaves does not wait for the governor; the turn that begins all the same ends at once. */
  async #begin(request: ModelRequest, link: Link): Promise<Turn> {
    const begun = this.governance.governor.begin(request)
    try {
      return await Promise.race([begun, link.stopped])
    } catch (error) {
      link.release()
      if (!link.signal.aborted) throw new Refused(error)
      begun.then((turn) => turn.fail(undefined)).catch(ignored)
      throw error
    }
  }

  #rewritten(body: string, signal: AbortSignal, attempt: number): RequestInit {
    const headers = new Headers(this.#init.headers)
    if (text(headers.get("authorization")).startsWith("AWS4-")) {
      const why = "its signature covers the body, so no tool can be taken out of it and nothing be added"
      throw new Refused(this.governance.ungoverned(String(this.#input), why))
    }
    headers.delete("content-length")
    // Under one key a provider would give its first answer again.
    if (attempt > 0) headers.delete("idempotency-key")
    return { ...this.#init, headers, body, signal }
  }
}

const refusing = async <A>(governors: Promise<A>): Promise<A> => {
  try {
    return await governors
  } catch (error) {
    throw new Refused(error)
  }
}

/** One signal of the caller's and the turn's. `AbortSignal.any` would do, and costs several times as much. */
class Link {
  readonly #controller = new AbortController()
  readonly #callers: AbortSignal | undefined
  #turns: AbortSignal | undefined
  #reject: ((reason: unknown) => void) | undefined
  /** Rejects with the reason when one of the two aborts, even if nobody minds the signal. */
  readonly stopped = new Promise<never>((_, reject) => {
    this.#reject = reject
  })

  constructor(callers: AbortSignal | undefined) {
    this.#callers = callers
    this.stopped.catch(ignored)
    if (callers?.aborted) this.handleEvent()
    callers?.addEventListener("abort", this)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  follow(turns: AbortSignal): void {
    this.#turns = turns
    if (turns.aborted) this.handleEvent()
    turns.addEventListener("abort", this)
  }

  /** One of the two has aborted. */
  handleEvent(): void {
    const reason: unknown = this.#turns?.aborted ? this.#turns.reason : this.#callers?.reason
    this.#reject?.(reason)
    this.#controller.abort(reason)
  }

  stop(reason: unknown): void {
    this.#controller.abort(reason)
  }

  release(): void {
    this.#callers?.removeEventListener("abort", this)
    this.#turns?.removeEventListener("abort", this)
  }
}

const ignored = (): void => undefined
