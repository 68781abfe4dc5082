/** Streams: text flows at once, calls wait for their judgement, and whoever ends a stream ends it everywhere. */
import { expect, test } from "vitest"
import { ModelStreamError } from "../../../src/sdk/providers/errors.ts"
import { EventSplitter } from "../../../src/sdk/providers/events.ts"
import { messageEvents, messageReply } from "./anthropicStub.ts"
import { anthropic, call, caught, collect, openai, text } from "./fixtures.ts"
import { chatEvents, chatReply, responsesEvents, responsesReply } from "./openaiStub.ts"
import { pieces, type Script, type StubServer, stubServer } from "./stubServer.ts"

const messages = [{ role: "user" as const, content: "Hi" }]
const ask = { model: "m", messages }
const blockPay = { governor: { blocked: (_: string, tool: string) => tool === "pay" } }
const mixed = { parts: [text("Grüße "), call("c1", "pay", { amount: 1 }), call("c2", "scan", { x: "ü" })] }

/** The same stream with each provider: what its text is, and the events of it. */
const providers: Readonly<
  Record<
    string,
    {
      readonly reply: (answer: typeof mixed, how?: object) => Script
      readonly events: () => ReadonlyArray<string>
      readonly open: (stub: StubServer, how: object) => ReturnType<typeof openStream>
    }
  >
> = {
  "chat completions": {
    reply: chatReply,
    events: () => chatEvents(mixed, true),
    open: (stub, how) =>
      openStream(openai(stub, how), ({ client }) => client.chat.completions.create({ ...ask, stream: true })),
  },
  responses: {
    reply: responsesReply,
    events: () => responsesEvents(mixed),
    open: (stub, how) =>
      openStream(openai(stub, how), ({ client }) => client.responses.create({ model: "m", input: "x", stream: true })),
  },
  messages: {
    reply: messageReply,
    events: () => messageEvents(mixed),
    open: (stub, how) =>
      openStream(anthropic(stub, how), ({ client }) => client.messages.create({ ...ask, max_tokens: 9, stream: true })),
  },
}

const openStream = async <G extends { readonly governor: ReturnType<typeof openai>["governor"] }>(
  governed: G,
  create: (governed: G) => PromiseLike<AsyncIterable<unknown> & { readonly controller: AbortController }>,
) => ({ governor: governed.governor, stream: await create(governed) })

const until = async (stream: AsyncIterator<unknown>, wanted: string): Promise<string> => {
  let seen = ""
  while (!seen.includes(wanted)) {
    const { value, done } = await stream.next()
    if (done === true) throw new Error(`the stream ended without ${wanted}: ${seen}`)
    seen += JSON.stringify(value)
  }
  return seen
}

