/** What a request loses and gains, and that the provider accepts what is left of it. */
import { expect, test } from "vitest"
import { message, messageReply } from "./anthropicStub.ts"
import { anthropic, call, chatTool, messagesTool, openai, responsesTool, text } from "./fixtures.ts"
import { chatReply, response, responsesReply } from "./openaiStub.ts"
import { stubServer } from "./stubServer.ts"

const messages = [{ role: "user" as const, content: "Hi" }]
const done = { parts: [text("Hello")] }
const pay = { removed: ["pay"] }

const chatBody = async (body: object, governor: object = pay) => {
  await using stub = await stubServer()
  stub.next(chatReply(done))
  const { client } = openai(stub, { governor })
  await client.chat.completions.create({ model: "m", messages, ...body })
  return stub.requests[0]?.json ?? {}
}

const responsesBody = async (body: object, governor: object = pay) => {
  await using stub = await stubServer()
  stub.next(responsesReply(done))
  const { client } = openai(stub, { governor })
  await client.responses.create({ model: "m", input: "Hi", ...body })
  return stub.requests[0]?.json ?? {}
}

const messagesBody = async (body: object, governor: object = pay) => {
  await using stub = await stubServer()
  stub.next(messageReply(done))
  const { client } = anthropic(stub, { governor })
  await client.beta.messages.create({ model: "m", max_tokens: 9, messages, ...body })
  return stub.requests[0]?.json ?? {}
}

test("a removed tool is not offered, and the others are", async () => {
  const chat = await chatBody({ tools: [chatTool("pay"), chatTool("scan")] })
  expect(chat.tools).toEqual([chatTool("scan")])
  const responses = await responsesBody({
    tools: [responsesTool("scan"), responsesTool("pay"), { type: "web_search" }],
  })
  expect(responses.tools).toEqual([responsesTool("scan"), { type: "web_search" }])
  const anthropics = await messagesBody({ tools: [messagesTool("pay"), messagesTool("scan")] })
  expect(anthropics.tools).toEqual([messagesTool("scan")])
})

test("older functions, custom tools and namespaces are narrowed like tools", async () => {
  const custom = { type: "custom", custom: { name: "pay" } }
  expect((await chatBody({ tools: [custom, chatTool("scan")] })).tools).toEqual([chatTool("scan")])
  const functions = await chatBody({ functions: [{ name: "pay" }, { name: "scan" }], function_call: { name: "pay" } })
  expect(functions).toMatchObject({ functions: [{ name: "scan" }], function_call: "auto" })
  const none = await chatBody({ functions: [{ name: "pay" }], function_call: "auto" })
  expect([none.functions, none.function_call]).toEqual([undefined, undefined])
  const space = { type: "namespace", name: "crm", description: "d", tools: [responsesTool("a"), responsesTool("b")] }
  const narrowed = await responsesBody({ tools: [space] }, { removed: ["crm.a"] })
  expect(narrowed.tools).toEqual([{ ...space, tools: [responsesTool("b")] }])
  expect((await responsesBody({ tools: [space] }, { removed: ["crm.a", "crm.b"] })).tools).toBeUndefined()
})

test("a choice that names a removed tool is left to the model", async () => {
  const tools = [chatTool("pay"), chatTool("scan")]
  const forced = await chatBody({ tools, tool_choice: { type: "function", function: { name: "pay" } } })
  expect(forced.tool_choice).toBe("auto")
  const other = { type: "function", function: { name: "scan" } }
  expect((await chatBody({ tools, tool_choice: other })).tool_choice).toEqual(other)
  const allowed = { type: "allowed_tools", allowed_tools: { mode: "required", tools: [tools[0], tools[1]] } }
  expect((await chatBody({ tools, tool_choice: allowed })).tool_choice).toEqual({
    ...allowed,
    allowed_tools: { mode: "required", tools: [tools[1]] },
  })
  const only = { ...allowed, allowed_tools: { mode: "required", tools: [tools[0]] } }
  expect((await chatBody({ tools, tool_choice: only })).tool_choice).toBe("none")
  const responsesTools = [responsesTool("pay"), responsesTool("scan")]
  const named = await responsesBody({ tools: responsesTools, tool_choice: { type: "function", name: "pay" } })
  expect(named.tool_choice).toBe("auto")
  const anthropics = await messagesBody({
    tools: [messagesTool("pay"), messagesTool("scan")],
    tool_choice: { type: "tool", name: "pay", disable_parallel_tool_use: true },
  })
  expect(anthropics.tool_choice).toEqual({ type: "auto", disable_parallel_tool_use: true })
})

