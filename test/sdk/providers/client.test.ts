/** A governed client is the client: its class, options and methods, every endpoint, and its errors. */
import { pathToFileURL } from "node:url"
import type Anthropic from "@anthropic-ai/sdk"
import OpenAI, { AzureOpenAI } from "openai"
import { expect, expectTypeOf, test } from "vitest"
import { governedClient } from "../../../src/sdk/providers/governedClient.ts"
import { messageReply } from "./anthropicStub.ts"
import { errors, fakeGovernor, Ungoverned, Unsupported } from "./fakeGovernor.ts"
import { anthropic, call, caught, chatTool, openai, text } from "./fixtures.ts"
import { chatCompletion, chatReply, overloaded, rateLimited, response } from "./openaiStub.ts"
import { type Script, stubServer } from "./stubServer.ts"

const hello = chatReply({ parts: [text("Hello")] })
const ask = { model: "gpt-5-mini", messages: [{ role: "user" as const, content: "Hi" }] }

test("a governed client has the type of the client", () => {
  const governor = fakeGovernor()
  const govern = <C extends object>(client: C) => governedClient(client, governor, { errors })
  expectTypeOf(govern<OpenAI>).returns.toEqualTypeOf<OpenAI>()
  expectTypeOf(govern<AzureOpenAI>).returns.toEqualTypeOf<AzureOpenAI>()
  expectTypeOf(govern<Anthropic>).returns.toEqualTypeOf<Anthropic>()
})

test("it is of the client's class, with its options, and leaves the client and the global fetch alone", async () => {
  await using stub = await stubServer()
  const before = globalThis.fetch
  const { client, plain, governor } = openai(stub, {
    client: { maxRetries: 7, timeout: 1234, defaultHeaders: { "x-mine": "yes" }, organization: "org" },
  })
  expect(client).toBeInstanceOf(OpenAI)
  expect(client).not.toBe(plain)
  expect([client.maxRetries, client.timeout, client.baseURL, client.organization]).toEqual([
    7,
    1234,
    plain.baseURL,
    "org",
  ])
  stub.next(hello, hello)
  await client.chat.completions.create(ask)
  expect(stub.requests[0]?.headers).toMatchObject({
    "x-mine": "yes",
    "openai-organization": "org",
    authorization: "Bearer key",
  })
  expect(stub.requests[0]?.headers["user-agent"]).toMatch(/^OpenAI\/JS/)
  await plain.chat.completions.create(ask)
  expect(governor.turns).toHaveLength(1)
  expect(globalThis.fetch).toBe(before)
})

test("a client made from a governed one is governed, whatever fetch it is given", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  let used = 0
  const other = client.withOptions({
    maxRetries: 0,
    fetch: (...args) => {
      used++
      return fetch(...args)
    },
  })
  const grandchild = other.withOptions({ timeout: 99 })
  const made = new (client.constructor as typeof OpenAI)({ apiKey: "key", baseURL: client.baseURL })
  stub.next(hello, hello, hello)
  for (const one of [other, grandchild, made]) await one.chat.completions.create(ask)
  expect(governor.turns.map(({ ended }) => ended)).toEqual(["finished", "finished", "finished"])
  expect(used).toBe(2)
  expect(grandchild).toBeInstanceOf(OpenAI)
})

test("a fetch that is put into a governed client is governed", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  Reflect.set(client, "fetch", (...args: Parameters<typeof fetch>) => fetch(...args))
  stub.next(hello)
  await client.chat.completions.create(ask)
  expect(governor.turns).toHaveLength(1)
})

test("the client's own fetch, headers and options stay in use", async () => {
  let seen: RequestInit | undefined
  const plain = new OpenAI({
    apiKey: "key",
    baseURL: "http://stub/v1",
    fetch: async (_, init) => {
      seen = init
      return Response.json(chatCompletion({ parts: [text("x")] }))
    },
  })
  const client = governedClient(plain, fakeGovernor(), { errors })
  await client.chat.completions.create(ask, { headers: { "x-one": "1" } })
  expect(seen?.body).toBe(JSON.stringify(ask))
  expect(new Headers(seen?.headers).get("x-one")).toBe("1")
})

