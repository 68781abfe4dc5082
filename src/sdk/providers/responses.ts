/**
 * OpenAI's responses: `POST …/responses`. The provider may keep the conversation: results of tools come as items of the input,
 * and an answer of which calls were taken out is gone on from with a result for each of those.
 */
import type { ModelRequest, ToolResult } from "../governor/Turn.ts"
import { contentText, isObject, type JsonObject, list, object, objects, positive, text, without } from "./json.ts"
import type { Change, Protocol } from "./Protocol.ts"
import { ResponsesGate } from "./ResponsesGate.ts"
import { noteWithheld, outputCalls, outputItem, responsesAnswer, stripOutput } from "./responsesAnswer.ts"
import type { Withheld } from "./Withheld.ts"

export const responses: Protocol = {
  request: (body, chars, attempt): ModelRequest => ({
    provider: "openai.responses",
    model: text(body.model),
    tools: objects(body.tools).flatMap(toolNames),
    inputChars: chars,
    maxOutputTokens: positive(body.max_output_tokens),
    results: toolResults(body),
    attempt,
  }),
  rewrite: (body, change, withheld) => {
    const mended = withheld.any ? tellWithheld(dropOrphans(body, withheld), withheld) : body
    const narrowed = change.removed.size === 0 ? mended : narrow(mended, change.removed)
    if (change.notice === undefined) return narrowed
    const instructions = text(body.instructions)
    return { ...narrowed, instructions: instructions === "" ? change.notice : `${instructions}\n\n${change.notice}` }
  },
  answer: responsesAnswer,
  strip: (whole, removed, withheld) => {
    const stripped = stripOutput(whole, removed)
    if (stripped === undefined) return
    noteWithheld(whole, stripped.gone, removed, withheld)
    whole.output = stripped.output
  },
  again: (body, whole, feedback) => {
    const results = outputCalls(whole).map(({ call, item }) => outputItem(item, feedback.get(call.callId) ?? "", true))
    if (!results.every(isObject)) return undefined
    if (body.conversation != null) return { ...body, input: results }
    if (body.store !== false) return { ...body, previous_response_id: whole.id, input: results }
    // A thought that the provider does not keep is taken back only where it comes encrypted.
    const isOurs = (item: JsonObject) => item.type !== "reasoning" || text(item.encrypted_content) !== ""
    return { ...body, input: [...inputItems(body), ...objects(whole.output).filter(isOurs), ...results] }
  },
  accepted: (body, withheld) => withheld.told(conversationOf(body)),
  gate: () => new ResponsesGate(),
}

const inputItems = (body: JsonObject): ReadonlyArray<unknown> =>
  typeof body.input === "string" ? [{ role: "user", content: body.input }] : list(body.input)

/** The names under which a tool of the request is called; none where the provider runs it. */
const toolNames = (tool: JsonObject): ReadonlyArray<string> => {
  switch (tool.type) {
    case "function":
    case "custom":
      return [text(tool.name)]
    case "namespace":
      return objects(tool.tools).map((inner) => `${text(tool.name)}.${text(inner.name)}`)
    case "local_shell":
    case "apply_patch":
      return [text(tool.type)]
    case "shell":
      return text(object(tool.environment).type).startsWith("container") ? [] : ["shell"]
    case "computer":
    case "computer_use_preview":
      return ["computer"]
    case "tool_search":
      return tool.execution === "client" ? ["tool_search"] : []
    default:
      return []
  }
}

const toolResults = (body: JsonObject): ReadonlyArray<ToolResult> => {
  const results: Array<ToolResult> = []
  for (const item of list(body.input)) {
    if (!isObject(item) || !text(item.type).endsWith("_call_output")) continue
    const output =
      Array.isArray(item.output) && item.type === "function_call_output" ? contentText(item.output) : item.output
    results.push({ callId: text(item.call_id) || text(item.id), output, isError: item.status === "failed" })
  }
  return results
}

const narrow = (body: JsonObject, removed: Change["removed"]): JsonObject => {
  const tools = list(body.tools)
  const kept = tools.flatMap((tool) => narrowTool(object(tool), removed))
  if (kept.length === tools.length && kept.every((tool, index) => tool === tools[index])) return body
  if (kept.length === 0) return without(body, "tools", "tool_choice", "parallel_tool_calls")
  return { ...body, tools: kept, ...mendedChoice(body.tool_choice, removed) }
}

/** The tool, if it stays; a namespace less the functions that go. */
const narrowTool = (tool: JsonObject, removed: Change["removed"]): ReadonlyArray<JsonObject> => {
  const names = toolNames(tool)
  if (!names.some((name) => removed.has(name))) return [tool]
  if (tool.type !== "namespace") return []
  const tools = objects(tool.tools).filter((_, index) => !removed.has(names[index] ?? ""))
  return tools.length === 0 ? [] : [{ ...tool, tools }]
}

/** A choice that names a tool which is gone would be refused by the provider: the model chooses, then. */
const mendedChoice = (choice: unknown, removed: Change["removed"]): JsonObject => {
  if (!isObject(choice)) return {}
  const isGone = (named: unknown) => toolNames(object(named)).some((name) => removed.has(name))
  if (choice.type !== "allowed_tools") return isGone(choice) ? { tool_choice: "auto" } : {}
  const tools = list(choice.tools).filter((tool) => !isGone(tool))
  return { tool_choice: tools.length === 0 ? "none" : { ...choice, tools } }
}

const conversationOf = (body: JsonObject): string => text(body.conversation) || text(object(body.conversation).id)

/** Results for the calls that the provider knows and the caller does not. */
const tellWithheld = (body: JsonObject, withheld: Withheld): JsonObject => {
  const conversation = conversationOf(body)
  const results = withheld.results(conversation === "" ? text(body.previous_response_id) : conversation)
  if (results.length === 0) return body
  return { ...body, input: [...results, ...inputItems(body)] }
}

const dropOrphans = (body: JsonObject, withheld: Withheld): JsonObject => {
  const items = list(body.input)
  const isOrphan = (item: unknown, index: number): boolean => {
    if (!isObject(item) || item.type !== "reasoning" || !withheld.isOrphan(text(item.id))) return false
    const next = object(items.slice(index + 1).find((later) => object(later).type !== "reasoning"))
    return !(next.role === "assistant" || text(next.type).endsWith("_call"))
  }
  return items.some(isOrphan) ? { ...body, input: items.filter((item, index) => !isOrphan(item, index)) } : body
}