for (const [name, { reply, events, open }] of Object.entries(providers)) {
  const firstCall = events().findIndex((event) => event.includes("pay"))

  test(`${name}: text flows before the answer is complete, and no call does`, async () => {
    await using stub = await stubServer()
    let goOn = () => {}
    const rest = new Promise<void>((resolve) => {
      goOn = resolve
    })
    stub.next(reply(mixed, { until: { after: firstCall + 3, promise: rest } }))
    const { stream, governor } = await open(stub, blockPay)
    const iterator = stream[Symbol.asyncIterator]()
    expect(await until(iterator, "e ")).not.toContain("pay")
    expect(governor.last().ended).toBe("none")
    goOn()
    let seen = ""
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      seen += JSON.stringify(next.value)
    }
    expect(seen).toContain("scan")
    expect(seen).not.toContain("pay")
    expect(governor.last().ended).toBe("finished")
  })

  test(`${name}: whoever stops reading stops the provider, and the turn is left`, async () => {
    await using stub = await stubServer()
    stub.next(reply(mixed, { until: { after: firstCall, promise: new Promise(() => undefined) } }))
    const { stream, governor } = await open(stub, {})
    for await (const _ of stream) break
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(governor.last().ended).toBe("failed")
  })

  test(`${name}: an abort ends the stream as it would have, and the usage known so far is told`, async () => {
    await using stub = await stubServer()
    stub.next(reply(mixed, { until: { after: firstCall, promise: new Promise(() => undefined) } }))
    const { stream, governor } = await open(stub, {})
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.next()
    stream.controller.abort()
    while ((await iterator.next()).done !== true);
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(governor.last()).toMatchObject({
      ended: "failed",
      usage: name === "messages" ? { inputTokens: 20, outputTokens: 1 } : undefined,
    })
  })

  test(`${name}: a kill in the middle stops the stream at both ends, with its reason`, async () => {
    await using stub = await stubServer()
    const kill = new AbortController()
    const killed = new Error("the session was killed")
    stub.next(reply(mixed, { until: { after: firstCall, promise: new Promise(() => undefined) } }))
    const { stream, governor } = await open(stub, { governor: { signal: kill.signal } })
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.next()
    kill.abort(killed)
    expect(
      await caught(
        (async () => {
          while ((await iterator.next()).done !== true);
        })(),
      ),
    ).toBe(killed)
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(governor.last().ended).toBe("failed")
  })

  test(`${name}: a connection that breaks ends the turn, and its held calls go nowhere`, async () => {
    await using stub = await stubServer()
    stub.next(reply(mixed, { cutAfter: firstCall + 2 }))
    const { stream, governor } = await open(stub, {})
    const seen: Array<unknown> = []
    const error = await caught(
      (async () => {
        for await (const event of stream) seen.push(event)
      })(),
    )
    expect(error).toBeInstanceOf(TypeError)
    expect(JSON.stringify(seen)).not.toContain("pay")
    expect(governor.last().ended).toBe("failed")
  })

  test(`${name}: a stream that ends in the middle of a call is an error, and one that ends before is what it was`, async () => {
    await using stub = await stubServer()
    stub.next(
      () => ({ events: events().slice(0, firstCall + 1) }),
      () => ({ events: events().slice(0, firstCall) }),
    )
    const cut = await open(stub, {})
    expect(await caught(collect(cut.stream))).toMatchObject({ name: "ModelStreamError", code: "ended_early" })
    expect(cut.governor.last().ended).toBe("failed")
    const short = await open(stub, {})
    expect((await collect(short.stream)).length).toBeGreaterThan(0)
    expect(short.governor.last().ended).toBe("failed")
  })

  test(`${name}: what the governor refuses at the end is thrown from the stream`, async () => {
    await using stub = await stubServer()
    const refused = new Error("refused")
    stub.next(reply(mixed))
    const { stream } = await open(stub, { governor: { finish: () => refused } })
    const seen: Array<unknown> = []
    const error = await caught(
      (async () => {
        for await (const event of stream) seen.push(event)
      })(),
    )
    expect(error).toBe(refused)
    expect(JSON.stringify(seen)).not.toContain("pay")
  })

  test(`${name}: data that is no JSON is the error it was`, async () => {
    await using stub = await stubServer()
    stub.next(() => ({ events: ["event: message_start\ndata: {oops\n\n", ...events()] }))
    const { stream, governor } = await open(stub, {})
    expect(await caught(collect(stream))).toBeInstanceOf(SyntaxError)
    expect(governor.last().ended).toBe("failed")
  })

  test(`${name}: a stream that nothing is taken out of is handed on byte for byte`, async () => {
    await using stub = await stubServer()
    const wanted = name === "chat completions" ? chatEvents(mixed, true) : events()
    stub.next(() => ({ events: wanted, bytesAtATime: 5 }))
    const governed = name === "messages" ? anthropic(stub) : openai(stub)
    const path =
      { "chat completions": "/chat/completions", responses: "/responses", messages: "/v1/messages" }[name] ?? ""
    const body = { stream: true, stream_options: { include_usage: true }, messages: [] }
    const response = await governed.client.post(path, { body, stream: true }).asResponse()
    expect(await response.text()).toBe(wanted.join(""))
  })
}

