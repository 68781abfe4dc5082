/** The model of the examples against the real clients: what the script says is what they hear, streamed or not. */
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { describe, expect, test } from "vitest"
import { type Answer, type Asked, ScriptedModel } from "../../examples/scripted-model/ScriptedModel.ts"

const said: Answer = {
  text: "I look  at\nboth. ",
  calls: [
    { tool: "look", args: { at: "a b", deep: { n: 1 } } },
    { tool: "look", args: {} },
  ],
  usage: { input: 7, output: 3 },
}
const heard = { text: said.text, calls: said.calls, usage: said.usage }

const asking = async (use: (model: ScriptedModel) => Promise<void>): Promise<ReadonlyArray<Asked>> => {
  const asked: Array<Asked> = []
  await using model = await ScriptedModel.start((question) => {
    asked.push(question)
    return said
  })
  await use(model)
  return asked
}
const first = { turn: 0, prompt: "go", tools: ["look"], told: ["go"] }
const second = { turn: 1, prompt: "go", tools: ["look"], told: ["seen"] }
const parameters = { type: "object" as const }

describe("the scripted model", () => {
  test("speaks chat completions", async () => {
    const asked = await asking(async (model) => {
      const { chat } = new OpenAI({ apiKey: "none", baseURL: model.openaiUrl })
      const tools = [{ type: "function" as const, function: { name: "look", parameters } }]
      const messages: Array<OpenAI.ChatCompletionMessageParam> = [{ role: "user", content: "go" }]
      const request = { model: "m", messages, tools }
      const whole = await chat.completions.create(request)
      const streamed = chat.completions.stream({ ...request, stream_options: { include_usage: true } })
      for (const { choices, usage } of [whole, await streamed.finalChatCompletion()]) {
        const message = choices[0]?.message
        const calls = (message?.tool_calls ?? []).flatMap((call) =>
          call.type === "function" ? [{ tool: call.function.name, args: JSON.parse(call.function.arguments) }] : [],
        )
        expect({
          text: message?.content,
          calls,
          usage: { input: usage?.prompt_tokens, output: usage?.completion_tokens },
        }).toEqual(heard)
        expect(choices[0]?.finish_reason).toBe("tool_calls")
      }
      const [choice] = whole.choices
      if (choice === undefined) throw new Error("no choice")
      messages.push(choice.message, { role: "tool", tool_call_id: "call_1_0", content: "seen" })
      await chat.completions.create(request)
    })
    expect(asked).toMatchObject([first, first, second])
  })

  test("speaks responses", async () => {
    const asked = await asking(async (model) => {
      const { responses } = new OpenAI({ apiKey: "none", baseURL: model.openaiUrl })
      const tools = [{ type: "function" as const, name: "look", strict: false, parameters }]
      const whole = await responses.create({ model: "m", input: "go", tools })
      const streamed = await responses.stream({ model: "m", input: "go", tools }).finalResponse()
      for (const { output, output_text, usage } of [whole, streamed]) {
        const calls = output.flatMap((item) =>
          item.type === "function_call" ? [{ tool: item.name, args: JSON.parse(item.arguments) }] : [],
        )
        expect({
          text: output_text,
          calls,
          usage: { input: usage?.input_tokens, output: usage?.output_tokens },
        }).toEqual(heard)
      }
      const input: Array<OpenAI.Responses.ResponseInputItem> = [{ role: "user", content: "go" }]
      for (const item of whole.output) if (item.type === "message" || item.type === "function_call") input.push(item)
      input.push({ type: "function_call_output", call_id: "call_1_0", output: "seen" })
      await responses.create({ model: "m", input, tools })
    })
    expect(asked).toMatchObject([first, first, second])
  })

  test("speaks messages", async () => {
    const asked = await asking(async (model) => {
      const { messages } = new Anthropic({ apiKey: "none", baseURL: model.url })
      const tools = [{ name: "look", input_schema: parameters }]
      const conversation: Array<Anthropic.MessageParam> = [{ role: "user", content: "go" }]
      const request = { model: "m", max_tokens: 10, tools, messages: conversation }
      const whole = await messages.create(request)
      for (const { content, usage, stop_reason } of [whole, await messages.stream(request).finalMessage()]) {
        const calls = content.flatMap((block) =>
          block.type === "tool_use" ? [{ tool: block.name, args: block.input }] : [],
        )
        const text = content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("")
        expect({ text, calls, usage: { input: usage.input_tokens, output: usage.output_tokens } }).toEqual(heard)
        expect(stop_reason).toBe("tool_use")
      }
      conversation.push(
        { role: "assistant", content: whole.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1_0", content: "seen" }] },
      )
      await messages.create(request)
    })
    expect(asked).toMatchObject([first, first, second])
  })

  test("says so where a script fails, and does not know other endpoints", async () => {
    await using model = await ScriptedModel.start(() => {
      throw new Error("no idea")
    })
    const client = new OpenAI({ apiKey: "none", baseURL: model.openaiUrl })
    await expect(client.responses.create({ model: "m", input: "go" })).rejects.toThrow(/The script failed.*no idea/)
    await expect(client.models.list()).rejects.toMatchObject({ status: 404 })
  })
})
