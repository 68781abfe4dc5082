/** OpenAI's responses, `POST /v1/responses`: whole, or as named events. The conversation is the request's `input`. */
import { contentText, type JsonObject, namedEvent, objectsIn, pieces, stringOf } from "./json.ts"
import type { Asked, Reply, Written } from "./ScriptedModel.ts"

export const readResponses = (body: JsonObject): Asked => {
  const items = typeof body.input === "string" ? [{ role: "user", content: body.input }] : objectsIn(body.input)
  const last = items.findLastIndex(isAnswer)
  return {
    model: stringOf(body.model),
    // One answer is one or more items that stand together.
    turn: items.filter((item, index) => isAnswer(item) && !isAnswer(items[index - 1])).length,
    prompt: contentText(items.find(({ role }) => role === "user")?.content),
    tools: objectsIn(body.tools).map(({ name }) => stringOf(name)),
    told: items.slice(last + 1).map((item) => contentText(item.output ?? item.content)),
  }
}

const isAnswer = (item: JsonObject | undefined): boolean => item?.type === "function_call" || item?.role === "assistant"

export const writeResponse = (answer: Written, body: JsonObject): Reply => {
  const items = itemsOf(answer)
  const whole = responseOf(answer, "completed", items)
  if (body.stream !== true) return whole
  const opened = responseOf(answer, "in_progress", [])
  const events = [
    { type: "response.created", response: opened },
    ...items.flatMap((item, output_index) => itemEvents(item, output_index)),
    { type: "response.completed", response: whole },
  ]
  return events.map((event, sequence_number) => namedEvent({ ...event, sequence_number }))
}

interface Item extends JsonObject {
  readonly id: string
  readonly arguments?: string
}

const itemsOf = ({ id, text, calls }: Written): ReadonlyArray<Item> => [
  ...(text === undefined
    ? []
    : [
        {
          id: `msg_${id}`,
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text, annotations: [] }],
        },
      ]),
  ...calls.map(({ id: call_id, tool, args }) => ({
    id: `fc_${call_id}`,
    type: "function_call",
    call_id,
    name: tool,
    arguments: args,
    status: "completed",
  })),
]

const responseOf = ({ id, model, usage }: Written, status: string, output: ReadonlyArray<Item>): JsonObject => ({
  id,
  object: "response",
  created_at: 0,
  model,
  status,
  error: null,
  incomplete_details: null,
  output,
  usage: {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.input + usage.output,
  },
})

const itemEvents = (item: Item, output_index: number): ReadonlyArray<JsonObject> => {
  const at = { output_index, item_id: item.id }
  const isCall = item.arguments !== undefined
  const text = item.arguments ?? contentText(item.content)
  const part = { type: "output_text", annotations: [] }
  const inner: ReadonlyArray<JsonObject> = isCall
    ? [
        ...pieces(text).map((delta) => ({ type: "response.function_call_arguments.delta", ...at, delta })),
        { type: "response.function_call_arguments.done", ...at, arguments: text, name: item.name },
      ]
    : [
        { type: "response.content_part.added", ...at, content_index: 0, part: { ...part, text: "" } },
        ...pieces(text).map((delta) => ({ type: "response.output_text.delta", ...at, content_index: 0, delta })),
        { type: "response.output_text.done", ...at, content_index: 0, text },
        { type: "response.content_part.done", ...at, content_index: 0, part: { ...part, text } },
      ]
  const begun = { ...item, status: "in_progress", ...(isCall ? { arguments: "" } : { content: [] }) }
  return [
    { type: "response.output_item.added", output_index, item: begun },
    ...inner,
    { type: "response.output_item.done", output_index, item },
  ]
}
