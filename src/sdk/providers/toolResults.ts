/** For whoever runs an answer's calls: which they are, and the messages that tell the model what became of them. */
import type { ModelCall, ToolResult } from "../governor/Turn.ts"
import { choiceCalls } from "./chatAnswer.ts"
import { isObject, type JsonObject, jsonText, objects } from "./json.ts"
import { contentCalls } from "./messagesAnswer.ts"
import { outputCalls, outputItem } from "./responsesAnswer.ts"

/**
 * The calls of an answer, as a client gives it: a chat completion (its first choice), a response or a message. Undefined where
 * it is none of them.
 */
export const toolCallsOf = (answer: unknown): ReadonlyArray<ModelCall> | undefined => {
  if (!isObject(answer)) return undefined
  if (Array.isArray(answer.choices)) return choiceCalls(answer)[0]?.calls.map(({ call }) => call) ?? []
  if (Array.isArray(answer.output)) return outputCalls(answer).map(({ call }) => call)
  if (Array.isArray(answer.content)) return contentCalls(answer).map(({ call }) => call)
  return undefined
}

/**
 * What follows the answer in the next request, in the provider's format: `messages`, or items of `input`. A call without a result
 * is left out. An output that is no text goes as JSON. Throws `TypeError` for a call whose result takes more than a text
 * (`computer`).
 */
export const toolResultMessages = (answer: unknown, results: ReadonlyArray<ToolResult>): ReadonlyArray<JsonObject> => {
  const byId = new Map(results.map((result) => [result.callId, result]))
  if (!isObject(answer)) return []
  if (Array.isArray(answer.choices)) {
    const message = objects(answer.choices)[0]?.message
    return (choiceCalls(answer)[0]?.calls ?? []).flatMap(({ call, source }) => {
      const result = byId.get(call.callId)
      if (result === undefined) return []
      const content = told(result)
      const isOld = isObject(message) && source === message.function_call
      return [
        isOld ? { role: "function", name: call.tool, content } : { role: "tool", tool_call_id: source.id, content },
      ]
    })
  }
  if (Array.isArray(answer.output)) {
    return outputCalls(answer).flatMap(({ call, item }) => {
      const result = byId.get(call.callId)
      if (result === undefined) return []
      const output = outputItem(item, told(result), result.isError)
      if (output === undefined) throw new TypeError(`The result of ${call.tool} cannot be told by a text.`)
      return [output]
    })
  }
  const blocks = contentCalls(answer).flatMap(({ call, block }) => {
    const result = byId.get(call.callId)
    if (result === undefined) return []
    const isError = result.isError ? { is_error: true } : {}
    return [{ type: "tool_result", tool_use_id: block.id, content: told(result), ...isError }]
  })
  return blocks.length === 0 ? [] : [{ role: "user", content: blocks }]
}

const told = ({ output }: ToolResult): string => (typeof output === "string" ? output : jsonText(output))