test("subclasses and Azure's client are governed as they are", async () => {
  await using stub = await stubServer()
  class Mine extends OpenAI {
    hello() {
      return "mine"
    }
  }
  const governor = fakeGovernor()
  const mine = governedClient(new Mine({ apiKey: "key", baseURL: `${stub.url}/v1` }), governor, { errors })
  const azure = governedClient(
    new AzureOpenAI({ apiKey: "key", apiVersion: "2026-01-01", baseURL: `${stub.url}/openai` }),
    governor,
    { errors },
  )
  stub.next(hello, hello)
  await mine.chat.completions.create(ask)
  await azure.chat.completions.create(ask)
  expect(mine.hello()).toBe("mine")
  expect(azure).toBeInstanceOf(AzureOpenAI)
  expect(stub.requests.map(({ path }) => path)).toEqual([
    "/v1/chat/completions",
    "/openai/deployments/gpt-5-mini/chat/completions?api-version=2026-01-01",
  ])
  expect(governor.turns).toHaveLength(2)
})

test("a key that is asked for each time is asked for, with Azure's client too", async () => {
  await using stub = await stubServer()
  let asked = 0
  const apiKey = async () => `key-${++asked}`
  const plain = new OpenAI({ apiKey, baseURL: `${stub.url}/v1` })
  const azure = new AzureOpenAI({
    azureADTokenProvider: apiKey,
    apiVersion: "1",
    deployment: "d",
    baseURL: `${stub.url}/v1`,
  })
  stub.next(hello, hello)
  for (const client of [plain, azure]) {
    await governedClient(client, fakeGovernor(), { errors }).chat.completions.create(ask)
  }
  expect(stub.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer key-1", "Bearer key-2"])
  expect(stub.requests[1]?.path).toContain("/deployments/d/")
})

test("another copy of the provider's package is taken for what it is", async () => {
  const copy = `${pathToFileURL(`${process.cwd()}/node_modules/openai/index.mjs`).href}?another`
  const { default: Other } = (await import(copy)) as { default: typeof OpenAI }
  const client = governedClient(new Other({ apiKey: "key" }), fakeGovernor(), { errors })
  expect(client).toBeInstanceOf(Other)
})

test("what is no such client is refused, saying what was found", () => {
  const govern = (client: object) => governedClient(client, fakeGovernor(), { errors })
  expect(() => govern({})).toThrow(Unsupported)
  expect(() => govern(new Map())).toThrow(/class Map, which has none of withOptions/)
  expect(() => govern({ chat: {}, withOptions: () => 0 })).toThrow(/only withOptions, chat/)
  const broken = new OpenAI({ apiKey: "key" })
  broken.withOptions = () => broken
  expect(() => govern(broken)).toThrow(/no other client of its class/)
})

test("withResponse, asResponse and request ids are as they were", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub)
  stub.next(hello, hello, hello)
  const { data, response, request_id } = await client.chat.completions.create(ask).withResponse()
  expect(data.choices[0]?.message.content).toBe("Hello")
  expect([response.status, request_id, Reflect.get(data, "_request_id")]).toEqual([200, "req_1", "req_1"])
  expect(response.url).toBe(`${stub.url}/v1/chat/completions`)
  const raw = await client.chat.completions.create(ask).asResponse()
  expect(raw).toBeInstanceOf(Response)
  expect(raw.bodyUsed).toBe(false)
  const copy = raw.clone()
  expect(JSON.parse(await raw.text())).toEqual(await copy.json())
  expect(raw.bodyUsed).toBe(true)
  await expect(raw.json()).rejects.toThrow(TypeError)
  const bytes = await client.chat.completions.create(ask).asResponse()
  expect(Buffer.from(await bytes.arrayBuffer()).toString()).toContain("Hello")
})

test("a body that was handed out is used up", async () => {
  const { client } = openai(
    { ...(await closedStub()) },
    { client: { fetch: answering(chatCompletion({ parts: [] })) } },
  )
  const raw = await client.chat.completions.create(ask).asResponse()
  await raw.json()
  expect(raw.bodyUsed).toBe(true)
  expect(raw.body).toBeNull()
  await expect(raw.text()).rejects.toThrow(TypeError)
})

const answering = (json: unknown) => async () => Response.json(json)

const closedStub = async () => {
  const stub = await stubServer()
  await stub[Symbol.asyncDispose]()
  return stub
}

test("endpoints without tools pass untouched", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  const other = anthropic(stub)
  const vector = { object: "list", model: "e", data: [{ object: "embedding", index: 0, embedding: [0.5] }], usage: {} }
  stub.next(
    { json: { object: "list", data: [{ id: "m1", object: "model" }] } },
    { json: vector },
    { json: { id: "cmpl", choices: [{ text: "x" }] } },
    { json: { input_tokens: 3 } },
  )
  expect((await client.models.list()).data[0]?.id).toBe("m1")
  expect(
    (await client.embeddings.create({ model: "e", input: "x", encoding_format: "float" })).data[0]?.embedding,
  ).toEqual([0.5])
  expect((await client.completions.create({ model: "m", prompt: "x" })).choices[0]?.text).toBe("x")
  expect((await other.client.messages.countTokens({ model: "m", messages: [] })).input_tokens).toBe(3)
  expect([...governor.turns, ...other.governor.turns]).toEqual([])
})

