/**
 * Whatever an answer is, in whatever pieces it comes, and whichever calls are blocked: what a real client makes of it is the answer
 * less the blocked calls, and no byte of a blocked call reaches the caller.
 */
import Anthropic from "@anthropic-ai/sdk"
import fc from "fast-check"
import OpenAI from "openai"
import { expect, test } from "vitest"
import { governedClient } from "../../../src/sdk/providers/governedClient.ts"
import { message, messageEvents } from "./anthropicStub.ts"
import { errors, fakeGovernor } from "./fakeGovernor.ts"
import { chatCompletion, chatEvents, response, responsesEvents } from "./openaiStub.ts"
import { type Part, pieces, type StubAnswer } from "./stubServer.ts"

type Json = Readonly<Record<string, unknown>>

/** Names and arguments that occur nowhere else in an answer. */
const callPart = fc
  .record({ name: fc.constantFrom("pay", "scan", "mail"), value: fc.string({ unit: "grapheme", maxLength: 30 }) })
  .map(({ name, value }) => ({ name, value }))

const answers = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((value) => ({ type: "text", value }) as const),
      callPart.map((value) => ({ type: "call", value }) as const),
      fc.constant({ type: "thinking" } as const),
      fc.constant({ type: "search" } as const),
    ),
    { maxLength: 6 },
  )
  .map((drawn) => drawn.map(partOf))

type Drawn =
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "call"; readonly value: { readonly name: string; readonly value: string } }
  | { readonly type: "thinking" | "search" }

const partOf = (part: Drawn, index: number): Part => {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.value }
    case "thinking":
      return { type: "thinking", id: `rs_${index}`, text: `thought ${index} über` }
    case "search":
      return { type: "search", id: `ws_${index}`, query: `query ${index}` }
    case "call": {
      const args = JSON.stringify({ [`secret-${index}-é`]: part.value.value })
      return { type: "call", id: `call_${index}_`, name: `${part.value.name}_${index}_`, arguments: args }
    }
  }
}

const cases = fc.record({
  parts: answers,
  blocked: fc.array(fc.nat(5), { maxLength: 6 }).map((ids) => new Set(ids.map((id) => `call_${id}_`))),
  pieceBytes: fc.integer({ min: 1, max: 200 }),
  stop: fc.boolean(),
  usage: fc.boolean(),
})

const less = (answer: StubAnswer, blocked: ReadonlySet<string>): StubAnswer => ({
  ...answer,
  parts: answer.parts.filter((part) => part.type !== "call" || !blocked.has(part.id)),
})

/** A fetch that answers with these events in pieces, and remembers what the caller was handed. */
const fetchOf = (events: ReadonlyArray<string>, pieceBytes: number) => async (): Promise<Response> => {
  const bytes = pieces(Buffer.from(events.join("")), pieceBytes)
  let next = 0
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = bytes[next++]
      if (piece === undefined) controller.close()
      else controller.enqueue(piece)
    },
  })
  return new Response(body, { headers: { "content-type": "text/event-stream" } })
}

const jsonFetch = (json: unknown) => async (): Promise<Response> => Response.json(json)

const governorOf = (blocked: ReadonlySet<string>) => fakeGovernor({ blocked: (id) => blocked.has(id) })

/** No byte of a blocked call: neither its id, nor its name, nor its arguments. */
const expectNothingOf = (parts: ReadonlyArray<Part>, blocked: ReadonlySet<string>, seen: string) => {
  for (const part of parts) {
    if (part.type !== "call" || !blocked.has(part.id)) continue
    expect(seen).not.toContain(part.id)
    expect(seen).not.toContain(part.name)
    const number = /\d+/.exec(part.id)?.[0]
    expect(seen).not.toContain(`secret-${number}`)
  }
}

const openaiOf = (fetch: () => Promise<Response>, blocked: ReadonlySet<string>) => {
  const governor = governorOf(blocked)
  const client = new OpenAI({ apiKey: "key", baseURL: "http://stub/v1", maxRetries: 0, fetch })
  return { governor, client: governedClient(client, governor, { errors }) }
}

const isCut = (kept: ReadonlyArray<Part>, all: ReadonlyArray<Part>) => kept.length < all.length

test("a streamed chat completion is the answer less the blocked calls", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ parts, blocked, pieceBytes, usage }) => {
      const answer = { parts: parts.filter(({ type }) => type === "text" || type === "call") }
      const kept = less(answer, blocked)
      const { client, governor } = openaiOf(fetchOf(chatEvents(answer, true), pieceBytes), blocked)
      const stream = client.chat.completions.stream({
        model: "m",
        messages: [],
        ...(usage ? { stream_options: { include_usage: true } } : {}),
      })
      const seen: Array<unknown> = []
      for await (const chunk of stream) seen.push(chunk)
      const final = await stream.finalChatCompletion()
      const wanted = chatCompletion(kept) as unknown as OpenAI.ChatCompletion
      expect(final.choices[0]?.message.content ?? "").toBe(wanted.choices[0]?.message.content ?? "")
      expect(final.choices[0]?.message.tool_calls?.map(plainCall)).toEqual(
        wanted.choices[0]?.message.tool_calls?.map(plainCall),
      )
      expect(final.choices[0]?.finish_reason).toBe(wanted.choices[0]?.finish_reason)
      expect(final.usage === undefined || final.usage === null).toBe(!usage)
      expectNothingOf(parts, blocked, JSON.stringify(seen))
      expect(governor.last().answer?.usage?.inputTokens).toBe(20)
      expect(governor.last().answer?.calls).toEqual(asCalls(answer))
    }),
  )
})

