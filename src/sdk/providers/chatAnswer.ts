/** What an answer of OpenAI's chat completions says: its calls, with where they stand, its usage and how it finished. */
import type { ModelAnswer, ModelCall, ModelUsage } from "../governor/Turn.ts"
import { callIds } from "./callIds.ts"
import { count, isObject, type JsonObject, jsonText, object, objects, positive, text } from "./json.ts"

export const chatAnswer = (whole: JsonObject): ModelAnswer | undefined =>
  Array.isArray(whole.choices)
    ? {
        model: text(whole.model),
        calls: choiceCalls(whole).flatMap(({ calls }) => calls.map(({ call }) => call)),
        usage: chatUsage(whole.usage),
      }
    : undefined

interface ChoiceCalls {
  readonly choice: JsonObject
  readonly calls: ReadonlyArray<{ readonly call: ModelCall; readonly source: JsonObject }>
}

/** The calls of each choice, with where they stand. */
export const choiceCalls = (whole: JsonObject): ReadonlyArray<ChoiceCalls> => {
  const idOf = callIds()
  return objects(whole.choices).map((choice, position) => {
    const message = object(choice.message)
    const calls = objects(message.tool_calls).map((source, index) => ({
      source,
      call: { callId: idOf(source.id, `call/${position}/${index}`), ...calledTool(source) },
    }))
    const old = message.function_call
    if (!isObject(old)) return { choice, calls }
    const call = {
      callId: idOf(undefined, `function_call/${position}`),
      tool: text(old.name),
      arguments: text(old.arguments),
    }
    return { choice, calls: [...calls, { source: old, call }] }
  })
}

/** A custom tool's input is free text: its arguments are `{"input": text}`. */
const calledTool = (call: JsonObject): { readonly tool: string; readonly arguments: string } => {
  if (isObject(call.custom))
    return { tool: text(call.custom.name), arguments: jsonText({ input: text(call.custom.input) }) }
  const called = object(call.function)
  return { tool: text(called.name), arguments: text(called.arguments) }
}

export const chatUsage = (usage: unknown): ModelUsage | undefined => {
  if (!isObject(usage)) return undefined
  const cached = positive(object(usage.prompt_tokens_details).cached_tokens)
  return {
    inputTokens: count(usage.prompt_tokens),
    outputTokens: count(usage.completion_tokens),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
  }
}

/** What a choice says that has lost all its calls. Cut off and filtered it stays. */
export const finishWithoutCalls = (reason: unknown): unknown =>
  reason === "tool_calls" || reason === "function_call" ? "stop" : reason
