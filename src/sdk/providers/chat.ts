/**
 * OpenAI's chat completions: `POST …/chat/completions`. Tool calls of every choice are judged together. Custom tools have the
 * arguments `{"input": text}`; the older `functions` are tools, whose calls have no id of the provider's.
 */
import type { ModelRequest, ToolResult } from "../governor/Turn.ts"
import { ChatGate } from "./ChatGate.ts"
import { chatAnswer, choiceCalls, finishWithoutCalls } from "./chatAnswer.ts"
import { contentText, isObject, type JsonObject, list, object, objects, positive, text, without } from "./json.ts"
import type { Change, Protocol } from "./Protocol.ts"

export const chat: Protocol = {
  request: (body, chars, attempt): ModelRequest => ({
    provider: "openai.chat",
    model: text(body.model),
    tools: [...list(body.tools).map(toolName), ...list(body.functions).map((named) => text(object(named).name))].filter(
      (name) => name !== "",
    ),
    inputChars: chars,
    maxOutputTokens: positive(body.max_completion_tokens) ?? positive(body.max_tokens),
    results: toolResults(body),
    attempt,
  }),
  rewrite: (body, change, withheld) => {
    const mended = withheld.any ? mendHistory(body) : body
    const narrowed = change.removed.size === 0 ? mended : narrow(mended, change.removed)
    return change.notice === undefined ? narrowed : inform(narrowed, change.notice)
  },
  answer: chatAnswer,
  strip: (whole, removed) => {
    for (const { choice, calls } of choiceCalls(whole)) {
      if (!calls.some(({ call }) => removed.has(call.callId))) continue
      const message = object(choice.message)
      const kept = calls.filter(({ call }) => !removed.has(call.callId))
      const tools = kept.flatMap(({ source }) => (source === message.function_call ? [] : [source]))
      if (tools.length > 0) message.tool_calls = tools
      else delete message.tool_calls
      if (!kept.some(({ source }) => source === message.function_call)) delete message.function_call
      if (kept.length > 0) continue
      choice.finish_reason = finishWithoutCalls(choice.finish_reason)
      // Without calls an answer has a text, be it empty: the provider would not take this message back otherwise.
      message.content ??= ""
    }
  },
  again: (body, whole, feedback) => {
    const message = object(objects(whole.choices)[0]).message
    if (!isObject(message)) return undefined
    const calls = choiceCalls(whole)[0]?.calls ?? []
    const results = calls.map(({ call, source }) =>
      source === message.function_call
        ? { role: "function", name: call.tool, content: feedback.get(call.callId) ?? "" }
        : { role: "tool", tool_call_id: source.id, content: feedback.get(call.callId) ?? "" },
    )
    return { ...body, messages: [...list(body.messages), message, ...results] }
  },
  gate: (body) => new ChatGate(!asksForUsage(body)),
}

/** Streams tell their usage only when asked. */
export const askForUsage = (body: JsonObject): JsonObject =>
  body.stream !== true || asksForUsage(body)
    ? body
    : { ...body, stream_options: { ...object(body.stream_options), include_usage: true } }

const asksForUsage = (body: JsonObject): boolean => object(body.stream_options).include_usage === true

const toolName = (tool: unknown): string => {
  const { type, function: named, custom } = object(tool)
  return text(object(type === "custom" ? custom : named).name)
}

const toolResults = (body: JsonObject): ReadonlyArray<ToolResult> => {
  const results: Array<ToolResult> = []
  for (const message of list(body.messages)) {
    if (!isObject(message) || message.role !== "tool") continue
    results.push({ callId: text(message.tool_call_id), output: contentText(message.content), isError: false })
  }
  return results
}

const narrow = (body: JsonObject, removed: Change["removed"]): JsonObject => {
  let narrowed = body
  const tools = list(body.tools)
  const keptTools = tools.filter((tool) => !removed.has(toolName(tool)))
  if (keptTools.length === 0 && tools.length > 0) {
    narrowed = without(narrowed, "tools", "tool_choice", "parallel_tool_calls")
  } else if (keptTools.length < tools.length) {
    narrowed = { ...narrowed, tools: keptTools, ...mendedChoice(body.tool_choice, removed) }
  }
  const functions = list(body.functions)
  const keptFunctions = functions.filter((named) => !removed.has(text(object(named).name)))
  if (keptFunctions.length === 0 && functions.length > 0) return without(narrowed, "functions", "function_call")
  if (keptFunctions.length === functions.length) return narrowed
  const isForced = isObject(body.function_call) && removed.has(text(body.function_call.name))
  return { ...narrowed, functions: keptFunctions, ...(isForced ? { function_call: "auto" } : {}) }
}

/** A choice that names a tool which is gone would be refused by the provider: the model chooses, then. */
const mendedChoice = (choice: unknown, removed: Change["removed"]): JsonObject => {
  if (!isObject(choice)) return {}
  if (choice.type !== "allowed_tools") return removed.has(toolName(choice)) ? { tool_choice: "auto" } : {}
  const allowed = object(choice.allowed_tools)
  const tools = list(allowed.tools).filter((tool) => !removed.has(toolName(tool)))
  if (tools.length === 0) return { tool_choice: "none" }
  return { tool_choice: { ...choice, allowed_tools: { ...allowed, tools } } }
}

/** Behind the leading instructions, so that the provider's cache of them holds. */
const inform = (body: JsonObject, notice: string): JsonObject => {
  const messages = list(body.messages)
  const isInstruction = (message: unknown) => ["system", "developer"].includes(text(object(message).role))
  const first = messages.findIndex((message) => !isInstruction(message))
  const at = first === -1 ? messages.length : first
  const role = object(messages[0]).role === "developer" ? "developer" : "system"
  return { ...body, messages: [...messages.slice(0, at), { role, content: notice }, ...messages.slice(at)] }
}

/** An answer of which all calls were taken out comes back without content, which the provider refuses. */
const mendHistory = (body: JsonObject): JsonObject => {
  const isEmpty = (message: unknown) =>
    isObject(message) &&
    message.role === "assistant" &&
    message.content == null &&
    list(message.tool_calls).length === 0 &&
    message.function_call == null &&
    message.refusal == null &&
    message.audio == null
  const messages = list(body.messages)
  if (!messages.some(isEmpty)) return body
  return {
    ...body,
    messages: messages.map((message) => (isEmpty(message) ? { ...object(message), content: "" } : message)),
  }
}