const plainCall = (tool: unknown) => {
  const {
    type,
    id,
    function: called,
  } = tool as { type: string; id: string; function: { name: string; arguments: string } }
  return { type, id, name: called.name, arguments: called.arguments }
}

const asCalls = ({ parts }: StubAnswer) =>
  parts.flatMap((part) =>
    part.type === "call" ? [{ callId: part.id, tool: part.name, arguments: part.arguments }] : [],
  )

test("a streamed response is the answer less the blocked calls, and its numbers have no gap", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ parts, blocked, pieceBytes, stop }) => {
      const answer: StubAnswer = { parts, ...(stop ? { stop: "incomplete" } : {}) }
      const kept = less(answer, blocked)
      const { client, governor } = openaiOf(fetchOf(responsesEvents(answer), pieceBytes), blocked)
      const stream = client.responses.stream({ model: "m", input: "" })
      const seen: Array<{ sequence_number: number; output_index?: number; item?: { id?: string } }> = []
      for await (const event of stream) seen.push(event as (typeof seen)[number])
      const final = await stream.finalResponse()
      const whole = JSON.parse(JSON.stringify(response(answer))) as { output: Array<{ call_id?: string }> }
      const wanted = whole.output.filter(({ call_id }) => call_id === undefined || !blocked.has(call_id))
      expect(final.output.map(withoutParsed)).toEqual(wanted)
      expect(seen.map(({ sequence_number }) => sequence_number)).toEqual(seen.map((_, index) => index))
      for (const { output_index, item } of seen) {
        if (output_index === undefined || item?.id === undefined) continue
        expect((wanted[output_index] as { id?: string }).id).toBe(item.id)
      }
      expectNothingOf(parts, blocked, JSON.stringify(seen))
      expect(governor.last().answer?.calls).toEqual(asCalls(answer))
      expect(isCut(kept.parts, parts)).toBe(final.output.length < parts.length)
    }),
  )
})

const withoutParsed = (item: unknown): unknown =>
  JSON.parse(
    JSON.stringify(item, (key, value: unknown) => (key === "parsed_arguments" || key === "parsed" ? undefined : value)),
  )

test("a streamed message is the answer less the blocked calls", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ parts, blocked, pieceBytes, stop }) => {
      const answer: StubAnswer = { parts, ...(stop ? { stop: "max_tokens" } : {}) }
      const governor = governorOf(blocked)
      const plain = new Anthropic({
        apiKey: "key",
        baseURL: "http://stub",
        maxRetries: 0,
        fetch: fetchOf(messageEvents(answer), pieceBytes),
      })
      const client = governedClient(plain, governor, { errors })
      const stream = client.messages.stream({ model: "m", max_tokens: 100, messages: [] })
      const seen: Array<unknown> = []
      for await (const event of stream) seen.push(event)
      const final = await stream.finalMessage()
      const wanted = message(less(answer, blocked)) as { content: ReadonlyArray<Json>; stop_reason: string }
      expect(final.content.map((block) => ({ ...block, citations: null }))).toEqual(
        wanted.content.map((block) => ({ ...block, citations: null })),
      )
      expect(final.stop_reason).toBe(wanted.stop_reason)
      expectNothingOf(parts, blocked, JSON.stringify(seen))
      expect(governor.last().answer?.calls).toEqual(asCalls(answer))
      expect(governor.last().answer?.usage).toEqual({ inputTokens: 20, outputTokens: 10 })
    }),
  )
})

test("an answer in one piece is the answer less the blocked calls, with each provider", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ parts, blocked }) => {
      const chatParts = { parts: parts.filter(({ type }) => type === "text" || type === "call") }
      const chat = openaiOf(jsonFetch(chatCompletion(chatParts)), blocked).client
      const completion = await chat.chat.completions.create({ model: "m", messages: [] })
      const wanted = chatCompletion(less(chatParts, blocked)) as unknown as OpenAI.ChatCompletion
      const message_ = wanted.choices[0]?.message
      const isEmptied =
        message_?.tool_calls === undefined && chatParts.parts.length > less(chatParts, blocked).parts.length
      if (message_ !== undefined && isEmptied) message_.content ??= ""
      expect({ ...completion }).toEqual(wanted)

      const answered = await openaiOf(jsonFetch(response({ parts })), blocked).client.responses.create({ model: "m" })
      const whole = response({ parts }) as { output: Array<{ call_id?: string }> }
      expect(answered.output).toEqual(whole.output.filter(({ call_id }) => !blocked.has(call_id ?? "")))

      const governor = governorOf(blocked)
      const plain = new Anthropic({ apiKey: "key", baseURL: "http://stub", fetch: jsonFetch(message({ parts })) })
      const client = governedClient(plain, governor, { errors })
      const said = await client.messages.create({ model: "m", max_tokens: 1, messages: [] })
      expect({ ...said }).toEqual(message(less({ parts }, blocked)))
    }),
  )
})
