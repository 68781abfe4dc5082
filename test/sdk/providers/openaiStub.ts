/** What OpenAI's servers answer: chat completions and responses, whole and as streams, in the shapes of real answers. */
import { deltas, type Events, type Part, type Reply, type Script, type StubAnswer } from "./stubServer.ts"

type Json = Readonly<Record<string, unknown>>
type Call = Extract<Part, { type: "call" }>

/** A script that answers a chat completion as it was asked: whole or streamed, with the usage or without. */
export const chatReply =
  (answer: StubAnswer | ReadonlyArray<StubAnswer>, how: Omit<Events, "events"> = {}): Script =>
  ({ json }): Reply =>
    json.stream === true
      ? { events: chatEvents(answer, (json.stream_options as Json | undefined)?.include_usage === true), ...how }
      : { json: chatCompletion(answer) }

export const responsesReply =
  (answer: StubAnswer, how: Omit<Events, "events"> = {}): Script =>
  ({ json }): Reply =>
    json.stream === true ? { events: responsesEvents(answer), ...how } : { json: response(answer) }

export const rateLimited: Reply = {
  status: 429,
  headers: { "retry-after-ms": "1" },
  json: { error: { message: "Rate limit reached", type: "requests", param: null, code: "rate_limit_exceeded" } },
}

export const overloaded: Reply = {
  status: 500,
  headers: { "retry-after-ms": "1" },
  json: { error: { message: "The server had an error", type: "server_error", param: null, code: null } },
}

const choicesOf = (answer: StubAnswer | ReadonlyArray<StubAnswer>): ReadonlyArray<StubAnswer> =>
  "parts" in answer ? [answer] : answer

const textOf = ({ parts }: StubAnswer): string | null => {
  const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
  return texts.length === 0 ? null : texts.join("")
}

const callsOf = ({ parts }: StubAnswer): ReadonlyArray<Call> => parts.filter((part) => part.type === "call")

const chatUsage = ({ usage = { input: 20, output: 10 } }: StubAnswer): Json => ({
  prompt_tokens: usage.input,
  completion_tokens: usage.output,
  total_tokens: usage.input + usage.output,
  prompt_tokens_details: { cached_tokens: usage.cached ?? 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
})

const finishOf = (answer: StubAnswer): string => answer.stop ?? (callsOf(answer).length > 0 ? "tool_calls" : "stop")

const head = (answer: StubAnswer, object: string): Json => ({
  id: answer.id ?? "chatcmpl-1",
  object,
  created: 1_760_000_000,
  model: answer.model ?? "gpt-5-mini-2025-08-07",
  service_tier: "default",
  system_fingerprint: null,
})

export const chatCompletion = (answer: StubAnswer | ReadonlyArray<StubAnswer>): Json => {
  const choices = choicesOf(answer)
  const first = choices[0] ?? { parts: [] }
  return {
    ...head(first, "chat.completion"),
    choices: choices.map((choice, index) => {
      const calls = callsOf(choice)
      return {
        index,
        message: {
          role: "assistant",
          content: textOf(choice),
          ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCall) }),
          refusal: null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: finishOf(choice),
      }
    }),
    usage: chatUsage(first),
  }
}

const toolCall = ({ id, name, arguments: args, custom }: Call): Json =>
  custom === true
    ? { id, type: "custom", custom: { name, input: args } }
    : { id, type: "function", function: { name, arguments: args } }

/** The chunks as `data:` lines, `[DONE]` included. Calls of one choice come in turns, text of several choices too. */
export const chatEvents = (
  answer: StubAnswer | ReadonlyArray<StubAnswer>,
  withUsage: boolean,
): ReadonlyArray<string> => {
  const choices = choicesOf(answer)
  const first = choices[0] ?? { parts: [] }
  const common = { ...head(first, "chat.completion.chunk"), ...(withUsage ? { usage: null } : {}) }
  const chunk = (index: number, delta: Json, finish_reason: string | null = null): Json => ({
    ...common,
    choices: [{ index, delta, logprobs: null, finish_reason }],
  })
  const chunks = choices.flatMap((choice, index) => {
    const text = textOf(choice)
    const calls = callsOf(choice)
    const opening = (call: Call): Json =>
      call.custom === true
        ? { id: call.id, type: "custom", custom: { name: call.name, input: "" } }
        : { id: call.id, type: "function", function: { name: call.name, arguments: "" } }
    const piece = (call: Call, part: string): Json =>
      call.custom === true ? { custom: { input: part } } : { function: { arguments: part } }
    const started =
      text === null && calls[0] !== undefined
        ? chunk(index, {
            role: "assistant",
            content: null,
            tool_calls: [{ index: 0, ...opening(calls[0]) }],
            refusal: null,
          })
        : chunk(index, { role: "assistant", content: "", refusal: null })
    return [
      started,
      ...deltas(text ?? "").map((content) => chunk(index, { content })),
      ...calls.flatMap((call, at) => [
        ...(at === 0 && text === null ? [] : [chunk(index, { tool_calls: [{ index: at, ...opening(call) }] })]),
        ...deltas(call.arguments, 7).map((part) => chunk(index, { tool_calls: [{ index: at, ...piece(call, part) }] })),
      ]),
      chunk(index, {}, finishOf(choice)),
    ]
  })
  const usage = withUsage ? [{ ...common, choices: [], usage: chatUsage(first) }] : []
  return [...[...chunks, ...usage].map((json) => `data: ${JSON.stringify(json)}\n\n`), "data: [DONE]\n\n"]
}

