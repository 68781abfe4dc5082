/** What the governor refuses reaches the caller as the very error, once, and answers that are fed back are asked again. */
import type Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { expect, test } from "vitest"
import { Refusals } from "../../../src/sdk/providers/Refusals.ts"
import { messageReply } from "./anthropicStub.ts"
import type { FakeOptions } from "./fakeGovernor.ts"
import { anthropic, call, caught, chatTool, collect, messagesTool, openai, text } from "./fixtures.ts"
import { chatReply, rateLimited, responsesReply } from "./openaiStub.ts"
import { type Part, type StubAnswer, type StubServer, stubServer } from "./stubServer.ts"

const messages = [{ role: "user" as const, content: "Hi" }]
const ask = { model: "m", messages }

const askChat = (stub: StubServer, governor: FakeOptions) => {
  const governed = openai(stub, { governor })
  return { ...governed, create: () => governed.client.chat.completions.create(ask) }
}
const askResponses = (stub: StubServer, governor: FakeOptions) => {
  const governed = openai(stub, { governor })
  return { ...governed, create: () => governed.client.responses.create({ model: "m", input: "Hi" }) }
}
const askMessages = (stub: StubServer, governor: FakeOptions) => {
  const governed = anthropic(stub, { governor })
  return { ...governed, create: () => governed.client.messages.create({ ...ask, max_tokens: 9 }) }
}
const providers = [
  { name: "chat completions", reply: chatReply, open: askChat },
  { name: "responses", reply: responsesReply, open: askResponses },
  { name: "messages", reply: messageReply, open: askMessages },
]

for (const { name, reply, open } of providers) {
  test(`${name}: what begin refuses is thrown as it is, and nothing is sent`, async () => {
    await using stub = await stubServer()
    const refused = new TypeError("no more")
    const { create, governor } = open(stub, { begin: () => refused })
    expect(await caught(create())).toBe(refused)
    expect(await caught(create().asResponse())).toBe(refused)
    expect(await caught(create().withResponse())).toBe(refused)
    expect([stub.requests.length, governor.turns.length]).toEqual([0, 0])
  })

  test(`${name}: what finish refuses is thrown as it is, and the provider was asked once`, async () => {
    await using stub = await stubServer()
    const refused = new Error("all of it is blocked")
    stub.next(reply({ parts: [call("c1", "pay")] }))
    const { create, governor } = open(stub, { finish: () => refused })
    expect(await caught(create())).toBe(refused)
    expect(stub.requests).toHaveLength(1)
    expect(governor.turns.map(({ ended }) => ended)).toEqual(["finished"])
  })

  test(`${name}: a kill while the provider thinks is thrown with its reason, and the request is stopped`, async () => {
    await using stub = await stubServer()
    const kill = new AbortController()
    const killed = new Error("killed")
    stub.next(() => {
      setImmediate(() => kill.abort(killed))
      return "never"
    })
    const { create, governor } = open(stub, { signal: kill.signal })
    expect(await caught(create())).toBe(killed)
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(governor.turns.map(({ ended }) => ended)).toEqual(["failed"])
  })
}

const helpers: Readonly<Record<string, (stub: StubServer, governor: FakeOptions) => Promise<unknown>>> = {
  "chat.completions.stream": (stub, governor) =>
    collect(openai(stub, { governor }).client.chat.completions.stream(ask)),
  "chat.completions.runTools": (stub, governor) =>
    openai(stub, { governor })
      .client.chat.completions.runTools({ ...ask, tools: [] })
      .finalContent(),
  "responses.stream": (stub, governor) =>
    openai(stub, { governor }).client.responses.stream({ model: "m", input: "x" }).finalResponse(),
  "messages.stream": (stub, governor) =>
    collect(anthropic(stub, { governor }).client.messages.stream({ ...ask, max_tokens: 9 })),
  "beta.messages.stream": (stub, governor) =>
    anthropic(stub, { governor })
      .client.beta.messages.stream({ ...ask, max_tokens: 9 })
      .finalMessage(),
}

