/** A request of the OpenAI Agents SDK: read for the governor, narrowed, and continued with an answer that is fed back. */
import type { AgentInputItem, FunctionCallResultItem, ModelRequest, ModelResponse } from "@openai/agents"
import type { ModelRequest as NeutralRequest, ToolResult, Turn } from "../governor/Turn.ts"
import { contentText, jsonText, text } from "../providers/json.ts"
import { type OutputCall, qualified } from "./answer.ts"

type SerializedTool = ModelRequest["tools"][number]

export const requestOf = (model: string, request: ModelRequest, attempt: number): NeutralRequest => ({
  provider: "openai-agents",
  model,
  // A handoff of the SDK is a tool that the model calls.
  tools: [
    ...request.tools.flatMap((tool) => calledAs(tool) ?? []),
    ...request.handoffs.map((handoff) => handoff.toolName),
  ],
  inputChars:
    text(request.systemInstructions).length +
    jsonText(request.input).length +
    jsonText(request.tools).length +
    jsonText(request.handoffs).length,
  maxOutputTokens: request.modelSettings.maxTokens,
  results: itemsOf(request).flatMap(resultOf),
  attempt,
})

/** The request without the tools that may not be called now, and with the notice of them. */
export const narrowed = (request: ModelRequest, { removed, notice }: Turn): ModelRequest => {
  const isGone = (name: string | undefined): boolean => name !== undefined && removed.has(name)
  const tools = request.tools.filter((tool) => !isGone(calledAs(tool)))
  const handoffs = request.handoffs.filter(({ toolName }) => !isGone(toolName))
  const told =
    notice === undefined
      ? request
      : { ...request, systemInstructions: [text(request.systemInstructions), notice].filter(Boolean).join("\n\n") }
  if (tools.length === request.tools.length && handoffs.length === request.handoffs.length) return told
  const { toolChoice, ...settings } = request.modelSettings
  const hasTools = tools.length + handoffs.length > 0
  // A choice of what is not there would be refused by the provider: the model chooses, then.
  const stays = toolChoice !== undefined && !isGone(toolChoice) && (hasTools || toolChoice === "none")
  return { ...told, tools, handoffs, modelSettings: stays ? { ...settings, toolChoice } : settings }
}

/** The request again, with an answer that was blocked; undefined where the SDK has no words for the result of such a call. */
export const again = (
  request: ModelRequest,
  { output, responseId }: Pick<ModelResponse, "output" | "responseId">,
  calls: ReadonlyArray<OutputCall>,
  feedback: ReadonlyMap<string, string>,
): ModelRequest | undefined => {
  const results = toldResults(calls, feedback)
  if (results === undefined) return undefined
  // The provider knows the conversation, and the answer in it.
  if (text(request.conversationId) !== "") return { ...request, input: results }
  if (text(request.previousResponseId) !== "" && responseId !== undefined)
    return { ...request, previousResponseId: responseId, input: results }
  return { ...request, input: [...itemsOf(request), ...output, ...results] }
}

/** What to tell a model of calls that were not made; undefined where one of them is no function's. */
export const toldResults = (
  calls: ReadonlyArray<OutputCall>,
  why: ReadonlyMap<string, string>,
): Array<FunctionCallResultItem> | undefined => {
  const results: Array<FunctionCallResultItem> = []
  for (const { call, item } of calls) {
    const told = why.get(call.callId)
    if (told === undefined) continue
    if (item.type !== "function_call") return undefined
    const { callId, name, namespace } = item
    const within = namespace === undefined ? {} : { namespace }
    results.push({ type: "function_call_result", callId, name, ...within, status: "completed", output: told })
  }
  return results
}

export const itemsOf = ({ input }: ModelRequest): ReadonlyArray<AgentInputItem> =>
  typeof input === "string" ? [{ role: "user", content: input }] : input

/** Undefined where the provider runs it. */
const calledAs = (tool: SerializedTool): string | undefined => {
  switch (tool.type) {
    case "function":
      return qualified(tool.name, tool.namespace)
    case "computer":
    case "apply_patch":
      return tool.type
    case "shell":
      return tool.environment === undefined || tool.environment.type === "local" ? "shell" : undefined
    default:
      return undefined
  }
}

const resultOf = (item: AgentInputItem): ReadonlyArray<ToolResult> => {
  switch (item.type) {
    case "function_call_result": {
      const { output } = item
      const parts = typeof output === "string" || Array.isArray(output) ? output : [output]
      return [{ callId: item.callId, output: contentText(parts), isError: false }]
    }
    case "computer_call_result":
    case "shell_call_output":
      return [{ callId: item.callId, output: item.output, isError: false }]
    case "apply_patch_call_output":
      return [{ callId: item.callId, output: item.output ?? null, isError: item.status === "failed" }]
    default:
      return []
  }
}