test("nothing is read that the caller does not want", async () => {
  const events = chatEvents({ parts: [text("word ".repeat(200))] }, true)
  let pulled = 0
  const { client } = openai(await closed(), {
    client: {
      fetch: async () => {
        const bytes = events.map((event) => Buffer.from(event))
        const body = new ReadableStream<Uint8Array>(
          {
            pull: (controller) => {
              const next = bytes[pulled++]
              if (next === undefined) controller.close()
              else controller.enqueue(next)
            },
          },
          { highWaterMark: 0 },
        )
        return new Response(body, { headers: { "content-type": "text/event-stream" } })
      },
    },
  })
  const stream = await client.chat.completions.create({ ...ask, stream: true })
  const iterator = stream[Symbol.asyncIterator]()
  for (let n = 0; n < 10; n++) await iterator.next()
  expect(pulled).toBeLessThan(15)
  await iterator.return?.()
})

const closed = async (): Promise<StubServer> => {
  const stub = await stubServer()
  await stub[Symbol.asyncDispose]()
  return stub
}

test("the usage of a chat stream is asked for, and hidden from a caller who did not ask", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  stub.next(chatReply(mixed), chatReply(mixed))
  const chunks = await collect(await client.chat.completions.create({ ...ask, stream: true }))
  expect(stub.requests[0]?.json.stream_options).toEqual({ include_usage: true })
  expect(chunks.some(({ usage }) => usage != null)).toBe(false)
  expect(governor.last().usage).toEqual({ inputTokens: 20, outputTokens: 10 })
  const asked = { ...ask, stream: true, stream_options: { include_usage: true, include_obfuscation: false } } as const
  const all = await collect(await client.chat.completions.create(asked))
  expect(all.at(-1)?.usage).toMatchObject({ prompt_tokens: 20 })
  expect(stub.requests[1]?.text).toBe(JSON.stringify(asked))
  const shy = openai(stub, { governed: { asksForUsage: false } })
  stub.next(chatReply(mixed))
  await collect(await shy.client.chat.completions.create({ ...ask, stream: true }))
  expect(stub.requests[2]?.text).toBe(JSON.stringify({ ...ask, stream: true }))
  expect(shy.governor.last()).toMatchObject({ ended: "finished", usage: undefined })
})

test("streams of several choices, and of servers with manners of their own, are gated", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, blockPay)
  stub.next(chatReply([{ parts: [call("1", "pay")] }, { parts: [text("x"), call("2", "scan")] }]))
  const many = client.chat.completions.stream({ ...ask, n: 2 } as never)
  const final = await many.finalChatCompletion()
  expect(final.choices.map(({ finish_reason }) => finish_reason)).toEqual(["stop", "tool_calls"])

  // All in one chunk, the text too, without [DONE] and without indices.
  const tool = (id: string, name: string) => ({ id, type: "function", function: { name, arguments: "{}" } })
  const delta = { role: "assistant", content: "now", tool_calls: [tool("1", "pay"), tool("2", "scan")] }
  const chunk = {
    id: "1",
    model: "m",
    choices: [{ index: 0, delta, finish_reason: "tool_calls" }],
    usage: { prompt_tokens: 1 },
  }
  stub.next({ events: [`data: ${JSON.stringify(chunk)}\r\n\r\n`] })
  const chunks = await collect(await client.chat.completions.create({ ...ask, stream: true }))
  expect(chunks.map(({ choices }) => choices[0])).toEqual([
    { index: 0, delta: { role: "assistant", content: "now" }, finish_reason: null },
    { index: 0, delta: { tool_calls: [{ ...tool("2", "scan"), index: 0 }] }, finish_reason: "tool_calls" },
  ])
  expect(chunks[1]?.usage).toEqual({ prompt_tokens: 1 })

  // The older way: one function, without an id.
  const old = (piece: object, finish_reason: string | null = null) =>
    `data: ${JSON.stringify({ id: "1", model: "m", choices: [{ index: 0, delta: piece, finish_reason }] })}\n\n`
  stub.next({
    events: [
      old({ role: "assistant", content: null, function_call: { name: "pay", arguments: "" } }),
      old({ function_call: { arguments: '{"secret":1}' } }),
      old({}, "function_call"),
      "data: [DONE]\n\n",
    ],
  })
  const older = await collect(await client.chat.completions.create({ ...ask, stream: true }))
  expect(older.map(({ choices }) => choices[0])).toEqual([
    { index: 0, delta: { role: "assistant", content: null }, finish_reason: null },
    { index: 0, delta: {}, finish_reason: "stop" },
  ])
})