test("where no tool is left, nothing about tools is", async () => {
  const chat = await chatBody({ tools: [chatTool("pay")], tool_choice: "required", parallel_tool_calls: true })
  expect(Object.keys(chat)).toEqual(["model", "messages"])
  const responses = await responsesBody({ tools: [responsesTool("pay")], tool_choice: "required" })
  expect(Object.keys(responses)).toEqual(["model", "input"])
  const anthropics = await messagesBody({ tools: [messagesTool("pay")], tool_choice: { type: "any" } })
  expect(Object.keys(anthropics)).toEqual(["model", "max_tokens", "messages"])
})

test("Anthropic's history with tools keeps them, and none may be called", async () => {
  const history = [
    ...messages,
    { role: "assistant", content: [{ type: "tool_use", id: "1", name: "pay", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "1", content: "done" }] },
  ]
  const body = await messagesBody({ tools: [messagesTool("pay")], messages: history })
  expect(body).toMatchObject({ tools: [messagesTool("pay")], tool_choice: { type: "none" } })
})

test("a message thread is not narrowed: it takes no other tools", async () => {
  const tools = [messagesTool("pay"), messagesTool("scan")]
  const body = await messagesBody({ tools, thread: { type: "create" } }, { ...pay, notice: "No pay." })
  expect(body).toMatchObject({ tools })
  expect(body.system).toBeUndefined()
})

test("a notice comes behind the instructions, so that what is cached stays", async () => {
  const governor = { notice: "No payments now." }
  const system = { role: "system", content: "Be brief." }
  expect((await chatBody({ messages: [system, ...messages] }, governor)).messages).toEqual([
    system,
    { role: "system", content: "No payments now." },
    ...messages,
  ])
  const developer = { role: "developer", content: "Be brief." }
  expect((await chatBody({ messages: [developer] }, governor)).messages).toEqual([
    developer,
    { role: "developer", content: "No payments now." },
  ])
  expect((await responsesBody({}, governor)).instructions).toBe("No payments now.")
  expect((await responsesBody({ instructions: "Be brief." }, governor)).instructions).toBe(
    "Be brief.\n\nNo payments now.",
  )
  expect((await messagesBody({}, governor)).system).toBe("No payments now.")
  expect((await messagesBody({ system: "Be brief." }, governor)).system).toBe("Be brief.\n\nNo payments now.")
  const cached = { type: "text", text: "Long.", cache_control: { type: "ephemeral" } }
  expect((await messagesBody({ system: [cached] }, governor)).system).toEqual([
    cached,
    { type: "text", text: "No payments now." },
  ])
})

test("the governor is told which tools the caller runs, and what became of earlier calls", async () => {
  await using stub = await stubServer()
  const one = openai(stub)
  const two = anthropic(stub)
  stub.next(chatReply(done), responsesReply(done), messageReply(done))
  await one.client.chat.completions.create({
    model: "m",
    max_tokens: 3,
    messages: [...messages, { role: "tool", tool_call_id: "c1", content: [{ type: "text", text: "paid" }] }],
    tools: [chatTool("pay"), { type: "custom", custom: { name: "patch" } }],
    functions: [{ name: "old" }],
  })
  await one.client.responses.create({
    model: "m",
    max_output_tokens: 4,
    input: [
      { type: "function_call_output", call_id: "c2", output: "paid" },
      { type: "apply_patch_call_output", call_id: "c3", status: "failed", output: "no" },
    ],
    tools: [
      responsesTool("pay"),
      { type: "local_shell" },
      { type: "shell", environment: { type: "container_auto" } },
      { type: "web_search" },
      { type: "code_interpreter", container: { type: "auto" } },
    ],
  })
  await two.client.messages.create({
    model: "m",
    max_tokens: 5,
    messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "c4", content: "no", is_error: true }] }],
    tools: [
      messagesTool("pay"),
      { type: "bash_20250124", name: "bash" },
      { type: "web_search_20250305", name: "web_search" },
    ],
  })
  const told = [...one.governor.turns, ...two.governor.turns].map(({ request }) => ({
    provider: request.provider,
    tools: request.tools,
    results: request.results,
    max: request.maxOutputTokens,
  }))
  expect(told).toEqual([
    {
      provider: "openai.chat",
      tools: ["pay", "patch", "old"],
      results: [{ callId: "c1", output: "paid", isError: false }],
      max: 3,
    },
    {
      provider: "openai.responses",
      tools: ["pay", "local_shell"],
      results: [
        { callId: "c2", output: "paid", isError: false },
        { callId: "c3", output: "no", isError: true },
      ],
      max: 4,
    },
    {
      provider: "anthropic.messages",
      tools: ["pay", "bash"],
      results: [{ callId: "c4", output: "no", isError: true }],
      max: 5,
    },
  ])
})