test("an endpoint is governed by its path, whichever client asks; an assistant's messages are no model's", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  const other = anthropic(stub)
  stub.next(messageReply({ parts: [] }), hello, { json: { id: "msg" } })
  await client.post("/messages", { body: { model: "m" } })
  await other.client.post("/v1/chat/completions/", { body: ask })
  await client.beta.threads.messages.create("t", { role: "user", content: "x" })
  expect(governor.turns.map(({ request }) => request.provider)).toEqual(["anthropic.messages"])
  expect(other.governor.turns.map(({ request }) => request.provider)).toEqual(["openai.chat"])
})

test("a request that nothing changes is sent as the client wrote it", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  stub.next(hello)
  const body = { ...ask, tools: [chatTool("scan")], max_completion_tokens: 5, metadata: { ü: "ö" } }
  await client.chat.completions.create(body)
  expect(stub.requests[0]?.text).toBe(JSON.stringify(body))
  expect(governor.last().request).toEqual({
    provider: "openai.chat",
    model: "gpt-5-mini",
    tools: ["scan"],
    inputChars: JSON.stringify(body).length,
    maxOutputTokens: 5,
    results: [],
    attempt: 0,
  })
})

test("a client's retries are turns of their own, and nothing stays reserved", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  stub.next(rateLimited, overloaded, hello)
  await client.chat.completions.create(ask)
  expect(governor.turns.map(({ ended }) => ended)).toEqual(["failed", "failed", "finished"])
})

test("an error of the provider comes as it would have", async () => {
  await using stub = await stubServer()
  const { client, plain, governor } = openai(stub, { client: { maxRetries: 0 } })
  stub.next(rateLimited, rateLimited)
  const [governed, direct] = [
    await caught(client.chat.completions.create(ask)),
    await caught(plain.chat.completions.create(ask)),
  ]
  expect(governed).toBeInstanceOf(OpenAI.RateLimitError)
  expect({ ...(governed as object), headers: 0 }).toEqual({ ...(direct as object), headers: 0 })
  expect(governor.last()).toMatchObject({ ended: "failed", usage: undefined })
})

test("a broken connection, a wrong body and a time limit come as they would have", async () => {
  await using stub = await stubServer()
  const { client, plain, governor } = openai(stub, { client: { maxRetries: 0 } })
  const bodies: ReadonlyArray<Script> = [
    () => "cut",
    () => ({ text: "not json", headers: { "content-type": "application/json" } }),
    () => ({ json: [] }),
    () => ({ text: "plain words" }),
    () => ({ status: 204, text: "" }),
  ]
  for (const body of bodies) {
    const outcome = async (one: OpenAI) => {
      stub.next(body)
      try {
        return { value: await one.chat.completions.create(ask) }
      } catch (error) {
        return { name: (error as Error).constructor.name, message: (error as Error).message }
      }
    }
    expect(await outcome(client)).toEqual(await outcome(plain))
  }
  expect(governor.turns.map(({ ended }) => ended)).toEqual(bodies.map(() => "failed"))
  stub.next("never")
  expect(await caught(client.chat.completions.create(ask, { timeout: 20 }))).toBeInstanceOf(
    OpenAI.APIConnectionTimeoutError,
  )
  expect(governor.last().ended).toBe("failed")
})

test("an abort of the caller ends the request and the turn", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub)
  const controller = new AbortController()
  let left: Promise<unknown> | undefined
  stub.next((request) => {
    left = request.closed
    controller.abort()
    return "never"
  })
  const error = await caught(client.chat.completions.create(ask, { signal: controller.signal }))
  expect(error).toBeInstanceOf(OpenAI.APIUserAbortError)
  expect(await left).toBe("left")
  expect(governor.last().ended).toBe("failed")
})

test("a caller who leaves does not wait for the governor, and the turn that begins late is left", async () => {
  await using stub = await stubServer()
  let begin = () => {}
  const beginAfter = new Promise<void>((resolve) => {
    begin = resolve
  })
  const { client, governor } = openai(stub, { governor: { beginAfter } })
  const controller = new AbortController()
  setImmediate(() => controller.abort())
  const error = await caught(client.chat.completions.create(ask, { signal: controller.signal }))
  expect(error).toBeInstanceOf(OpenAI.APIUserAbortError)
  expect(governor.turns).toEqual([])
  begin()
  await expect.poll(() => governor.turns.map(({ ended }) => ended)).toEqual(["failed"])
  expect(stub.requests).toEqual([])
})

