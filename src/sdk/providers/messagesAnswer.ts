/** What an answer of Anthropic's messages says. Only `tool_use` is a call for the caller: the provider's own tools run there. */
import type { ModelAnswer, ModelCall, ModelUsage } from "../governor/Turn.ts"
import { callIds } from "./callIds.ts"
import { count, isObject, type JsonObject, jsonText, objects, positive, text } from "./json.ts"
import type { Withheld } from "./Withheld.ts"

export const messagesAnswer = (whole: JsonObject): ModelAnswer | undefined =>
  Array.isArray(whole.content)
    ? {
        model: text(whole.model),
        calls: contentCalls(whole).map(({ call }) => call),
        usage: messagesUsage(whole.usage),
      }
    : undefined

export const contentCalls = (
  whole: JsonObject,
): ReadonlyArray<{ readonly call: ModelCall; readonly block: JsonObject }> => {
  const idOf = callIds()
  return objects(whole.content)
    .filter(isCall)
    .map((block, index) => ({
      block,
      call: { callId: idOf(block.id, `call/${index}`), tool: text(block.name), arguments: jsonText(block.input ?? {}) },
    }))
}

export const isCall = (block: JsonObject): boolean => block.type === "tool_use"

/** The provider counts what came from its cache, or went into it, beside the input. */
export const messagesUsage = (usage: unknown): ModelUsage | undefined => {
  if (!isObject(usage)) return undefined
  const cached = positive(usage.cache_read_input_tokens)
  return {
    inputTokens: count(usage.input_tokens) + count(usage.cache_creation_input_tokens) + (cached ?? 0),
    outputTokens: count(usage.output_tokens),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
  }
}

/** What an answer says that has lost all its calls. Cut off, paused and refused it stays. */
export const stopWithoutCalls = (reason: unknown): unknown => (reason === "tool_use" ? "end_turn" : reason)

/** The thread's next request brings a result for each call: the provider has them still. */
export const noteWithheld = (
  id: string,
  gone: ReturnType<typeof contentCalls>,
  removed: ReadonlyMap<string, string>,
  withheld: Withheld,
): void => {
  withheld.any = true
  withheld.note(
    id,
    gone.map(({ call, block }) => errorResult(block.id, removed.get(call.callId))),
  )
}

export const errorResult = (id: unknown, content: string | undefined): JsonObject => ({
  type: "tool_result",
  tool_use_id: id,
  content: content ?? "",
  is_error: true,
})