test("custom tools, older functions and tools on the caller's machine are calls; the provider's own are not", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: { blocked: (_, tool) => tool !== "patch" } })
  const message = {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "c1", type: "custom", custom: { name: "patch", input: "*** begin" } }],
    function_call: { name: "old", arguments: "{}" },
  }
  stub.next({ json: { id: "1", model: "m", choices: [{ index: 0, finish_reason: "tool_calls", message }] } })
  const completion = await client.chat.completions.create({ model: "m", messages })
  expect(governor.last().answer?.calls).toEqual([
    { callId: "c1", tool: "patch", arguments: '{"input":"*** begin"}' },
    { callId: "function_call/0", tool: "old", arguments: "{}" },
  ])
  expect(completion.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: null } })
  expect(completion.choices[0]?.message.function_call).toBeUndefined()

  const output = [
    { type: "web_search_call", id: "ws", status: "completed" },
    { type: "function_call", id: "f", call_id: "c2", namespace: "crm", name: "drop", arguments: "{}" },
    { type: "shell_call", id: "s", call_id: "c3", action: { commands: ["ls"] }, environment: null },
    { type: "shell_call", id: "t", call_id: "c4", action: {}, environment: { type: "container_reference" } },
    { type: "apply_patch_call", id: "p", call_id: "c5", operation: { type: "delete_file", path: "a" } },
  ]
  stub.next({ json: { ...response(done), output } })
  const answered = await client.responses.create({ model: "m", input: "x" })
  expect(governor.last().answer?.calls).toEqual([
    { callId: "c2", tool: "crm.drop", arguments: "{}" },
    { callId: "c3", tool: "shell", arguments: '{"commands":["ls"]}' },
    { callId: "c5", tool: "apply_patch", arguments: '{"type":"delete_file","path":"a"}' },
  ])
  expect(answered.output).toEqual([output[0], output[3]])
})

test("calls without an id of their own, or with the same, are told apart", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const tool = (id: string, name: string) => ({ id, type: "function", function: { name, arguments: "{}" } })
  const tool_calls = [tool("x", "scan"), tool("x", "pay"), tool("", "scan"), tool("", "pay")]
  stub.next({ json: { choices: [{ index: 0, finish_reason: "tool_calls", message: { content: null, tool_calls } }] } })
  const completion = await client.chat.completions.create({ model: "m", messages })
  expect(new Set(governor.last().answer?.calls.map(({ callId }) => callId)).size).toBe(4)
  expect(completion.choices[0]?.message.tool_calls).toEqual([tool_calls[0], tool_calls[2]])
})

