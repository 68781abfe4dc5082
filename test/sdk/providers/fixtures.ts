/** Real clients, governed, in front of a stub of their provider. */
import Anthropic, { type ClientOptions as AnthropicOptions } from "@anthropic-ai/sdk"
import OpenAI, { type ClientOptions as OpenAIOptions } from "openai"
import { type GovernedClientOptions, governedClient } from "../../../src/sdk/providers/governedClient.ts"
import { errors, type FakeGovernor, type FakeOptions, fakeGovernor } from "./fakeGovernor.ts"
import type { Part, StubServer } from "./stubServer.ts"

export interface Governed<C> {
  readonly plain: C
  readonly client: C
  readonly governor: FakeGovernor
}

export interface How {
  readonly governor?: FakeOptions
  readonly governed?: Omit<GovernedClientOptions, "errors">
}

export const openai = (stub: StubServer, how: How & { readonly client?: OpenAIOptions } = {}): Governed<OpenAI> => {
  const plain = new OpenAI({ apiKey: "key", baseURL: `${stub.url}/v1`, ...how.client })
  const governor = fakeGovernor(how.governor)
  return { plain, governor, client: governedClient(plain, governor, { errors, ...how.governed }) }
}

export const anthropic = (
  stub: StubServer,
  how: How & { readonly client?: AnthropicOptions } = {},
): Governed<Anthropic> => {
  const plain = new Anthropic({ apiKey: "key", baseURL: stub.url, ...how.client })
  const governor = fakeGovernor(how.governor)
  return { plain, governor, client: governedClient(plain, governor, { errors, ...how.governed }) }
}

export const text = (value: string): Part => ({ type: "text", text: value })

export const call = (id: string, name: string, args: unknown = {}): Part => ({
  type: "call",
  id,
  name,
  arguments: JSON.stringify(args),
})

export const collect = async <A>(stream: AsyncIterable<A>): Promise<Array<A>> => {
  const all: Array<A> = []
  for await (const one of stream) all.push(one)
  return all
}

export const caught = async (run: Promise<unknown>): Promise<unknown> => {
  try {
    await run
  } catch (error) {
    return error
  }
  throw new Error("nothing was thrown")
}

/** The definition of a tool, as chat completions take it. */
export const chatTool = (name: string) => ({
  type: "function" as const,
  function: { name, parameters: { type: "object", properties: {} } },
})

export const responsesTool = (name: string) => ({
  type: "function" as const,
  name,
  parameters: { type: "object", properties: {} },
  strict: false,
})

export const messagesTool = (name: string) => ({ name, input_schema: { type: "object" as const, properties: {} } })
