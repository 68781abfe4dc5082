/** What Anthropic's servers answer: messages, whole and as streams, in the shapes of real answers. */
import { deltas, type Events, type Part, type Reply, type Script, type StubAnswer } from "./stubServer.ts"

type Json = Readonly<Record<string, unknown>>

/** A script that answers a message as it was asked: whole or streamed. */
export const messageReply =
  (answer: StubAnswer, how: Omit<Events, "events"> = {}): Script =>
  ({ json }): Reply =>
    json.stream === true ? { events: messageEvents(answer), ...how } : { json: message(answer) }

export const rateLimited: Reply = {
  status: 429,
  headers: { "retry-after-ms": "1" },
  json: { type: "error", error: { type: "rate_limit_error", message: "Rate limited" } },
}

const stopOf = ({ parts, stop }: StubAnswer): string =>
  stop ?? (parts.some(({ type }) => type === "call") ? "tool_use" : "end_turn")

const usageOf = ({ usage = { input: 20, output: 10 } }: StubAnswer): Json => ({
  input_tokens: usage.input,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: usage.cached ?? 0,
  output_tokens: usage.output,
  service_tier: "standard",
})

export const message = (answer: StubAnswer): Json => ({
  id: answer.id ?? "msg_1",
  type: "message",
  role: "assistant",
  model: answer.model ?? "claude-opus-5",
  content: answer.parts.map(block),
  stop_reason: stopOf(answer),
  stop_sequence: null,
  usage: usageOf(answer),
})

const block = (part: Part): Json => {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text, citations: null }
    case "thinking":
      return { type: "thinking", thinking: part.text, signature: `sig-${part.id}` }
    case "search":
      return { type: "server_tool_use", id: part.id, name: "web_search", input: { query: part.query } }
    case "call":
      return { type: "tool_use", id: part.id, name: part.name, input: JSON.parse(part.arguments) as unknown }
  }
}

/** The events with their names, a ping among them. */
export const messageEvents = (answer: StubAnswer): ReadonlyArray<string> => {
  const whole = message(answer)
  const start = {
    ...whole,
    content: [],
    stop_reason: null,
    usage: { ...usageOf(answer), output_tokens: 1 },
  }
  const events: Array<Json> = [
    { type: "message_start", message: start },
    { type: "ping" },
    ...answer.parts.flatMap((part, index) => [
      { type: "content_block_start", index, content_block: emptyBlock(part) },
      ...blockDeltas(part).map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]),
    {
      type: "message_delta",
      delta: { stop_reason: whole.stop_reason, stop_sequence: null },
      usage: { output_tokens: answer.usage?.output ?? 10 },
    },
    { type: "message_stop" },
  ]
  return events.map((event) => `event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`)
}

const emptyBlock = (part: Part): Json => {
  switch (part.type) {
    case "text":
      return { type: "text", text: "" }
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" }
    default:
      return { ...block(part), input: {} }
  }
}

const blockDeltas = (part: Part): ReadonlyArray<Json> => {
  switch (part.type) {
    case "text":
      return deltas(part.text).map((text) => ({ type: "text_delta", text }))
    case "thinking":
      return [
        ...deltas(part.text).map((thinking) => ({ type: "thinking_delta", thinking })),
        { type: "signature_delta", signature: `sig-${part.id}` },
      ]
    case "search":
      return inputDeltas(JSON.stringify({ query: part.query }))
    case "call":
      return inputDeltas(part.arguments)
  }
}

const inputDeltas = (json: string): ReadonlyArray<Json> =>
  ["", ...deltas(json, 7)].map((partial_json) => ({ type: "input_json_delta", partial_json }))