test("an error that the provider sends in a stream is the client's error", async () => {
  await using stub = await stubServer()
  const one = openai(stub)
  const two = anthropic(stub)
  stub.next(
    { events: ['data: {"error":{"message":"overloaded"}}\n\n'] },
    { events: ['event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"o"}}\n\n'] },
  )
  const first = await caught(one.client.chat.completions.create({ ...ask, stream: true }).then(collect))
  expect(first).toMatchObject({ message: expect.stringContaining("overloaded") })
  const second = await caught(two.client.messages.create({ ...ask, max_tokens: 1, stream: true }).then(collect))
  expect(second).toMatchObject({ type: "overloaded_error" })
  expect([one.governor.last().ended, two.governor.last().ended]).toEqual(["failed", "failed"])
})

test("a response that failed has no calls, and is not judged", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  const failed = responsesEvents(mixed).map((event) => event.replaceAll("response.completed", "response.failed"))
  stub.next({ events: failed })
  const events = await collect(await client.responses.create({ model: "m", input: "x", stream: true }))
  expect(events.at(-1)).toMatchObject({ type: "response.failed", response: { output: [{ type: "message" }] } })
  expect(JSON.stringify(events)).not.toContain("scan")
  expect(governor.last()).toMatchObject({ ended: "failed", usage: { inputTokens: 20 } })
})

test("what follows the end of an answer goes nowhere: it was not judged", async () => {
  await using stub = await stubServer()
  const { client } = anthropic(stub)
  stub.next({ events: [...messageEvents({ parts: [text("x")] }), ...messageEvents({ parts: [call("c9", "pay")] })] })
  const events = await collect(await client.messages.create({ ...ask, max_tokens: 1, stream: true }))
  expect(events.at(-1)).toEqual({ type: "message_stop" })
  expect(JSON.stringify(events)).not.toContain("pay")
})

test("events are cut behind their blank line, whichever line ends they have", () => {
  const stream = "data: a\n\n: c\r\n\r\nevent: x\rdata: b\r\rdata: ü\n\r\ndata: last"
  const events = ["data: a\n\n", ": c\r\n\r\n", "event: x\rdata: b\r\r", "data: ü\n\r\n", "data: last"]
  for (const size of [1, 2, 3, 7, 100]) {
    const splitter = new EventSplitter()
    const found = pieces(Buffer.from(stream), size).flatMap((piece) => splitter.push(piece))
    const rest = splitter.end()
    expect([...found, ...(rest === undefined ? [] : [rest])].map((event) => Buffer.from(event).toString())).toEqual(
      events,
    )
  }
})

test("an event that never ends is refused, not kept", () => {
  const splitter = new EventSplitter()
  const megabyte = new Uint8Array(1024 * 1024).fill(97)
  expect(() => {
    for (let n = 0; n < 40; n++) splitter.push(megabyte)
  }).toThrow(ModelStreamError)
})

test("an answer that is too long to be judged is refused, not kept", async () => {
  const word = "x".repeat(1024 * 1024)
  const chunk = {
    id: "1",
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: word } }] } }],
  }
  const bytes = Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`)
  const { client, governor } = openai(await closed(), {
    client: {
      fetch: async () => {
        const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(bytes) })
        return new Response(body, { headers: { "content-type": "text/event-stream" } })
      },
    },
  })
  const error = await caught(client.chat.completions.create({ ...ask, stream: true }).then(collect))
  expect(error).toMatchObject({ name: "ModelStreamError", code: "held_too_large" })
  expect(governor.last().ended).toBe("failed")
})
