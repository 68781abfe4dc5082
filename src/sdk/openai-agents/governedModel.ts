/**
 * Any model of the OpenAI Agents SDK under a session: each call is a turn of its governor.
 *
 * For OpenAI's own models the session's client does the same where it is sent: `new OpenAIResponsesModel(session.client, …)`.
 * One of the two is enough; both would count each call twice.
 */
import type { Model, ModelRequest, ModelResponse, ModelRetryAdviceRequest, StreamEvent } from "@openai/agents"
import { type AnySession, type Asked, begun, pipelineOf } from "../frameworks/Asked.ts"
import { refusalOf } from "../frameworks/refusals.ts"
import type { Pipeline } from "../governor/Pipeline.ts"
import { ModelStreamError } from "../providers/errors.ts"
import { text } from "../providers/json.ts"
import { maxAttempts, maxHeldBytes } from "../providers/limits.ts"
import { Withheld } from "../providers/Withheld.ts"
import { answerOf, callsOf, type OutputCall, stripped } from "./answer.ts"
import { mentionsCall } from "./rawEvents.ts"
import { again, itemsOf, narrowed, requestOf, toldResults } from "./request.ts"

type Done = Extract<StreamEvent, { type: "response_done" }>

export interface GovernedModelOptions {
  /** The model's name, by which the session knows its price. The SDK's `Model` does not tell its own. */
  readonly name: string
}

/**
 * The model, governed: tools that may not be called now are not offered, and blocked calls never reach the SDK. What Handrail
 * refuses is thrown as it is, and no retry policy tries it again.
 */
export const governedModel = (session: AnySession, model: Model, { name }: GovernedModelOptions): Model =>
  new GovernedModel(pipelineOf(session), model, name)

class GovernedModel implements Model {
  readonly #pipeline: Pipeline
  readonly #model: Model
  readonly #name: string
  readonly #withheld = new Withheld()

  constructor(pipeline: Pipeline, model: Model, name: string) {
    this.#pipeline = pipeline
    this.#model = model
    this.#name = name
  }

