/**
 * The gate of one stream of the AI SDK: text and whatever the provider does itself flow as they come; from the first call on
 * everything waits until the whole answer was judged, so that the order of its parts stays.
 *
 * Raw chunks hold calls too, in the provider's own words: they wait for the end, and go nowhere where a call was taken out.
 */
import type { ModelAnswer } from "../governor/Turn.ts"
import { ModelStreamError } from "../providers/errors.ts"
import { maxHeldBytes } from "../providers/limits.ts"
import { added, answerOf, callsOf, isOpenCall, mendedReason, partsOf } from "./answer.ts"
import type { Content, StreamPart, Usage } from "./spec.ts"

type Out = (part: StreamPart) => void
type Finish = Extract<StreamPart, { type: "finish" }>

/** `judge`: the answer is complete. */
export type Taken = "flows" | "judge"

export class StreamGate {
  #model: string
  /** The answer so far, as it would have come without a stream. */
  #content: Array<Content> = []
  /** Texts and thoughts that are being written, by kind and id. */
  readonly #open = new Map<string, { readonly type: "text" | "reasoning"; text: string }>()
  #held: Array<StreamPart> = []
  #raw: Array<StreamPart> = []
  #finish: Finish | undefined
  #kept = 0
  /** Of answers that were fed back before this one. */
  #usedBefore: Usage | undefined
  #isContinued = false

  constructor(model: string) {
    this.#model = model
  }

  take(part: StreamPart, out: Out): Taken {
    this.#note(part)
    switch (part.type) {
      case "finish":
        this.#finish = part
        return "judge"
      case "raw":
        this.#raw.push(part)
        return "flows"
      case "error":
        out(part)
        return "flows"
      case "stream-start":
        if (!this.#isContinued) out(part)
        return "flows"
      default:
        if (this.#held.length > 0 || isOfOpenCall(part)) this.#held.push(part)
        else out(part)
        return "flows"
    }
  }

  /** Whether the stream broke off in the middle of calls. */
  get isCut(): boolean {
    return this.#held.length > 0
  }

  get content(): ReadonlyArray<Content> {
    return this.#content
  }

  answer(): ModelAnswer {
    return answerOf(this.#model, this.#content, this.#finish?.usage)
  }

  /** Lets go what waits, less these calls. */
  release(removed: ReadonlyMap<string, string>, out: Out): void {
    const gone = partsOf(callsOf(this.#content), removed)
    // What is still written of a call says only the model's own id of it.
    const ids = new Set([...gone].flatMap((part) => (isOpenCall(part) ? [part.toolCallId] : [])))
    for (const part of this.#held) if (!gone.has(part) && !(isInput(part) && ids.has(part.id))) out(part)
    if (removed.size === 0) this.#raw.forEach(out)
    if (this.#finish === undefined) return
    const { usage, finishReason } = this.#finish
    const hasCalls = this.#content.some((part) => isOpenCall(part) && !gone.has(part))
    out({ ...this.#finish, usage: added(this.#usedBefore, usage), finishReason: mendedReason(finishReason, hasCalls) })
  }

  /** Forgets the calls; what comes next is another answer, which goes on where the text of this one ended. */
  restart(): void {
    if (this.#finish !== undefined) this.#usedBefore = added(this.#usedBefore, this.#finish.usage)
    this.#content = []
    this.#open.clear()
    this.#held = []
    this.#raw = []
    this.#finish = undefined
    this.#kept = 0
    this.#isContinued = true
  }

  #note(part: StreamPart): void {
    this.#keep(part)
    switch (part.type) {
      case "response-metadata":
        this.#model = part.modelId ?? this.#model
        return
      case "text-start":
      case "reasoning-start":
        this.#open.set(part.id, { type: part.type === "text-start" ? "text" : "reasoning", text: "" })
        return
      case "text-delta":
      case "reasoning-delta": {
        const open = this.#open.get(part.id)
        if (open !== undefined) open.text += part.delta
        return
      }
      case "text-end":
      case "reasoning-end": {
        const open = this.#open.get(part.id)
        this.#open.delete(part.id)
        const { providerMetadata } = part
        if (open !== undefined)
          this.#content.push({ ...open, ...(providerMetadata === undefined ? {} : { providerMetadata }) })
        return
      }
      case "tool-call":
      case "tool-result":
      case "file":
        this.#content.push(part)
        return
      default:
    }
  }

  #keep(part: StreamPart): void {
    this.#kept += "delta" in part ? part.delta.length : JSON.stringify(part).length
    if (this.#kept > maxHeldBytes)
      throw new ModelStreamError("held_too_large", `An answer of more than ${maxHeldBytes} bytes cannot be judged.`)
  }
}

const isOfOpenCall = (part: StreamPart): boolean =>
  isOpenCall(part) || (part.type === "tool-input-start" && part.providerExecuted !== true)

const isInput = (part: StreamPart): part is Extract<StreamPart, { type: `tool-input-${string}` }> =>
  part.type === "tool-input-start" || part.type === "tool-input-delta" || part.type === "tool-input-end"