for (const [name, run] of Object.entries(helpers)) {
  const reply = name.startsWith("chat") ? chatReply : name.startsWith("responses") ? responsesReply : messageReply
  const answer = { parts: [text("Hello"), call("c1", "pay")] }

  test(`${name}: an error of the governor's is not wrapped, at the start, at the end and in the middle`, async () => {
    await using stub = await stubServer()
    const refused = new Error("no")
    expect(await caught(run(stub, { begin: () => refused }))).toBe(refused)
    stub.next(reply(answer))
    expect(await caught(run(stub, { finish: () => refused }))).toBe(refused)
    const kill = new AbortController()
    const killed = new Error("killed")
    stub.next((request) => {
      setImmediate(() => kill.abort(killed))
      const never = new Promise(() => {})
      return request.json.stream === true ? reply(answer, { until: { after: 3, promise: never } })(request) : "never"
    })
    expect(await caught(run(stub, { signal: kill.signal }))).toBe(killed)
  })
}

test("a kill is not waited for by a fetch that minds no signal", async () => {
  const kill = new AbortController()
  const killed = new Error("killed")
  const fetch = () => {
    setImmediate(() => kill.abort(killed))
    return new Promise<never>(() => {})
  }
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { signal: kill.signal }, client: { fetch } })
  expect(await caught(client.chat.completions.create(ask))).toBe(killed)
})

test("a refusal comes out once, and only what a governor has refused does", () => {
  const refusals = new Refusals()
  const error = new Error("no")
  const response = refusals.response(error)
  expect(response.headers.get("x-should-retry")).toBe("false")
  expect(refusals.take(new Headers())).toBeUndefined()
  expect(refusals.take(new Headers({ "x-handrail-refusal": "made up" }))).toBeUndefined()
  expect(refusals.take(response.headers)?.error).toBe(error)
  expect(refusals.take(response.headers)).toBeUndefined()
})

test("a middleware that makes a response anew does not hide a refusal", async () => {
  await using stub = await stubServer()
  const refused = new Error("no")
  const { client } = anthropic(stub, {
    governor: { begin: () => refused },
    client: {
      middleware: [
        async (request, next) => {
          const { body, status, headers } = await next(request)
          return new Response(body, { status, headers: new Headers(headers) })
        },
      ],
    },
  })
  expect(await caught(client.messages.create({ ...ask, max_tokens: 1 }))).toBe(refused)
})

const blockOnce = { blocked: (_: string, tool: string) => tool === "pay", retries: 1 }
const blocked: StubAnswer = { id: "a1", parts: [text("Paying. "), call("c1", "pay", { n: 1 }), call("c2", "scan")] }
const mended: StubAnswer = { id: "a2", parts: [text("Scanning."), call("c3", "scan")] }

test("chat completions: a blocked answer is fed back with an error for each call, under a new turn", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: blockOnce })
  stub.next(chatReply(blocked), chatReply(mended))
  const completion = await client.chat.completions.create(
    { ...ask, tools: [chatTool("pay")] },
    { idempotencyKey: "once", headers: { "idempotency-key": "once" } },
  )
  expect(completion.id).toBe("a2")
  expect(governor.turns.map(({ request, ended }) => [request.attempt, ended])).toEqual([
    [0, "finished"],
    [1, "finished"],
  ])
  const [first, second] = stub.requests
  expect(second?.json).toMatchObject({ model: "m", tools: [chatTool("pay")] })
  expect((second?.json.messages as Array<unknown> | undefined)?.slice(1)).toMatchObject([
    { role: "assistant", content: "Paying. ", tool_calls: [{ id: "c1" }, { id: "c2" }] },
    { role: "tool", tool_call_id: "c1", content: "fed back c1" },
    { role: "tool", tool_call_id: "c2", content: "fed back c2" },
  ])
  expect([first?.headers["idempotency-key"], second?.headers["idempotency-key"]]).toEqual(["once", undefined])
})

