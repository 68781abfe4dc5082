/** Agents of the OpenAI Agents SDK under a session, in front of a stub of their provider. */
import {
  Agent,
  type Model,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  Runner,
  type RunStreamEvent,
  setTracingDisabled,
  tool,
} from "@openai/agents"
import OpenAI from "openai"
import { onTestFinished } from "vitest"
import { z } from "zod"
import { type ReplayOptions, replay } from "../../../src/index.ts"
import { governedModel, governedTool } from "../../../src/openai-agents.ts"
import { governance, openRuntime, workflowYaml } from "../fixtures.ts"
import { chatReply, responsesReply } from "../providers/openaiStub.ts"
import { type StubServer, stubServer } from "../providers/stubServer.ts"

// Its traces go to a server of the provider's.
setTracingDisabled(true)

export const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }

export type Wire = "chat completions" | "responses"
/** Where it is governed: the session's client, or the SDK's model over a plain one. */
export type Place = "client" | "model"
export const ways: ReadonlyArray<readonly [Wire, Place]> = [
  ["chat completions", "client"],
  ["chat completions", "model"],
  ["responses", "client"],
  ["responses", "model"],
]

export const replyOf = (wire: Wire) => (wire === "responses" ? responsesReply : chatReply)

const modelOf = (wire: Wire, client: OpenAI): Model =>
  wire === "responses"
    ? new OpenAIResponsesModel(client, "gpt-5-mini")
    : new OpenAIChatCompletionsModel(client, "gpt-5-mini")

export const stubbed = async (): Promise<StubServer> => {
  const stub = await stubServer()
  onTestFinished(() => stub[Symbol.asyncDispose]())
  return stub
}

type Options = Omit<Partial<ReplayOptions>, "tools">

export const setUp = async (
  [wire, place]: readonly [Wire, Place] = ["responses", "client"],
  options: Options = {},
  files: Readonly<Record<string, string>> = unlimited,
) => {
  const stub = await stubbed()
  const runtime = await openRuntime()
  const folder = governance(files)
  const client = new OpenAI({ apiKey: "key", baseURL: `${stub.url}/v1`, maxRetries: 0 })
  const session = replay(client, {
    agent: "lead",
    contractsDir: `${folder}/lead`,
    workflow: { type: "root", workflowId: "w1", role: "lead" },
    runtime,
    sessionId: "root",
    ...options,
  })
  onTestFinished(() => session.close())
  const names: Array<string> = []
  const of = (name: string) =>
    tool(
      governedTool(session, {
        name,
        description: `Does ${name}.`,
        parameters: z.object({}),
        execute: async () => {
          names.push(name)
          return `${name} done`
        },
      }),
    )
  const model =
    place === "client"
      ? modelOf(wire, session.client)
      : governedModel(session, modelOf(wire, client), { name: "gpt-5-mini" })
  const agent = (tools: ReadonlyArray<ReturnType<typeof of>>) =>
    new Agent({ name: "lead", instructions: "Be good.", model, tools: [...tools] })
  return { stub, runtime, folder, session, names, of, model, agent, runner: new Runner(), reply: replyOf(wire) }
}

export const collected = async (stream: AsyncIterable<RunStreamEvent>): Promise<ReadonlyArray<RunStreamEvent>> => {
  const events: Array<RunStreamEvent> = []
  for await (const event of stream) events.push(event)
  return events
}
