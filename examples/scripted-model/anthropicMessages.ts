/** Anthropic's messages, `POST /v1/messages`: whole, or as named events. */
import { contentText, type JsonObject, namedEvent, objectsIn, pieces, stringOf } from "./json.ts"
import type { Asked, Reply, Written } from "./ScriptedModel.ts"

export const readMessages = (body: JsonObject): Asked => {
  const messages = objectsIn(body.messages)
  const last = messages.findLastIndex(({ role }) => role === "assistant")
  return {
    model: stringOf(body.model),
    turn: messages.filter(({ role }) => role === "assistant").length,
    prompt: contentText(messages.find(({ role }) => role === "user")?.content),
    tools: objectsIn(body.tools).map(({ name }) => stringOf(name)),
    told: messages.slice(last + 1).map(({ content }) => contentText(content)),
  }
}

export const writeMessage = (answer: Written, body: JsonObject): Reply => {
  const { id, model, text, calls, usage } = answer
  const message = {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [
      ...(text === undefined ? [] : [{ type: "text", text, citations: null }]),
      ...calls.map(({ id: callId, tool, args }) => ({
        type: "tool_use",
        id: callId,
        name: tool,
        input: JSON.parse(args) as unknown,
      })),
    ],
    stop_reason: calls.length > 0 ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: { input_tokens: usage.input, output_tokens: usage.output },
  }
  if (body.stream !== true) return message
  const blocks = [
    ...(text === undefined ? [] : [{ begin: { type: "text", text: "" }, deltas: pieces(text).map(textDelta) }]),
    ...calls.map(({ id: callId, tool, args }) => ({
      begin: { type: "tool_use", id: callId, name: tool, input: {} },
      deltas: pieces(args).map(inputDelta),
    })),
  ]
  const events = [
    { type: "message_start", message: { ...message, content: [], stop_reason: null } },
    ...blocks.flatMap(({ begin, deltas }, index) => [
      { type: "content_block_start", index, content_block: begin },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]),
    {
      type: "message_delta",
      delta: { stop_reason: message.stop_reason, stop_sequence: null },
      usage: { output_tokens: usage.output },
    },
    { type: "message_stop" },
  ]
  return events.map(namedEvent)
}

const textDelta = (text: string): JsonObject => ({ type: "text_delta", text })
const inputDelta = (partial_json: string): JsonObject => ({ type: "input_json_delta", partial_json })
