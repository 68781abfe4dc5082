/** Each provider's own client under a session, asked the same things: so that one test holds for all of them. */
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import type { ReplaySession } from "../../src/index.ts"
import { messageReply } from "./providers/anthropicStub.ts"
import { chatTool, collect, messagesTool, responsesTool } from "./providers/fixtures.ts"
import { chatReply, responsesReply } from "./providers/openaiStub.ts"
import type { Events, Script, StubAnswer } from "./providers/stubServer.ts"

type Session<C extends object> = Pick<ReplaySession<Record<never, never>, C>, "client" | "runTools">

export interface Dialect<C extends object> {
  readonly name: string
  readonly client: (url: string) => C
  readonly reply: (answer: StubAnswer, how?: Omit<Events, "events">) => Script
  /** The answer of one model call, as the client gives it. */
  readonly ask: (session: Session<C>, tools: ReadonlyArray<string>) => Promise<object>
  /** The same as a stream, whole; `onText` hears of text as it comes. */
  readonly stream: (session: Session<C>, tools: ReadonlyArray<string>, onText?: () => void) => Promise<object>
}

const say = (content: string) => [{ role: "user" as const, content }]

const chat: Dialect<OpenAI> = {
  name: "OpenAI chat completions",
  client: (url) => new OpenAI({ apiKey: "sk-test", baseURL: `${url}/v1`, maxRetries: 2 }),
  reply: chatReply,
  ask: ({ client }, tools) =>
    client.chat.completions.create({ model: "gpt-5-mini", messages: say("go"), tools: tools.map(chatTool) }),
  stream: ({ client }, tools, onText) => {
    const body = { model: "gpt-5-mini", messages: say("go"), tools: tools.map(chatTool) }
    const stream = client.chat.completions.stream(body)
    stream.on("content", () => onText?.())
    return stream.finalChatCompletion()
  },
}

const responses: Dialect<OpenAI> = {
  name: "OpenAI responses",
  client: chat.client,
  reply: responsesReply,
  ask: ({ client }, tools) =>
    client.responses.create({ model: "gpt-5-mini", input: "go", tools: tools.map(responsesTool) }),
  stream: async ({ client }, tools, onText) => {
    const stream = client.responses.stream({ model: "gpt-5-mini", input: "go", tools: tools.map(responsesTool) })
    stream.on("response.output_text.delta", () => onText?.())
    return stream.finalResponse()
  },
}

const messages: Dialect<Anthropic> = {
  name: "Anthropic messages",
  client: (url) => new Anthropic({ apiKey: "sk-test", baseURL: url, maxRetries: 2 }),
  reply: messageReply,
  ask: ({ client }, tools) =>
    client.messages.create({
      model: "claude-sonnet-5",
      max_tokens: 100,
      messages: say("go"),
      tools: tools.map(messagesTool),
    }),
  stream: async ({ client }, tools, onText) => {
    const stream = client.messages.stream({
      model: "claude-sonnet-5",
      max_tokens: 100,
      messages: say("go"),
      tools: tools.map(messagesTool),
    })
    stream.on("text", () => onText?.())
    return stream.finalMessage()
  },
}

const raw: Dialect<OpenAI> = {
  ...chat,
  name: "OpenAI chat completions, chunk by chunk",
  stream: async ({ client }, tools, onText) => {
    const body = { model: "gpt-5-mini", messages: say("go"), tools: tools.map(chatTool), stream: true } as const
    for await (const chunk of await client.chat.completions.create(body))
      if (typeof chunk.choices[0]?.delta.content === "string") onText?.()
    return {}
  },
}

/** The clients' types differ, and the tests do not look at them. */
export const dialects = [chat, raw, responses, messages] as unknown as ReadonlyArray<Dialect<object>>
export { collect }
