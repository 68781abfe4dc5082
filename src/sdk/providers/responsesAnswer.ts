/**
 * What an answer of OpenAI's responses says. Calls for the caller: functions, custom tools, and those tools of the provider's
 * that run on the caller's machine, which are called `local_shell`, `shell`, `apply_patch`, `computer` and `tool_search` here.
 * A function in a namespace is `namespace.function`.
 */
import type { ModelAnswer, ModelCall, ModelUsage } from "../governor/Turn.ts"
import { callIds } from "./callIds.ts"
import { count, isObject, type JsonObject, jsonText, object, objects, positive, text } from "./json.ts"
import type { Withheld } from "./Withheld.ts"

export const responsesAnswer = (whole: JsonObject): ModelAnswer | undefined =>
  Array.isArray(whole.output)
    ? {
        model: text(whole.model),
        calls: outputCalls(whole).map(({ call }) => call),
        usage: responsesUsage(whole.usage),
      }
    : undefined

export interface OutputCall {
  readonly call: ModelCall
  readonly item: JsonObject
}

export const outputCalls = (whole: JsonObject): ReadonlyArray<OutputCall> => {
  const idOf = callIds()
  return objects(whole.output)
    .filter(isCall)
    .map((item, index) => ({
      item,
      call: {
        callId: idOf(item.call_id ?? item.id, `call/${index}`),
        tool: calledTool(item),
        arguments: calledWith(item),
      },
    }))
}

export const isCall = (item: JsonObject): boolean => {
  switch (item.type) {
    case "function_call":
    case "custom_tool_call":
    case "local_shell_call":
    case "apply_patch_call":
    case "computer_call":
      return true
    case "shell_call":
      return object(item.environment).type !== "container_reference"
    case "tool_search_call":
      return item.execution === "client"
    default:
      return false
  }
}

const calledTool = (item: JsonObject): string => {
  if (item.type !== "function_call" && item.type !== "custom_tool_call") return text(item.type).replace(/_call$/, "")
  const namespace = text(item.namespace)
  return namespace === "" ? text(item.name) : `${namespace}.${text(item.name)}`
}

const calledWith = (item: JsonObject): string => {
  switch (item.type) {
    case "function_call":
      return text(item.arguments)
    case "custom_tool_call":
      return jsonText({ input: text(item.input) })
    case "apply_patch_call":
      return jsonText(item.operation ?? {})
    case "tool_search_call":
      return jsonText(item.arguments ?? {})
    default:
      return jsonText(item.action ?? (item.actions === undefined ? {} : { actions: item.actions }))
  }
}

export const responsesUsage = (usage: unknown): ModelUsage | undefined => {
  if (!isObject(usage)) return undefined
  const cached = positive(object(usage.input_tokens_details).cached_tokens)
  return {
    inputTokens: count(usage.input_tokens),
    outputTokens: count(usage.output_tokens),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
  }
}

/** The item that tells the model what became of a call; undefined where it would take more than a text. */
export const outputItem = (item: JsonObject, output: string, isError: boolean): JsonObject | undefined => {
  const { call_id } = item
  switch (item.type) {
    case "function_call":
      return { type: "function_call_output", call_id, output }
    case "custom_tool_call":
      return { type: "custom_tool_call_output", call_id, output }
    case "local_shell_call":
      return { type: "local_shell_call_output", id: call_id, output }
    case "apply_patch_call":
      return { type: "apply_patch_call_output", call_id, status: isError ? "failed" : "completed", output }
    case "shell_call": {
      const outcome = { type: "exit", exit_code: isError ? 1 : 0 }
      const streams = isError ? { stdout: "", stderr: output } : { stdout: output, stderr: "" }
      return { type: "shell_call_output", call_id, output: [{ ...streams, outcome }] }
    }
    default:
      return undefined
  }
}

/** Takes calls out of an output. Undefined where none of them is in it. */
export const stripOutput = (whole: JsonObject, removed: ReadonlyMap<string, string>): Stripped | undefined => {
  const gone = outputCalls(whole).filter(({ call }) => removed.has(call.callId))
  if (gone.length === 0) return undefined
  const items = new Set(gone.map(({ item }) => item))
  return { gone, output: objects(whole.output).filter((item) => !items.has(item)) }
}

interface Stripped {
  readonly gone: ReadonlyArray<OutputCall>
  readonly output: ReadonlyArray<JsonObject>
}

/**
 * The provider keeps the answer as it was, so whatever goes on from it must bring a result for each call. Where the caller keeps
 * it, a thought that led only to such a call is not taken back.
 */
export const noteWithheld = (
  whole: JsonObject,
  gone: ReadonlyArray<OutputCall>,
  removed: ReadonlyMap<string, string>,
  withheld: Withheld,
): void => {
  withheld.any = true
  const results = gone
    .map(({ call, item }) => outputItem(item, removed.get(call.callId) ?? "", true))
    .filter((result) => result !== undefined)
  withheld.note(text(whole.id), results)
  const conversation = text(object(whole.conversation).id)
  if (conversation !== "") withheld.note(conversation, results)
  const items = new Set(gone.map(({ item }) => item))
  const output = objects(whole.output)
  output.forEach((item, index) => {
    if (item.type !== "reasoning") return
    const next = output.slice(index + 1).find(({ type }) => type !== "reasoning")
    if (next === undefined || items.has(next)) withheld.orphan(text(item.id))
  })
}