export const response = (answer: StubAnswer): Json => ({
  ...openResponse(answer),
  status: answer.stop ?? "completed",
  output: answer.parts.map(outputItem),
  usage: {
    input_tokens: answer.usage?.input ?? 20,
    input_tokens_details: { cached_tokens: answer.usage?.cached ?? 0 },
    output_tokens: answer.usage?.output ?? 10,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: (answer.usage?.input ?? 20) + (answer.usage?.output ?? 10),
  },
})

const openResponse = (answer: StubAnswer): Json => ({
  id: answer.id ?? "resp_1",
  object: "response",
  created_at: 1_760_000_000,
  status: "in_progress",
  error: null,
  incomplete_details: null,
  instructions: null,
  model: answer.model ?? "gpt-5-mini-2025-08-07",
  output: [],
  parallel_tool_calls: true,
  previous_response_id: null,
  tool_choice: "auto",
  tools: [],
  usage: null,
  metadata: {},
})

const outputItem = (part: Part, index: number): Json => {
  switch (part.type) {
    case "text": {
      const content = [{ type: "output_text", text: part.text, annotations: [], logprobs: [] }]
      return { id: `msg_${index}`, type: "message", role: "assistant", status: "completed", content }
    }
    case "thinking":
      return {
        id: part.id,
        type: "reasoning",
        summary: [{ type: "summary_text", text: part.text }],
        encrypted_content: null,
      }
    case "search":
      return {
        id: part.id,
        type: "web_search_call",
        status: "completed",
        action: { type: "search", query: part.query },
      }
    case "call": {
      const named = { id: `fc_${part.id}`, call_id: part.id, name: part.name, status: "completed" }
      return part.custom === true
        ? { ...named, type: "custom_tool_call", input: part.arguments }
        : { ...named, type: "function_call", arguments: part.arguments }
    }
  }
}

/** The events with their names; the numbers run on from 0. */
export const responsesEvents = (answer: StubAnswer): ReadonlyArray<string> => {
  const opened = openResponse(answer)
  const events: Array<Json> = [
    { type: "response.created", response: opened },
    { type: "response.in_progress", response: opened },
    ...answer.parts.flatMap((part, output_index) => itemEvents(outputItem(part, output_index), part, output_index)),
    { type: answer.stop === "incomplete" ? "response.incomplete" : "response.completed", response: response(answer) },
  ]
  return events.map((event, sequence_number) => {
    const json = { ...event, sequence_number }
    return `event: ${String(event.type)}\ndata: ${JSON.stringify(json)}\n\n`
  })
}

const itemEvents = (item: Json, part: Part, output_index: number): ReadonlyArray<Json> => {
  const at = { output_index, item_id: item.id }
  const inner = ((): ReadonlyArray<Json> => {
    switch (part.type) {
      case "text": {
        const empty = { type: "output_text", text: "", annotations: [], logprobs: [] }
        const full = { ...empty, text: part.text }
        return [
          { type: "response.content_part.added", ...at, content_index: 0, part: empty },
          ...deltas(part.text).map((delta) => ({
            type: "response.output_text.delta",
            ...at,
            content_index: 0,
            delta,
            logprobs: [],
          })),
          { type: "response.output_text.done", ...at, content_index: 0, text: part.text, logprobs: [] },
          { type: "response.content_part.done", ...at, content_index: 0, part: full },
        ]
      }
      case "call": {
        const kind = part.custom === true ? "custom_tool_call_input" : "function_call_arguments"
        const done = part.custom === true ? { input: part.arguments } : { arguments: part.arguments, name: part.name }
        return [
          ...deltas(part.arguments, 7).map((delta) => ({ type: `response.${kind}.delta`, ...at, delta })),
          { type: `response.${kind}.done`, ...at, ...done },
        ]
      }
      default:
        return []
    }
  })()
  const blank = { content: [], arguments: "", input: "", summary: [] }
  const started = Object.fromEntries(
    Object.entries(item).map(([key, value]) => [key, key in blank ? blank[key as keyof typeof blank] : value]),
  )
  return [
    {
      type: "response.output_item.added",
      output_index,
      item: { ...started, ...(item.status === undefined ? {} : { status: "in_progress" }) },
    },
    ...inner,
    { type: "response.output_item.done", output_index, item },
  ]
}