test("responses: a blocked answer is gone on from where the provider keeps it, and sent back where it does not", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: blockOnce })
  const thought: Part = { type: "thinking", id: "rs_1", text: "hm" }
  const answer = { ...blocked, parts: [thought, ...blocked.parts] }
  stub.next(responsesReply(answer), responsesReply(mended), responsesReply(answer), responsesReply(mended))
  const output = (call_id: string) => ({ type: "function_call_output", call_id, output: `fed back ${call_id}` })
  await client.responses.create({ model: "m", input: "Hi" })
  expect(stub.requests[1]?.json).toEqual({
    model: "m",
    previous_response_id: "a1",
    input: [output("c1"), output("c2")],
  })
  await client.responses.create({ model: "m", input: "Hi", store: false })
  expect(stub.requests[3]?.json.input).toMatchObject([
    { role: "user", content: "Hi" },
    { type: "message" },
    { type: "function_call", call_id: "c1" },
    { type: "function_call", call_id: "c2" },
    output("c1"),
    output("c2"),
  ])
  stub.next(responsesReply(blocked), responsesReply(mended))
  await client.responses.create({ model: "m", input: "Hi", conversation: "conv" })
  expect(stub.requests[5]?.json).toEqual({ model: "m", conversation: "conv", input: [output("c1"), output("c2")] })
})

test("messages: a blocked answer is fed back, in a thread by what the provider keeps", async () => {
  await using stub = await stubServer()
  const { client } = anthropic(stub, { governor: blockOnce })
  stub.next(messageReply(blocked), messageReply(mended), messageReply(blocked), messageReply(mended))
  const results = ["c1", "c2"].map((id) => ({
    type: "tool_result",
    tool_use_id: id,
    content: `fed back ${id}`,
    is_error: true,
  }))
  await client.messages.create({ ...ask, max_tokens: 9 })
  expect(stub.requests[1]?.json.messages).toMatchObject([
    messages[0],
    { role: "assistant", content: [{ type: "text" }, { type: "tool_use", id: "c1", input: { n: 1 } }, { id: "c2" }] },
    { role: "user", content: results },
  ])
  const thread = client.beta.messages.thread({ model: "m", max_tokens: 9 })
  await thread.send({ role: "user", content: "Hi" })
  expect(stub.requests[3]?.json).toMatchObject({
    thread: { type: "continue", previous_message_id: "a1" },
    messages: [{ role: "user", content: results }],
  })
})

test("a call whose result takes more than a text cannot be fed back: the answer goes without its calls", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: { blocked: () => true, retries: 1 } })
  const output = [
    { type: "computer_call", id: "x", call_id: "c1", action: { type: "click" }, pending_safety_checks: [] },
  ]
  stub.next({ json: { id: "r", model: "m", output } })
  const answered = await client.responses.create({ model: "m", input: "x" })
  expect(answered.output).toEqual([])
  expect(governor.turns).toHaveLength(1)
})

test("a governor that never has enough is not followed for ever", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, {
    governor: { blocked: () => true, retries: 1_000 },
    client: { fetch: async () => Response.json(answerOf(blocked)) },
  })
  const completion = await client.chat.completions.create(ask)
  expect(completion.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "Paying. " } })
  expect(governor.turns).toHaveLength(32)
})

const answerOf = (answer: StubAnswer): unknown => {
  const reply = chatReply(answer)({ json: {} } as never)
  return typeof reply === "object" && "json" in reply ? reply.json : undefined
}

