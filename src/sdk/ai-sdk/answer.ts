/** An answer of a model to the AI SDK: its calls and usage for the governor, and the answer without what was blocked. */
import type { ModelAnswer, ModelUsage } from "../governor/Turn.ts"
import { callIds } from "../providers/callIds.ts"
import type { Content, FinishReason, ToolCall, Usage } from "./spec.ts"

/** A call that somebody else than the provider runs. */
export const isOpenCall = (part: { readonly type: string }): part is ToolCall =>
  part.type === "tool-call" && !("providerExecuted" in part && part.providerExecuted === true)

/** The calls of an answer by ids that differ, even where a model's do not. */
export const callsOf = (content: ReadonlyArray<Content>): ReadonlyMap<string, ToolCall> => {
  const idOf = callIds()
  return new Map(content.filter(isOpenCall).map((part, index) => [idOf(part.toolCallId, `call/${index}`), part]))
}

/** The parts of these calls. */
export const partsOf = (
  calls: ReadonlyMap<string, ToolCall>,
  ids: ReadonlyMap<string, string>,
): ReadonlySet<{ readonly type: string }> => new Set([...calls].flatMap(([id, part]) => (ids.has(id) ? [part] : [])))

export const answerOf = (model: string, content: ReadonlyArray<Content>, usage: Usage | undefined): ModelAnswer => ({
  model,
  calls: Array.from(callsOf(content), ([callId, { toolName, input }]) => ({
    callId,
    tool: toolName,
    arguments: input,
  })),
  usage: usage === undefined ? undefined : usageOf(usage),
})

/** Undefined where the provider told nothing. */
const usageOf = ({ inputTokens, outputTokens }: Usage): ModelUsage | undefined => {
  const { cacheRead } = inputTokens
  const input = inputTokens.total ?? sum(sum(inputTokens.noCache, cacheRead), inputTokens.cacheWrite)
  const output = outputTokens.total ?? sum(outputTokens.text, outputTokens.reasoning)
  if (input === undefined && output === undefined) return undefined
  return {
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    ...(cacheRead === undefined ? {} : { cachedInputTokens: cacheRead }),
  }
}

/** Of an answer and of those that were fed back before it: what the caller is told of usage is what was used. */
export const added = (before: Usage | undefined, usage: Usage): Usage => {
  if (before === undefined) return usage
  const [a, b] = [before.inputTokens, usage.inputTokens]
  const [c, d] = [before.outputTokens, usage.outputTokens]
  return {
    ...usage,
    inputTokens: {
      total: sum(a.total, b.total),
      noCache: sum(a.noCache, b.noCache),
      cacheRead: sum(a.cacheRead, b.cacheRead),
      cacheWrite: sum(a.cacheWrite, b.cacheWrite),
    },
    outputTokens: { total: sum(c.total, d.total), text: sum(c.text, d.text), reasoning: sum(c.reasoning, d.reasoning) },
  }
}

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : a + b

/** Why the answer ended, once calls were taken out of it: not for calls where none is left. */
export const mendedReason = (reason: FinishReason, hasCalls: boolean): FinishReason =>
  reason.unified === "tool-calls" && !hasCalls ? { ...reason, unified: "stop" } : reason
