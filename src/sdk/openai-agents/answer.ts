/** An answer to the OpenAI Agents SDK: its calls and usage for the governor, and the answer without what was blocked. */
import type { AgentOutputItem, ModelRequest } from "@openai/agents"
import type { ModelAnswer, ModelCall, ModelUsage } from "../governor/Turn.ts"
import { callIds } from "../providers/callIds.ts"
import { isObject, jsonText, objects, positive } from "../providers/json.ts"

export interface OutputCall {
  readonly call: ModelCall
  readonly item: AgentOutputItem
}

/**
 * The calls that this process is to run, by the names that their contracts have: a function in a namespace is
 * `namespace.function`; the other tools that run here are `computer`, `shell`, `apply_patch` and `tool_search`.
 */
export const callsOf = (output: ReadonlyArray<AgentOutputItem>, request: ModelRequest): ReadonlyArray<OutputCall> => {
  const idOf = callIds()
  return output.flatMap((item, index) => {
    const called = calledBy(item, request)
    return called === undefined ? [] : [{ item, call: { ...called, callId: idOf(called.callId, `call/${index}`) } }]
  })
}

const calledBy = (item: AgentOutputItem, request: ModelRequest): ModelCall | undefined => {
  switch (item.type) {
    case "function_call": {
      const { callId, name, namespace, arguments: args } = item
      return { callId, tool: qualified(name, namespace), arguments: args }
    }
    case "computer_call":
      return { callId: item.callId, tool: "computer", arguments: jsonText({ actions: item.actions ?? [item.action] }) }
    case "shell_call":
      return hasOwnShell(request) ? { callId: item.callId, tool: "shell", arguments: jsonText(item.action) } : undefined
    case "apply_patch_call":
      return { callId: item.callId, tool: "apply_patch", arguments: jsonText(item.operation) }
    case "tool_search_call":
      return item.execution === "client"
        ? { callId: item.callId ?? item.call_id ?? "", tool: "tool_search", arguments: jsonText(item.arguments) }
        : undefined
    default:
      return undefined
  }
}

export const qualified = (name: string, namespace: string | undefined): string =>
  namespace === undefined || namespace === "" ? name : `${namespace}.${name}`

/** One in a container runs at the provider. */
const hasOwnShell = ({ tools }: ModelRequest): boolean =>
  tools.some((tool) => tool.type === "shell" && (tool.environment === undefined || tool.environment.type === "local"))

export const answerOf = (calls: ReadonlyArray<OutputCall>, model: string, usage: unknown): ModelAnswer => ({
  model,
  calls: calls.map(({ call }) => call),
  usage: usageOf(usage),
})

/** The items that stay. A thought that led only to what is gone is none that a provider takes back alone. */
export const stripped = (
  output: ReadonlyArray<AgentOutputItem>,
  calls: ReadonlyArray<OutputCall>,
  removed: ReadonlyMap<string, string>,
): Array<AgentOutputItem> => {
  const gone = new Set(calls.flatMap(({ call, item }) => (removed.has(call.callId) ? [item] : [])))
  const kept = output.filter((item) => !gone.has(item))
  const last = kept.findLastIndex((item) => item.type !== "reasoning")
  return gone.size === 0 ? kept : kept.filter((_, index) => index <= last)
}

/** Undefined where the provider told none, which the SDK's usage shows as nothing at all. */
const usageOf = (usage: unknown): ModelUsage | undefined => {
  if (!isObject(usage)) return undefined
  const input = positive(usage.inputTokens)
  const output = positive(usage.outputTokens)
  if (input === undefined && output === undefined) return undefined
  const { inputTokensDetails: details } = usage
  const cached = (Array.isArray(details) ? objects(details) : objects([details])).reduce(
    (sum, detail) => sum + (positive(detail.cached_tokens) ?? 0),
    0,
  )
  return {
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    ...(cached === 0 ? {} : { cachedInputTokens: cached }),
  }
}