test("an answer fed back in a stream goes on in it: the text stays, the blocked calls never come", async () => {
  await using stub = await stubServer()
  const one = openai(stub, { governor: blockOnce })
  const two = anthropic(stub, { governor: blockOnce })
  stub.next(chatReply(blocked), chatReply(mended))
  const chat = one.client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } })
  const chunks = JSON.stringify(await collect(chat))
  const completion = await chat.finalChatCompletion()
  expect(completion).toMatchObject({ id: "a1", usage: { prompt_tokens: 20 } })
  expect(completion.choices[0]?.message).toMatchObject({ content: "Paying. Scanning.", tool_calls: [{ id: "c3" }] })
  expect(chunks).not.toContain("pay")
  expect(chunks).not.toContain("a2")

  stub.next(responsesReply(blocked), responsesReply(mended))
  const responses = one.client.responses.stream({ model: "m", input: "x" })
  const events = await collect(responses)
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  const response = await responses.finalResponse()
  expect(response.output).toMatchObject([
    { type: "message", content: [{ text: "Paying. " }] },
    { type: "message", content: [{ text: "Scanning." }] },
    { type: "function_call", call_id: "c3" },
  ])
  expect(JSON.stringify(events)).not.toContain("pay")

  stub.next(messageReply(blocked), messageReply(mended))
  const said = two.client.messages.stream({ ...ask, max_tokens: 9 })
  const all = JSON.stringify(await collect(said))
  const message = await said.finalMessage()
  expect(message.content).toMatchObject([
    { type: "text", text: "Paying. " },
    { type: "text", text: "Scanning." },
    { type: "tool_use", id: "c3" },
  ])
  expect(message.stop_reason).toBe("tool_use")
  expect(all).not.toContain("pay")
  expect([...one.governor.turns, ...two.governor.turns].map(({ ended }) => ended)).toEqual(Array(6).fill("finished"))
})

test("a feedback that the provider refuses ends the stream with an error that says so", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: blockOnce })
  stub.next(chatReply(blocked), rateLimited)
  const error = await caught(client.chat.completions.create({ ...ask, stream: true }).then(collect))
  expect(error).toMatchObject({ name: "ModelStreamError", code: "retry_refused" })
  expect(governor.turns.map(({ ended }) => ended)).toEqual(["finished", "failed"])
  stub.next(chatReply(blocked), rateLimited, chatReply(mended))
  expect((await client.chat.completions.create(ask)).id).toBe("a2")
})

test("loops of the clients' own run what is allowed, and nothing else", async () => {
  await using stub = await stubServer()
  const { client } = anthropic(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const ran: Array<string> = []
  const tool = (name: string) => ({
    ...messagesTool(name),
    type: "custom" as const,
    run: async () => {
      ran.push(name)
      return `${name} done`
    },
    parse: (input: unknown) => input as object,
  })
  for (const stream of [false, true]) {
    stub.next(messageReply({ parts: [call("1", "pay"), call("2", "scan")] }), messageReply({ parts: [text("Done")] }))
    const runner = client.beta.messages.toolRunner({
      ...ask,
      max_tokens: 9,
      tools: [tool("pay"), tool("scan")],
      ...(stream ? { stream: true } : {}),
    } as Parameters<Anthropic["beta"]["messages"]["toolRunner"]>[0])
    const last = await runner.runUntilDone()
    expect(last.content).toMatchObject([{ type: "text", text: "Done" }])
  }
  expect(ran).toEqual(["scan", "scan"])
})

test("parsed answers are parsed without the blocked calls", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const strict = (name: string) => ({ ...chatTool(name), function: { ...chatTool(name).function, strict: true } })
  stub.next(chatReply({ parts: [call("1", "pay", { a: 1 }), call("2", "scan", { b: 2 })] }))
  const parsed = await client.chat.completions.parse({ ...ask, tools: [strict("pay"), strict("scan")] })
  expect(parsed.choices[0]?.message.tool_calls).toMatchObject([{ id: "2", function: { parsed_arguments: { b: 2 } } }])
  expect(client).toBeInstanceOf(OpenAI)
})
