/**
 * The gate of a stream of chat completion chunks. Text of every choice flows at once. What belongs to a tool call is held, and
 * from the first one on also the reasons of finishing, which may have to change. A chunk that holds both is split.
 */
import type { ModelAnswer, ModelUsage } from "../governor/Turn.ts"
import { chatAnswer, chatUsage, choiceCalls, finishWithoutCalls } from "./chatAnswer.ts"
import { writeEvent } from "./events.ts"
import { isObject, type JsonObject, list, object, objects, text, without } from "./json.ts"
import type { Out, StreamEvent, StreamGate, Taken } from "./Protocol.ts"
import type { Withheld } from "./Withheld.ts"

interface ToolCall {
  /** The provider's index. Some servers give one index to calls of several ids: those are several calls. */
  readonly at: number
  call: JsonObject
}

interface Choice {
  content: string | undefined
  refusal: string | undefined
  readonly tools: Array<ToolCall>
  old: JsonObject | undefined
  finish: unknown
}

interface Held {
  readonly event: StreamEvent
  /** The part of the event that is held. */
  readonly json: JsonObject
}

export class ChatGate implements StreamGate {
  /** The caller did not ask for the usage: the chunk with it goes no further. */
  readonly #hidesUsage: boolean
  #choices = new Map<number, Choice>()
  /** Which call a piece of a held chunk belongs to. */
  readonly #owners = new WeakMap<JsonObject, ToolCall>()
  #held: Array<Held> = []
  #end: StreamEvent | undefined
  #usage: ModelUsage | undefined
  #model = ""
  #id: unknown
  #isContinued = false
  #kept = 0

  constructor(hidesUsage: boolean) {
    this.#hidesUsage = hidesUsage
  }

