/** A request of the AI SDK to a model: read for the governor, narrowed, and continued with an answer that is fed back. */
import { ToolAborted } from "../errors.ts"
import type { ModelRequest, ToolResult, Turn } from "../governor/Turn.ts"
import { contentText } from "../providers/json.ts"
import { callsOf } from "./answer.ts"
import type { AssistantPart, CallOptions, Content, Message, ToolResultPart } from "./spec.ts"

/** Whether a tool runs in this process, as all function tools may and few of a provider's own do. */
export type Owns = (tool: string) => boolean

export const requestOf = (
  model: { readonly provider: string; readonly modelId: string },
  params: CallOptions,
  attempt: number,
  owns: Owns,
): ModelRequest => ({
  provider: `ai-sdk.${model.provider}`,
  model: model.modelId,
  tools: (params.tools ?? []).flatMap((tool) => (isCallable(tool, owns) ? [tool.name] : [])),
  inputChars: charsOf(params.prompt) + charsOf(params.tools ?? []),
  maxOutputTokens: params.maxOutputTokens,
  results: resultsOf(params.prompt),
  attempt,
})

/** The request without the tools that may not be called now, and with the notice of them. */
export const narrowed = (params: CallOptions, { removed, notice }: Turn, owns: Owns): CallOptions => {
  const told = notice === undefined ? params : { ...params, prompt: withNotice(params.prompt, notice) }
  const { tools = [] } = told
  const kept = tools.filter((tool) => !isCallable(tool, owns) || !removed.has(tool.name))
  if (kept.length === tools.length) return told
  const { tools: _tools, toolChoice, ...rest } = told
  // A choice of what is not there would be refused by the provider: the model chooses, then.
  if (kept.length === 0) return rest
  const isGone = toolChoice?.type === "tool" && removed.has(toolChoice.toolName)
  return { ...rest, tools: kept, ...(toolChoice === undefined || isGone ? {} : { toolChoice }) }
}

/** The request again, with an answer that was blocked and what was wrong with each of its calls. */
export const again = (
  params: CallOptions,
  content: ReadonlyArray<Content>,
  feedback: ReadonlyMap<string, string>,
): CallOptions => {
  const results = [...callsOf(content)].flatMap(([id, { toolCallId, toolName }]): ReadonlyArray<ToolResultPart> => {
    const told = feedback.get(id)
    if (told === undefined) return []
    return [{ type: "tool-result", toolCallId, toolName, output: { type: "error-text", value: told } }]
  })
  const answer: Message = { role: "assistant", content: content.flatMap(said) }
  return { ...params, prompt: [...params.prompt, answer, { role: "tool", content: results }] }
}

/** What the provider runs itself is no tool of the session's, unless the session says so. */
const isCallable = (tool: NonNullable<CallOptions["tools"]>[number], owns: Owns): boolean =>
  tool.type === "function" || owns(tool.name)

/** Of a file only its name counts: nobody knows what a picture costs. */
const charsOf = (value: unknown): number =>
  (JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? "" : part)) ?? "").length

const resultsOf = (prompt: CallOptions["prompt"]): ReadonlyArray<ToolResult> =>
  prompt.flatMap((message) =>
    message.role === "tool"
      ? message.content.flatMap((part) => (part.type === "tool-result" ? [resultOf(part)] : []))
      : [],
  )

const resultOf = ({ toolCallId: callId, output }: ToolResultPart): ToolResult => {
  switch (output.type) {
    case "text":
    case "json":
      return { callId, output: output.value, isError: false }
    case "content":
      return { callId, output: contentText(output.value), isError: false }
    case "execution-denied":
      return { callId, output: new ToolAborted(output.reason ?? "Its user denied it."), isError: true }
    default:
      return { callId, output: output.value, isError: true }
  }
}

const withNotice = (prompt: CallOptions["prompt"], notice: string): CallOptions["prompt"] => {
  const [first, ...rest] = prompt
  return first?.role === "system"
    ? [{ ...first, content: `${first.content}\n\n${notice}` }, ...rest]
    : [{ role: "system", content: notice }, ...prompt]
}

/** A part of an answer as the next request tells it. Providers know their own parts by the metadata. */
const said = (part: Content): ReadonlyArray<AssistantPart> => {
  const own = part.providerMetadata === undefined ? {} : { providerOptions: part.providerMetadata }
  switch (part.type) {
    case "text":
    case "reasoning":
      return [{ type: part.type, text: part.text, ...own }]
    case "file":
      return [{ type: "file", data: part.data, mediaType: part.mediaType, ...own }]
    case "tool-call": {
      const { toolCallId, toolName, providerExecuted } = part
      const executed = providerExecuted === undefined ? {} : { providerExecuted }
      return [{ type: "tool-call", toolCallId, toolName, input: inputOf(part.input), ...executed, ...own }]
    }
    case "tool-result": {
      const { toolCallId, toolName, result, isError } = part
      const output = { type: isError === true ? "error-json" : "json", value: result } as const
      return [{ type: "tool-result", toolCallId, toolName, output, ...own }]
    }
    default:
      return []
  }
}

/** A provider takes no call without an object of arguments. */
const inputOf = (input: string): unknown => {
  try {
    return JSON.parse(input)
  } catch {
    return {}
  }
}
