/**
 * Anthropic's messages: `POST …/messages`, the beta endpoint too. A message thread, which the provider keeps, takes no other
 * tools and no other system prompt once it is there: in a thread nothing is narrowed, and the gate alone holds.
 */
import type { ModelRequest, ToolResult } from "../governor/Turn.ts"
import { contentText, isObject, type JsonObject, list, object, objects, positive, text, without } from "./json.ts"
import { MessagesGate } from "./MessagesGate.ts"
import { contentCalls, errorResult, isCall, messagesAnswer, noteWithheld, stopWithoutCalls } from "./messagesAnswer.ts"
import type { Change, Protocol } from "./Protocol.ts"
import type { Withheld } from "./Withheld.ts"

export const messages: Protocol = {
  request: (body, chars, attempt): ModelRequest => ({
    provider: "anthropic.messages",
    model: text(body.model),
    tools: objects(body.tools)
      .map(toolName)
      .filter((name) => name !== ""),
    inputChars: chars,
    maxOutputTokens: positive(body.max_tokens),
    results: toolResults(body),
    attempt,
  }),
  rewrite: (body, change, withheld) => {
    const mended = withheld.any ? mendHistory(body, withheld) : body
    if (isObject(body.thread)) return mended
    const narrowed = change.removed.size === 0 ? mended : narrow(mended, change.removed)
    return change.notice === undefined ? narrowed : inform(narrowed, change.notice)
  },
  answer: messagesAnswer,
  strip: (whole, removed, withheld) => {
    const gone = contentCalls(whole).filter(({ call }) => removed.has(call.callId))
    if (gone.length === 0) return
    const blocks = new Set(gone.map(({ block }) => block))
    const kept = objects(whole.content).filter((block) => !blocks.has(block))
    whole.content = kept
    if (!kept.some(isCall)) whole.stop_reason = stopWithoutCalls(whole.stop_reason)
    noteWithheld(text(whole.id), gone, removed, withheld)
  },
  again: (body, whole, feedback) => {
    const results = contentCalls(whole).map(({ call, block }) => errorResult(block.id, feedback.get(call.callId)))
    const answer = { role: "assistant", content: whole.content }
    const told = { role: "user", content: results }
    return isObject(body.thread)
      ? { ...body, thread: { type: "continue", previous_message_id: whole.id }, messages: [told] }
      : { ...body, messages: [...list(body.messages), answer, told] }
  },
  gate: () => new MessagesGate(),
}

/** Tools that the provider runs; what is of any other type is for the caller to run. */
const providerRun = /^(web_search|web_fetch|code_execution|tool_search|mcp_toolset|advisor)/

const toolName = (tool: JsonObject): string =>
  providerRun.test(text(tool.type)) ? "" : text(tool.name) || text(tool.type)

const toolResults = (body: JsonObject): ReadonlyArray<ToolResult> => {
  const results: Array<ToolResult> = []
  for (const message of list(body.messages)) {
    if (!isObject(message) || message.role !== "user") continue
    for (const block of list(message.content)) {
      if (!isObject(block) || block.type !== "tool_result") continue
      const output = contentText(block.content)
      results.push({ callId: text(block.tool_use_id), output, isError: block.is_error === true })
    }
  }
  return results
}

const narrow = (body: JsonObject, removed: Change["removed"]): JsonObject => {
  const tools = list(body.tools)
  const kept = tools.filter((tool) => !removed.has(toolName(object(tool))))
  if (kept.length === tools.length) return body
  if (kept.length === 0) {
    // A history with tools in it must come with tools: then they stay, and none may be called.
    return hasToolHistory(body) ? { ...body, tool_choice: { type: "none" } } : without(body, "tools", "tool_choice")
  }
  const choice = object(body.tool_choice)
  if (choice.type !== "tool" || !removed.has(text(choice.name))) return { ...body, tools: kept }
  return { ...body, tools: kept, tool_choice: { ...without(choice, "name"), type: "auto" } }
}

const hasToolHistory = (body: JsonObject): boolean =>
  objects(body.messages).some(({ content }) =>
    objects(content).some(({ type }) => type === "tool_use" || type === "tool_result"),
  )

/** Behind the system prompt, so that the provider's cache of it holds. */
const inform = (body: JsonObject, notice: string): JsonObject => {
  if (Array.isArray(body.system)) return { ...body, system: [...list(body.system), { type: "text", text: notice }] }
  const system = text(body.system)
  return { ...body, system: system === "" ? notice : `${system}\n\n${notice}` }
}

const mendHistory = (body: JsonObject, withheld: Withheld): JsonObject => {
  const given = list(body.messages)
  // An answer of which everything was taken out comes back without content, which the provider refuses.
  const isEmpty = (message: unknown) =>
    isObject(message) && message.role === "assistant" && Array.isArray(message.content) && message.content.length === 0
  const messages = given.some(isEmpty) ? given.filter((message) => !isEmpty(message)) : given
  const results = withheld.results(text(object(body.thread).previous_message_id))
  if (results.length === 0) return messages === given ? body : { ...body, messages }
  const [first, ...rest] = messages
  const content = object(first).content
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : list(content)
  const isUser = object(first).role === "user"
  const told = { role: "user", content: isUser ? [...results, ...blocks] : results }
  return { ...body, messages: isUser ? [told, ...rest] : [told, ...messages] }
}
