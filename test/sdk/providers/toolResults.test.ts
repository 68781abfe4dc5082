/** For a loop over tools: an answer's calls, and the messages that bring their results. */
import { expect, test } from "vitest"
import { toolCallsOf, toolResultMessages } from "../../../src/sdk/providers/toolResults.ts"
import { message } from "./anthropicStub.ts"
import { call, text } from "./fixtures.ts"
import { chatCompletion, response } from "./openaiStub.ts"

const answer = { parts: [text("Now."), call("c1", "pay", { n: 1 }), call("c2", "scan")] }
const calls = [
  { callId: "c1", tool: "pay", arguments: '{"n":1}' },
  { callId: "c2", tool: "scan", arguments: "{}" },
]
const results = [
  { callId: "c1", output: { paid: true }, isError: false },
  { callId: "c2", output: "broken", isError: true },
]

test("every provider's answer says its calls in the same words", () => {
  for (const one of [chatCompletion(answer), response(answer), message(answer)]) expect(toolCallsOf(one)).toEqual(calls)
  for (const none of [chatCompletion({ parts: [] }), response({ parts: [] }), message({ parts: [] })]) {
    expect(toolCallsOf(none)).toEqual([])
  }
  expect([undefined, null, "x", {}, []].map(toolCallsOf)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test("results go back in the provider's own messages", () => {
  expect(toolResultMessages(chatCompletion(answer), results)).toEqual([
    { role: "tool", tool_call_id: "c1", content: '{"paid":true}' },
    { role: "tool", tool_call_id: "c2", content: "broken" },
  ])
  expect(toolResultMessages(response(answer), results)).toEqual([
    { type: "function_call_output", call_id: "c1", output: '{"paid":true}' },
    { type: "function_call_output", call_id: "c2", output: "broken" },
  ])
  expect(toolResultMessages(message(answer), results)).toEqual([
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "c1", content: '{"paid":true}' },
        { type: "tool_result", tool_use_id: "c2", content: "broken", is_error: true },
      ],
    },
  ])
})

test("a call without a result brings none, and no result is no message", () => {
  for (const one of [chatCompletion(answer), response(answer), message(answer)]) {
    expect(toolResultMessages(one, [])).toEqual([])
    expect(JSON.stringify(toolResultMessages(one, results.slice(1)))).not.toContain("c1")
  }
})

test("tools on the caller's machine get results of their kind; a screenshot cannot be told by a text", () => {
  const output = [
    { type: "shell_call", call_id: "s", action: {} },
    { type: "apply_patch_call", call_id: "p", operation: {} },
    { type: "custom_tool_call", call_id: "u", name: "n", input: "i" },
    { type: "local_shell_call", call_id: "l", action: {} },
  ]
  const results = output.map(({ call_id }) => ({ callId: call_id, output: "out", isError: call_id === "p" }))
  expect(toolResultMessages({ output }, results)).toEqual([
    {
      type: "shell_call_output",
      call_id: "s",
      output: [{ stdout: "out", stderr: "", outcome: { type: "exit", exit_code: 0 } }],
    },
    { type: "apply_patch_call_output", call_id: "p", status: "failed", output: "out" },
    { type: "custom_tool_call_output", call_id: "u", output: "out" },
    { type: "local_shell_call_output", id: "l", output: "out" },
  ])
  const computer = { output: [{ type: "computer_call", call_id: "c", action: {} }] }
  expect(() => toolResultMessages(computer, [{ callId: "c", output: "x", isError: false }])).toThrow(TypeError)
})

test("an older function's result has its name in place of an id", () => {
  const old = { choices: [{ message: { function_call: { name: "old", arguments: "{}" } } }] }
  const callId = toolCallsOf(old)?.[0]?.callId ?? ""
  expect(toolResultMessages(old, [{ callId, output: 1, isError: false }])).toEqual([
    { role: "function", name: "old", content: "1" },
  ])
})
