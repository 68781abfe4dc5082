/** OpenAI's chat completions, `POST /v1/chat/completions`: whole, or as chunks that end with `[DONE]`. */
import { contentText, isJsonObject, type JsonObject, objectsIn, pieces, stringOf } from "./json.ts"
import type { Asked, Reply, Written } from "./ScriptedModel.ts"

export const readChat = (body: JsonObject): Asked => {
  const messages = objectsIn(body.messages)
  const last = messages.findLastIndex(({ role }) => role === "assistant")
  return {
    model: stringOf(body.model),
    turn: messages.filter(({ role }) => role === "assistant").length,
    prompt: contentText(messages.find(({ role }) => role === "user")?.content),
    tools: objectsIn(body.tools).map((tool) => (isJsonObject(tool.function) ? stringOf(tool.function.name) : "")),
    told: messages.slice(last + 1).map(({ content }) => contentText(content)),
  }
}

export const writeChat = (answer: Written, body: JsonObject): Reply => {
  const { id, model, text, calls } = answer
  const head = { id, created: 0, model }
  const finish_reason = calls.length > 0 ? "tool_calls" : "stop"
  const tool_calls = calls.map(({ id: callId, tool, args }) => ({
    id: callId,
    type: "function",
    function: { name: tool, arguments: args },
  }))
  const message = {
    role: "assistant",
    content: text ?? null,
    refusal: null,
    ...(calls.length > 0 ? { tool_calls } : {}),
  }
  if (body.stream !== true)
    return {
      ...head,
      object: "chat.completion",
      choices: [{ index: 0, message, logprobs: null, finish_reason }],
      usage: usageOf(answer),
    }
  const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  })
  const chunks = [
    chunk({ role: "assistant", content: "" }),
    ...pieces(text ?? "").map((content) => chunk({ content })),
    ...tool_calls.flatMap(({ function: { name, arguments: args }, ...call }, index) => [
      chunk({ tool_calls: [{ index, ...call, function: { name, arguments: "" } }] }),
      ...pieces(args).map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
    ]),
    chunk({}, finish_reason),
    ...(wantsUsage(body) ? [{ ...chunk({}), choices: [], usage: usageOf(answer) }] : []),
  ]
  return [...chunks.map((json) => `data: ${JSON.stringify(json)}\n\n`), "data: [DONE]\n\n"]
}

/** A stream tells its usage only where it is asked to. */
const wantsUsage = ({ stream_options }: JsonObject): boolean =>
  isJsonObject(stream_options) && stream_options.include_usage === true

const usageOf = ({ usage: { input, output } }: Written): JsonObject => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
})