  take(event: StreamEvent, out: Out): Taken {
    if (event.data?.startsWith("[DONE]")) {
      this.#end = event
      return "judge"
    }
    const json = event.json
    if (json === undefined || json.error !== undefined) {
      out(event.bytes)
      return "flows"
    }
    const choices = objects(json.choices)
    this.#usage = chatUsage(json.usage) ?? this.#usage
    if (this.#model === "") this.#model = text(json.model)
    if (!this.#isContinued) this.#id ??= json.id
    if (choices.length === 0 && isObject(json.usage)) {
      if (this.#hidesUsage) return "flows"
      if (this.#held.length > 0) this.#hold(event, json)
      else out(this.#bytes(event))
      return "flows"
    }
    for (const choice of choices) this.#note(choice)
    this.#split(event, json, choices, out)
    return "flows"
  }

  ended(): "judge" | "cut" | "open" {
    const choices = [...this.#choices.values()]
    if (choices.length > 0 && choices.every(({ finish }) => finish != null)) return "judge"
    return this.#held.length > 0 ? "cut" : "open"
  }

  answer(): ModelAnswer {
    return { model: this.#model, calls: chatAnswer(this.whole())?.calls ?? [], usage: this.#usage }
  }

  usage(): ModelUsage | undefined {
    return this.#usage
  }

  whole(): JsonObject {
    const choices = [...this.#choices].toSorted(([a], [b]) => a - b)
    return {
      id: this.#id,
      model: this.#model,
      choices: choices.map(([index, choice]) => {
        const tools = toolsInOrder(choice).map(({ call }) => call)
        const message = {
          role: "assistant",
          content: choice.content ?? null,
          ...(choice.refusal === undefined ? {} : { refusal: choice.refusal }),
          ...(tools.length === 0 ? {} : { tool_calls: tools }),
          ...(choice.old === undefined ? {} : { function_call: choice.old }),
        }
        return { index, finish_reason: choice.finish, message }
      }),
    }
  }

  kept(): number {
    return this.#kept
  }

  release(removed: ReadonlyMap<string, string>, out: Out, withheld: Withheld): void {
    const places = this.#places(removed)
    if (removed.size > 0) withheld.any = true
    for (const { event, json } of this.#held) {
      if (removed.size === 0 && json === event.json) out(this.#bytes(event))
      else {
        const mended = places(json)
        if (mended !== undefined) out(writeEvent(event.event, this.#continued(mended)))
      }
    }
    if (this.#end !== undefined) out(this.#end.bytes)
  }

  restart(): void {
    this.#choices = new Map()
    this.#held = []
    this.#end = undefined
    this.#usage = undefined
    this.#kept = 0
    this.#isContinued = true
  }

  #note(choice: JsonObject): void {
    const index = typeof choice.index === "number" ? choice.index : 0
    const state = this.#choices.get(index) ?? {
      content: undefined,
      refusal: undefined,
      tools: [],
      old: undefined,
      finish: undefined,
    }
    this.#choices.set(index, state)
    const delta = object(choice.delta)
    if (typeof delta.content === "string") {
      state.content = (state.content ?? "") + delta.content
      this.#kept += delta.content.length
    }
    if (typeof delta.refusal === "string") state.refusal = (state.refusal ?? "") + delta.refusal
    for (const piece of objects(delta.tool_calls)) {
      const owner = ownerOf(state.tools, piece)
      owner.call = joined(owner.call, piece)
      this.#owners.set(piece, owner)
    }
    if (isObject(delta.function_call)) state.old = joinedCall(state.old ?? {}, delta.function_call)
    if (choice.finish_reason != null) state.finish = choice.finish_reason
  }

  #split(event: StreamEvent, json: JsonObject, choices: ReadonlyArray<JsonObject>, out: Out): void {
    const isHolding = this.#held.length > 0 || choices.some(hasCalls)
    if (!isHolding || !choices.some((choice) => hasCalls(choice) || choice.finish_reason != null)) {
      out(this.#bytes(event))
      return
    }
    const flowing: Array<JsonObject> = []
    const held: Array<JsonObject> = []
    for (const choice of choices) {
      if (!hasCalls(choice) && choice.finish_reason == null) {
        flowing.push(choice)
        continue
      }
      const delta = object(choice.delta)
      const rest = without(delta, "tool_calls", "function_call")
      const flows = Object.values(rest).some((value) => value != null && value !== "")
      if (flows) flowing.push({ ...choice, delta: rest, finish_reason: null })
      const { tool_calls, function_call } = delta
      const calls = {
        ...(tool_calls == null ? {} : { tool_calls }),
        ...(function_call == null ? {} : { function_call }),
      }
      held.push(flows ? { ...without(choice, "logprobs"), delta: calls } : choice)
    }
    if (flowing.length === 0) {
      this.#hold(event, json)
      return
    }
    out(writeEvent(event.event, this.#continued({ ...without(json, "usage"), choices: flowing })))
    this.#hold(event, { ...json, choices: held })
  }

  #hold(event: StreamEvent, json: JsonObject): void {
    this.#held.push({ event, json })
    this.#kept += event.bytes.length
  }

  /** How a held chunk goes on without these calls, and with the others moved up; undefined where nothing is left of it. */
  #places(removed: ReadonlyMap<string, string>): (json: JsonObject) => JsonObject | undefined {
    const answer = choiceCalls(this.whole())
    const choices = new Map<
      number,
      { readonly tools: ReadonlyArray<ToolCall>; readonly old: boolean; readonly emptied: boolean }
    >()
    for (const { choice, calls } of answer) {
      const index = typeof choice.index === "number" ? choice.index : 0
      const state = this.#choices.get(index)
      if (state === undefined) continue
      const isKept = (position: number) => !removed.has(calls[position]?.call.callId ?? "")
      const tools = toolsInOrder(state).filter((_, position) => isKept(position))
      const old = state.old !== undefined && isKept(calls.length - 1)
      const emptied = calls.length > 0 && tools.length === 0 && !old
      choices.set(index, { tools, old, emptied })
    }
    return (json) => {
      const kept = objects(json.choices).flatMap((choice) => {
        const place = choices.get(typeof choice.index === "number" ? choice.index : 0)
        if (place === undefined) return [choice]
        const { tool_calls, function_call, ...rest } = object(choice.delta)
        const tools = objects(tool_calls).flatMap((piece) => {
          const owner = this.#owners.get(piece)
          const at = owner === undefined ? -1 : place.tools.indexOf(owner)
          return at === -1 ? [] : [{ ...piece, index: at }]
        })
        const delta = {
          ...rest,
          ...(tools.length > 0 ? { tool_calls: tools } : {}),
          ...(place.old && function_call != null ? { function_call } : {}),
        }
        const finish_reason = place.emptied ? finishWithoutCalls(choice.finish_reason) : choice.finish_reason
        return Object.keys(delta).length === 0 && finish_reason == null ? [] : [{ ...choice, delta, finish_reason }]
      })
      return kept.length === 0 && !isObject(json.usage) ? undefined : { ...json, choices: kept }
    }
  }

  #bytes(event: StreamEvent): Uint8Array {
    return this.#isContinued && event.json !== undefined
      ? writeEvent(event.event, this.#continued(event.json))
      : event.bytes
  }

  /** A second answer in the same stream goes on under the id of the first: clients take another id for another answer. */
  #continued(json: JsonObject): JsonObject {
    return this.#isContinued && this.#id !== undefined ? { ...json, id: this.#id } : json
  }
}

const hasCalls = (choice: JsonObject): boolean => {
  const { tool_calls, function_call } = object(choice.delta)
  return list(tool_calls).length > 0 || function_call != null
}

/** The call that a piece goes on with, or a new one. */
const ownerOf = (tools: Array<ToolCall>, piece: JsonObject): ToolCall => {
  const at = typeof piece.index === "number" ? piece.index : 0
  const last = tools.findLast((call) => call.at === at)
  const id = text(piece.id)
  if (last !== undefined && (id === "" || text(last.call.id) === "" || last.call.id === id)) return last
  const call: ToolCall = { at, call: {} }
  tools.push(call)
  return call
}

const toolsInOrder = ({ tools }: Choice): ReadonlyArray<ToolCall> => tools.toSorted((a, b) => a.at - b.at)

/** A tool call and its next piece. */
const joined = (call: JsonObject, piece: JsonObject): JsonObject => ({
  ...call,
  ...(text(piece.id) === "" ? {} : { id: piece.id }),
  type: piece.type ?? call.type ?? "function",
  ...(isObject(piece.function) ? { function: joinedCall(object(call.function), piece.function) } : {}),
  ...(isObject(piece.custom) ? { custom: joinedInput(object(call.custom), piece.custom) } : {}),
})

const joinedCall = (call: JsonObject, piece: JsonObject): JsonObject => ({
  name: text(piece.name) === "" ? text(call.name) : piece.name,
  arguments: text(call.arguments) + text(piece.arguments),
})

const joinedInput = (call: JsonObject, piece: JsonObject): JsonObject => ({
  name: text(piece.name) === "" ? text(call.name) : piece.name,
  input: text(call.input) + text(piece.input),
})
