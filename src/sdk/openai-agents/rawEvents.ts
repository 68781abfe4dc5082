/** Whether a provider's own event says something of a tool call. The SDK hands such events on as they are, of any provider. */
import { isObject, list, text } from "../providers/json.ts"

/** Events are shallow; what is deeper is content. */
const deepest = 6

/**
 * By structure: chat completions have `tool_calls`, responses have types such as `function_call` and
 * `response.function_call_arguments.delta`, messages have `tool_use` and `input_json_delta`.
 */
export const mentionsCall = (event: unknown, depth = 0): boolean => {
  if (depth > deepest) return false
  if (Array.isArray(event)) return event.some((item) => mentionsCall(item, depth + 1))
  if (!isObject(event)) return false
  if (/_call\b|_call_|tool_use|input_json/.test(text(event.type))) return true
  if (list(event.tool_calls).length > 0 || isObject(event.function_call)) return true
  return Object.values(event).some((value) => mentionsCall(value, depth + 1))
}