test("calls of several choices are judged together", async () => {
  await using stub = await stubServer()
  const { client, governor } = openai(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const choices = [{ parts: [call("1", "pay")] }, { parts: [text("x"), call("2", "scan"), call("3", "pay")] }]
  stub.next(chatReply(choices))
  const completion = await client.chat.completions.create({ model: "m", messages, n: 2 })
  expect(governor.last().answer?.calls.map(({ callId }) => callId)).toEqual(["1", "2", "3"])
  expect(completion.choices.map(({ finish_reason }) => finish_reason)).toEqual(["stop", "tool_calls"])
  expect(completion.choices[1]?.message.tool_calls).toHaveLength(1)
})

test("an answer that the provider keeps is gone on from with a result for each call that was taken out", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  const parts = [call("c1", "pay"), call("c2", "scan")]
  const result = { type: "function_call_output" as const, call_id: "c2", output: "scanned" }
  const withheld = { type: "function_call_output", call_id: "c1", output: "c1 is blocked" }
  stub.next(responsesReply({ id: "resp_a", parts }), responsesReply(done), responsesReply(done))
  await client.responses.create({ model: "m", input: "Hi" })
  const next = { model: "m", previous_response_id: "resp_a", input: [result] }
  await client.responses.create(next)
  expect(stub.requests[1]?.json.input).toEqual([withheld, result])
  await client.responses.create({ ...next, previous_response_id: "resp_b" })
  expect(stub.requests[2]?.text).toBe(JSON.stringify({ ...next, previous_response_id: "resp_b" }))
})

test("a conversation gets such results once, with the request that the provider takes", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { blocked: () => true } })
  const json = { ...response({ parts: [call("c1", "pay")] }), conversation: { id: "conv_1" } }
  stub.next({ json }, { status: 400, json: { error: { message: "no" } } }, responsesReply(done), responsesReply(done))
  const ask = () => client.responses.create({ model: "m", input: "Hi", conversation: "conv_1" })
  await ask()
  await ask().catch(() => undefined)
  await ask()
  await ask()
  const told = stub.requests.map(({ json: { input } }) => (Array.isArray(input) ? input.length : 0))
  expect(told).toEqual([0, 2, 2, 0])
})

test("a thought that led only to what was taken out is not sent back, and an empty answer is mended", async () => {
  await using stub = await stubServer()
  const { client } = openai(stub, { governor: { blocked: () => true } })
  const one = { type: "thinking" as const, id: "rs_1", text: "hm" }
  const two = { type: "thinking" as const, id: "rs_2", text: "hm" }
  stub.next(responsesReply({ parts: [one, text("x"), two, call("c1", "pay")] }), responsesReply(done))
  const first = await client.responses.create({ model: "m", input: "Hi", store: false })
  const input = [...first.output, { role: "user" as const, content: "Go on" }]
  await client.responses.create({ model: "m", store: false, input: input as never })
  expect(stub.requests[1]?.json.input).toEqual([first.output[0], first.output[1], input.at(-1)])

  stub.next(chatReply(done))
  const empty = { role: "assistant" as const, content: null }
  await client.chat.completions.create({ model: "m", messages: [...messages, empty, ...messages] })
  expect(stub.requests[2]?.json.messages).toEqual([...messages, { role: "assistant", content: "" }, ...messages])

  const other = anthropic(stub, { governor: { blocked: () => true } })
  stub.next(messageReply({ parts: [call("c1", "pay")] }), messageReply(done))
  const said = await other.client.messages.create({ model: "m", max_tokens: 1, messages })
  expect([said.content, said.stop_reason]).toEqual([[], "end_turn"])
  const history = [...messages, { role: "assistant" as const, content: said.content }, ...messages]
  await other.client.messages.create({ model: "m", max_tokens: 1, messages: history })
  expect(stub.requests[4]?.json.messages).toEqual([...messages, ...messages])
})

test("a message thread is told of the calls that were taken out of its last answer", async () => {
  await using stub = await stubServer()
  const { client } = anthropic(stub, { governor: { blocked: (_, tool) => tool === "pay" } })
  stub.next({ json: message({ id: "msg_a", parts: [call("c1", "pay")] }) }, messageReply(done))
  const thread = client.beta.messages.thread({ model: "m", max_tokens: 9, tools: [messagesTool("pay")] })
  await thread.send({ role: "user", content: "Pay" })
  await thread.send({ role: "user", content: "And?" })
  expect(stub.requests[1]?.json).toMatchObject({
    thread: { type: "continue", previous_message_id: "msg_a" },
    messages: [
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "c1", content: "c1 is blocked", is_error: true },
          { type: "text", text: "And?" },
        ],
      },
    ],
  })
})
