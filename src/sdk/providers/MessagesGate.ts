/**
 * The gate of a stream of Anthropic's messages. An answer is a row of blocks with running numbers, so from the first call on
 * everything waits: what follows has its place only once it is known which calls stay. Pings go through.
 */
import type { ModelAnswer, ModelUsage } from "../governor/Turn.ts"
import { writeEvent } from "./events.ts"
import { type JsonObject, object, parseObject, text } from "./json.ts"
import { contentCalls, isCall, messagesUsage, noteWithheld, stopWithoutCalls } from "./messagesAnswer.ts"
import type { Out, StreamEvent, StreamGate, Taken } from "./Protocol.ts"
import type { Withheld } from "./Withheld.ts"

interface Block {
  readonly start: JsonObject
  readonly pieces: Map<string, string>
}

export class MessagesGate implements StreamGate {
  #message: JsonObject = {}
  /** By the provider's index. */
  #blocks = new Map<number, Block>()
  #held: Array<StreamEvent> = []
  #end: StreamEvent | undefined
  #usage: JsonObject = {}
  #stop: unknown
  #kept = 0
  /** Blocks of earlier answers in this stream, whose text has flowed. */
  #offset = 0
  #isContinued = false

  take(event: StreamEvent, out: Out): Taken {
    const json = event.json
    if (json === undefined || json.type === "ping" || json.type === "error") {
      out(event.bytes)
      return "flows"
    }
    this.#note(json)
    this.#kept += event.bytes.length
    if (json.type === "message_stop") {
      this.#end = event
      return "judge"
    }
    if (json.type === "message_start" && this.#isContinued) return "flows"
    if (this.#held.length > 0 || isCall(object(json.content_block))) this.#held.push(event)
    else out(this.#moved(event, this.#offset))
    return "flows"
  }

  ended(): "judge" | "cut" | "open" {
    return this.#held.length > 0 ? "cut" : "open"
  }

  answer(): ModelAnswer {
    const whole = this.whole()
    // As the model wrote them: what was cut off in the middle is no JSON, and the rules are to see that.
    const written = [...this.#blocks.values()]
      .filter(({ start }) => isCall(start))
      .map(({ pieces }) => pieces.get("input"))
    const calls = contentCalls(whole).map(({ call }, index) => ({
      ...call,
      arguments: written[index] || call.arguments,
    }))
    return { model: text(this.#message.model), calls, usage: this.usage() }
  }

  usage(): ModelUsage | undefined {
    return Object.keys(this.#usage).length === 0 ? undefined : messagesUsage(this.#usage)
  }

  whole(): JsonObject {
    const content = [...this.#blocks.values()].map(wholeBlock)
    return { ...this.#message, content, stop_reason: this.#stop, usage: this.#usage }
  }

  kept(): number {
    return this.#kept
  }

  release(removed: ReadonlyMap<string, string>, out: Out, withheld: Withheld): void {
    const whole = this.whole()
    const gone = contentCalls(whole).filter(({ call }) => removed.has(call.callId))
    const remaining = contentCalls(whole).length - gone.length
    const places = this.#places(removed)
    for (const event of this.#held) {
      const index = event.json?.index
      const place = typeof index === "number" ? places.get(index) : 0
      if (place === undefined) continue
      if (gone.length > 0 && remaining === 0 && event.json?.type === "message_delta") out(stopped(event, event.json))
      else out(this.#moved(event, place))
    }
    if (this.#end !== undefined) out(this.#end.bytes)
    if (gone.length > 0) noteWithheld(text(whole.id), gone, removed, withheld)
  }

  restart(): void {
    this.#offset += [...this.#blocks.keys()].filter((index) => !this.#heldBlocks().has(index)).length
    this.#blocks = new Map()
    this.#held = []
    this.#end = undefined
    this.#usage = {}
    this.#stop = undefined
    this.#kept = 0
    this.#isContinued = true
  }

  #note(json: JsonObject): void {
    const index = typeof json.index === "number" ? json.index : 0
    switch (json.type) {
      case "message_start":
        this.#message = object(json.message)
        this.#usage = { ...object(this.#message.usage) }
        return
      case "content_block_start":
        this.#blocks.set(index, { start: object(json.content_block), pieces: new Map() })
        return
      case "content_block_delta":
        for (const [key, piece] of Object.entries(object(json.delta))) {
          const field = key === "partial_json" ? "input" : key
          if (field === "type" || typeof piece !== "string") continue
          const { pieces } = this.#blocks.get(index) ?? { pieces: new Map<string, string>() }
          pieces.set(field, (pieces.get(field) ?? "") + piece)
        }
        return
      case "message_delta":
        this.#stop = object(json.delta).stop_reason ?? this.#stop
        for (const [key, value] of Object.entries(object(json.usage))) if (value != null) this.#usage[key] = value
        return
    }
  }

  /** Of each block that stays: by how much its number changes. */
  #places(removed: ReadonlyMap<string, string>): ReadonlyMap<number, number> {
    const ids = contentCalls(this.whole()).map(({ call }) => call.callId)
    const places = new Map<number, number>()
    let gone = 0
    let position = 0
    for (const [index, { start }] of this.#blocks) {
      if (isCall(start) && removed.has(ids[position++] ?? "")) gone++
      else places.set(index, this.#offset - gone)
    }
    return places
  }

  #heldBlocks(): ReadonlySet<unknown> {
    return new Set(this.#held.map(({ json }) => json?.index))
  }

  #moved(event: StreamEvent, by: number): Uint8Array {
    const index = event.json?.index
    if (by === 0 || typeof index !== "number") return event.bytes
    return writeEvent(event.event, { ...event.json, index: index + by })
  }
}

const stopped = (event: StreamEvent, json: JsonObject): Uint8Array => {
  const delta = object(json.delta)
  return writeEvent(event.event, { ...json, delta: { ...delta, stop_reason: stopWithoutCalls(delta.stop_reason) } })
}

/** A block as it would have come in one piece. */
const wholeBlock = ({ start, pieces }: Block): JsonObject => {
  const block = { ...start }
  for (const [field, piece] of pieces) {
    if (field !== "input") block[field] = text(block[field]) + piece
    else block.input = parseObject(piece) ?? {}
  }
  return block
}
