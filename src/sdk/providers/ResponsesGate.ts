/**
 * The gate of a stream of OpenAI's responses. An answer is a row of items with running numbers, so from the first call on
 * everything waits. The last event repeats the whole answer: it is mended with the rest, and it is what is judged.
 */
import type { ModelAnswer, ModelUsage } from "../governor/Turn.ts"
import { writeEvent } from "./events.ts"
import { isObject, type JsonObject, object, objects, text } from "./json.ts"
import type { Out, StreamEvent, StreamGate, Taken } from "./Protocol.ts"
import { isCall, noteWithheld, outputCalls, responsesAnswer, responsesUsage, stripOutput } from "./responsesAnswer.ts"
import type { Withheld } from "./Withheld.ts"

export class ResponsesGate implements StreamGate {
  /** The items of this answer, by the provider's index, as last seen. */
  #items = new Map<number, JsonObject>()
  #held: Array<StreamEvent> = []
  #end: StreamEvent | undefined
  #response: JsonObject = {}
  #kept = 0
  /** Items of earlier answers in this stream, which have flowed. */
  #earlier: ReadonlyArray<JsonObject> = []
  #isContinued = false
  /** What to add to the provider's numbers of events, so that they run on without a gap. */
  #shift = 0
  #lastNumber = -1
  #isRenumbered = false

  take(event: StreamEvent, out: Out): Taken {
    const json = event.json
    if (json === undefined) {
      out(event.bytes)
      return "flows"
    }
    this.#kept += event.bytes.length
    if (isObject(json.response)) this.#response = json.response
    const type = text(json.type)
    if (type === "response.completed" || type === "response.incomplete") {
      this.#end = event
      return "judge"
    }
    if (type === "response.failed") {
      const calls = outputCalls(object(json.response)).map(({ call }) => [call.callId, ""] as const)
      out(this.#ended(event, new Map(calls)))
      return "failed"
    }
    if (this.#isContinued && /^response\.(created|in_progress|queued)$/.test(type)) return "flows"
    const item = object(json.item)
    if (typeof json.output_index === "number" && isObject(json.item)) this.#items.set(json.output_index, item)
    if (type !== "error" && (this.#held.length > 0 || isCall(item))) this.#held.push(event)
    else out(this.#moved(event, this.#earlier.length))
    return "flows"
  }

  ended(): "judge" | "cut" | "open" {
    return this.#held.length > 0 ? "cut" : "open"
  }

  answer(): ModelAnswer {
    const whole = this.whole()
    return responsesAnswer(whole) ?? { model: text(whole.model), calls: [], usage: this.usage() }
  }

  usage(): ModelUsage | undefined {
    return responsesUsage(this.#response.usage)
  }

  whole(): JsonObject {
    const output = objects(this.#response.output)
    const told = new Set(output.map(identity))
    const untold = [...this.#items].toSorted(([a], [b]) => a - b).filter(([, item]) => !told.has(identity(item)))
    return { ...this.#response, output: [...output, ...untold.map(([, item]) => item)] }
  }

  kept(): number {
    return this.#kept
  }

  release(removed: ReadonlyMap<string, string>, out: Out, withheld: Withheld): void {
    const whole = this.whole()
    const stripped = stripOutput(whole, removed)
    const gone = new Set((stripped?.gone ?? []).map(({ item }) => identity(item)))
    for (const event of this.#held) {
      const index = event.json?.output_index
      if (typeof index !== "number") out(this.#moved(event, 0))
      else if (gone.has(identity(this.#items.get(index) ?? {}))) this.#shift--
      else out(this.#moved(event, this.#earlier.length - this.#before(index, gone)))
    }
    if (this.#end !== undefined) out(this.#ended(this.#end, removed))
    if (stripped !== undefined) noteWithheld(whole, stripped.gone, removed, withheld)
  }

  restart(): void {
    const heldItems = new Set(this.#held.map(({ json }) => json?.output_index))
    const flowed = [...this.#items].toSorted(([a], [b]) => a - b).filter(([index]) => !heldItems.has(index))
    this.#earlier = [...this.#earlier, ...flowed.map(([, item]) => item)]
    this.#items = new Map()
    this.#held = []
    this.#end = undefined
    this.#response = {}
    this.#kept = 0
    this.#isContinued = true
    this.#isRenumbered = true
  }

  /** How many items before this one are gone. */
  #before(index: number, gone: ReadonlySet<unknown>): number {
    return [...this.#items].filter(([at, item]) => at < index && gone.has(identity(item))).length
  }

  #moved(event: StreamEvent, by: number): Uint8Array {
    const { json } = event
    if (json === undefined) return event.bytes
    const sequence = this.#next(json)
    if (by === 0 && sequence === json.sequence_number) return event.bytes
    const index = typeof json.output_index === "number" ? { output_index: json.output_index + by } : {}
    return writeEvent(event.event, {
      ...json,
      ...index,
      ...(sequence === undefined ? {} : { sequence_number: sequence }),
    })
  }

  /** The last event, with the answer as the events before it have told it. */
  #ended(event: StreamEvent, removed: ReadonlyMap<string, string>): Uint8Array {
    const json = object(event.json)
    const response = object(json.response)
    const gone = stripOutput(this.whole(), removed)
    const sequence = this.#next(json)
    if (gone === undefined && this.#earlier.length === 0 && sequence === json.sequence_number) return event.bytes
    const taken = new Set((gone?.gone ?? []).map(({ item }) => identity(item)))
    const output = objects(response.output).filter((item) => !taken.has(identity(item)))
    return writeEvent(event.event, {
      ...json,
      ...(sequence === undefined ? {} : { sequence_number: sequence }),
      response: { ...response, output: [...this.#earlier, ...output] },
    })
  }

  /** A server that gives no numbers gets none. */
  #next(json: JsonObject): number | undefined {
    if (typeof json.sequence_number !== "number") return undefined
    if (this.#isRenumbered) {
      this.#shift = this.#lastNumber + 1 - json.sequence_number
      this.#isRenumbered = false
    }
    this.#lastNumber = json.sequence_number + this.#shift
    return this.#lastNumber
  }
}

/** What names an item in every event of it. */
const identity = (item: JsonObject): unknown => item.call_id ?? item.id ?? item