test("an answer's usage is told, what came from a cache too", async () => {
  await using stub = await stubServer()
  const usage = { input: 100, output: 7, cached: 60 }
  const one = openai(stub)
  const two = anthropic(stub)
  stub.next(
    chatReply({ parts: [], usage }),
    { json: response({ parts: [], usage }) },
    messageReply({ parts: [], usage }),
  )
  await one.client.chat.completions.create(ask)
  await one.client.responses.create({ model: "m", input: "x" })
  await two.client.messages.create({ model: "m", max_tokens: 1, messages: [] })
  expect(one.governor.turns.map(({ usage: told }) => told)).toEqual([
    { inputTokens: 100, outputTokens: 7, cachedInputTokens: 60 },
    { inputTokens: 100, outputTokens: 7, cachedInputTokens: 60 },
  ])
  expect(two.governor.last().usage).toEqual({ inputTokens: 160, outputTokens: 7, cachedInputTokens: 60 })
})

test("headers of the turn are the answer's too", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { headers: { "x-narrowed": "pay" } } })
  stub.next(hello, hello)
  const { response: answered } = await client.chat.completions.create(ask).withResponse()
  expect([answered.headers.get("x-narrowed"), answered.headers.get("x-request-id")]).toEqual(["pay", "req_1"])
  const streamed = await client.chat.completions.create({ ...ask, stream: true }).withResponse()
  expect(streamed.response.headers.get("x-narrowed")).toBe("pay")
})

test("endpoints where ungoverned tools can be called are refused, or let through", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub)
  const other = anthropic(stub)
  const attempts: ReadonlyArray<() => Promise<unknown>> = [
    () => client.batches.create({ completion_window: "24h", endpoint: "/v1/chat/completions", input_file_id: "f" }),
    () => client.beta.threads.createAndRun({ assistant_id: "a" }),
    () => client.beta.threads.runs.create("t", { assistant_id: "a" }),
    () => client.realtime.clientSecrets.create({}),
    () => client.responses.create({ model: "m", background: true }),
    () => client.responses.retrieve("resp_1", { stream: true }),
    () => client.post("/chat/completions", { body: new Uint8Array([1]) }),
    () => other.client.messages.batches.create({ requests: [] }),
    () => other.client.beta.messages.batches.create({ requests: [] }),
    () => other.client.post("/model/claude/invoke-with-response-stream", { body: {} }),
  ]
  for (const attempt of attempts) expect(await caught(attempt())).toBeInstanceOf(Ungoverned)
  expect(stub.requests).toEqual([])
  const open = openai(stub, { governed: { ungovernedEndpoints: "allow" } })
  stub.next({ json: { id: "batch" } }, { json: { id: "resp", status: "queued", output: [] } })
  await open.client.batches.create({ completion_window: "24h", endpoint: "/v1/chat/completions", input_file_id: "f" })
  await open.client.responses.create({ model: "m", background: true })
  expect(stub.requests.map(({ path }) => path)).toEqual(["/v1/batches", "/v1/responses"])
})

test("a signed request is not rewritten: its signature would be wrong", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, {
    governor: { removed: ["scan"] },
    client: { defaultHeaders: { authorization: "AWS4-HMAC-SHA256 Credential=x" } },
  })
  stub.next(hello)
  await client.chat.completions.create({ ...ask, tools: [chatTool("mail")] })
  const refused = await caught(client.chat.completions.create({ ...ask, tools: [chatTool("scan")] }))
  expect(refused).toBeInstanceOf(Ungoverned)
  expect(governor.last().ended).toBe("failed")
  expect(stub.requests).toHaveLength(1)
})

test("a blocked call's tool does not run in the client's own loop, and others do", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const ran: Array<string> = []
  const tool = (name: string) => ({
    type: "function" as const,
    function: {
      name,
      description: name,
      parameters: { type: "object" },
      parse: (input: string): object => JSON.parse(input) as object,
      function: async () => {
        ran.push(name)
        return `${name} done`
      },
    },
  })
  stub.next(chatReply({ parts: [call("1", "pay"), call("2", "scan")] }), hello)
  const runner = client.chat.completions.runTools({ ...ask, tools: [tool("pay"), tool("scan")] })
  expect(await runner.finalContent()).toBe("Hello")
  expect(ran).toEqual(["scan"])
})