  async getResponse(first: ModelRequest): Promise<ModelResponse> {
    let request = first
    let used: ModelResponse["usage"] | undefined
    for (let attempt = 0; ; attempt++) {
      const { asked, sent } = await this.#begun(request, attempt)
      const response = await asked.send((signal) => this.#model.getResponse({ ...sent, signal }))
      this.#told(request)
      const calls = callsOf(response.output, request)
      const { removed, retry, feedback } = await asked.finish(answerOf(calls, this.#name, response.usage))
      if (used !== undefined) response.usage.add(used)
      used = response.usage
      const next = retry && attempt + 1 < maxAttempts ? again(request, response, calls, feedback) : undefined
      if (next === undefined) return this.#without(response, request, calls, retry ? feedback : removed)
      request = next
    }
  }

  async *getStreamedResponse(first: ModelRequest): AsyncIterable<StreamEvent> {
    let request = first
    let before: Done["response"]["usage"] | undefined
    for (let attempt = 0; ; attempt++) {
      const { asked, sent } = await this.#begun(request, attempt)
      const gate = new EventGate(attempt > 0)
      let done: Done | undefined
      const events = this.#model.getStreamedResponse({ ...sent, signal: asked.signals.signal })[Symbol.asyncIterator]()
      try {
        for (;;) {
          const { done: isOver, value: event } = await Promise.race([events.next(), asked.signals.aborted])
          if (isOver === true) break
          if (event.type === "response_done") done = event
          else if (gate.take(event, done !== undefined)) yield event
        }
        if (done === undefined) {
          if (gate.isCut)
            throw new ModelStreamError(
              "ended_early",
              "The stream ended in the middle of a tool call, or of its answer.",
            )
          return
        }
      } catch (error) {
        throw asked.why(error)
      } finally {
        if (done === undefined) {
          await asked.leave(undefined)
          asked.signals.stop(new DOMException("The stream was left.", "AbortError"))
          quietly(events.return?.())
        }
      }
      this.#told(request)
      const calls = callsOf(done.response.output, request)
      const { removed, retry, feedback } = await asked.finish(answerOf(calls, this.#name, done.response.usage))
      const usage = before === undefined ? done.response.usage : added(before, done.response.usage)
      before = usage
      const response = { output: done.response.output, responseId: done.response.id }
      const next = retry && attempt + 1 < maxAttempts ? again(request, response, calls, feedback) : undefined
      if (next !== undefined) {
        request = next
        continue
      }
      const why = retry ? feedback : removed
      const { output } = this.#without(response, request, calls, why)
      if (why.size === 0) yield* gate.held
      yield { ...done, response: { ...done.response, output, usage } }
      yield* gate.trailing.filter((event) => why.size === 0 || !isOfCall(event))
      return
    }
  }

  getRetryAdvice(args: ModelRetryAdviceRequest) {
    return refusalOf(args.error) === undefined
      ? this.#model.getRetryAdvice?.(args)
      : { suggested: false, replaySafety: "unsafe" as const, reason: "Handrail refused the call." }
  }

  async #begun(
    request: ModelRequest,
    attempt: number,
  ): Promise<{ readonly asked: Asked; readonly sent: ModelRequest }> {
    const neutral = requestOf(this.#name, request, attempt)
    const asked = await begun(this.#pipeline, neutral, request.signal)
    return { asked, sent: this.#tellingWithheld(narrowed(request, asked.turn)) }
  }

  /** A provider that keeps the conversation wants a result of each call in it, also of those that the caller never saw. */
  #tellingWithheld(request: ModelRequest): ModelRequest {
    const results = this.#withheld.results(conversationOf(request)).flatMap((result) => {
      const { callId, name, output } = result
      return [
        {
          type: "function_call_result" as const,
          callId: text(callId),
          name: text(name),
          status: "completed" as const,
          output: text(output),
        },
      ]
    })
    return results.length === 0 ? request : { ...request, input: [...results, ...itemsOf(request)] }
  }

  #told(request: ModelRequest): void {
    const { conversationId } = request
    if (conversationId !== undefined) this.#withheld.told(conversationId)
  }

  #without<R extends Pick<ModelResponse, "output" | "responseId">>(
    response: R,
    request: ModelRequest,
    calls: ReadonlyArray<OutputCall>,
    removed: ReadonlyMap<string, string>,
  ): R {
    if (removed.size === 0) return response
    const key = text(request.conversationId) || text(response.responseId)
    const results = toldResults(calls, removed) ?? []
    if (key !== "")
      this.#withheld.note(
        key,
        results.map((result) => ({ ...result })),
      )
    return { ...response, output: stripped(response.output, calls, removed) }
  }
}

const conversationOf = ({ conversationId, previousResponseId }: ModelRequest): string =>
  text(conversationId) || text(previousResponseId)

const isOfCall = (event: StreamEvent): boolean => event.type === "model" && mentionsCall(event.event)

/** Which events of a stream may flow before the answer is judged: those until the first that says something of a call. */
class EventGate {
  readonly held: Array<StreamEvent> = []
  /** Behind the whole answer: its end in the provider's own words. */
  readonly trailing: Array<StreamEvent> = []
  readonly #isContinued: boolean
  #kept = 0

  constructor(isContinued: boolean) {
    this.#isContinued = isContinued
  }

  get isCut(): boolean {
    return this.held.length > 0
  }

  take(event: StreamEvent, isBehind: boolean): boolean {
    if (event.type === "response_started") return !this.#isContinued
    if (!isBehind && this.held.length === 0 && !isOfCall(event)) return true
    this.#kept += JSON.stringify(event).length
    if (this.#kept > maxHeldBytes)
      throw new ModelStreamError("held_too_large", `An answer of more than ${maxHeldBytes} bytes cannot be judged.`)
    ;(isBehind ? this.trailing : this.held).push(event)
    return false
  }
}

const added = (a: Done["response"]["usage"], b: Done["response"]["usage"]): Done["response"]["usage"] => ({
  ...b,
  requests: (a.requests ?? 1) + (b.requests ?? 1),
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  totalTokens: a.totalTokens + b.totalTokens,
})

const quietly = (left: Promise<unknown> | undefined): void => {
  left?.catch(() => {})
}
