/** Tools that know the schema of their arguments. */
import type Anthropic from "@anthropic-ai/sdk"
import type OpenAI from "openai"
import { describe, expect, expectTypeOf, test } from "vitest"
import {
  ReplayConfigError,
  ReplayContractError,
  ReplayKillError,
  replay,
  type ToolContext,
  tool,
} from "../../src/index.ts"
import { errorOf } from "./fixtures.ts"
import { ask } from "./governor/model.ts"

const session = (more = "") => `schema_version: "1.0"\nagent: agent\n${more}`
const contracts = { "session.yaml": session(), "pay.yaml": "tool: pay\nside_effect: write\n" }
const parameters = {
  type: "object",
  properties: { to: { type: "string", minLength: 1 }, amount: { type: "number", exclusiveMinimum: 0 } },
  required: ["to", "amount"],
  additionalProperties: false,
} as const

const scene = (files = contracts) => {
  const paid: Array<unknown> = []
  const pay = tool({
    description: "Pays somebody",
    parameters,
    run: (args: { to: string; amount: number }, { stepId }: ToolContext) => {
      paid.push(args)
      return stepId.length > 0
    },
  })
  const agent = replay(null, {
    agent: "agent",
    contracts: files,
    tools: { pay, plain: () => 1 },
    unmatchedPolicy: "allow",
  })
  return { agent, paid }
}

describe("a tool with a schema", () => {
  test("runs with arguments that fit, with the types of its function", async () => {
    const { agent, paid } = scene()
    expectTypeOf(agent.tools.pay).toEqualTypeOf<(args: { to: string; amount: number }) => Promise<boolean>>()
    expect(await agent.tools.pay({ to: "ada", amount: 1 })).toBe(true)
    await ask(agent, { calls: [{ tool: "pay", args: { to: "ada", amount: 2 } }] })
    await agent.tools.pay({ to: "ada", amount: 2 })
    expect(paid).toHaveLength(2)
  })

  test.each([
    [{ to: "ada" }, "$"],
    [{ to: "", amount: 1 }, "$.to"],
    [{ to: "ada", amount: "1" }, "$.amount"],
    [{ to: "ada", amount: 1, note: "x" }, "$"],
    [[], "$"],
  ])("blocks %j, and says where it does not fit", async (args, path) => {
    const { agent, paid } = scene()
    const blocked = { failures: [{ tool: "pay", path, operator: "parameters", code: "invalid_arguments" }] }
    expect(await errorOf(ask(agent, { calls: [{ tool: "pay", args }] }))).toMatchObject(blocked)
    expect(await errorOf(agent.tools.pay(args as never))).toMatchObject(blocked)
    expect(paid).toEqual([])
  })

  test("counts a call that does not fit as blocked", async () => {
    const breaker = {
      ...contracts,
      "session.yaml": session("session_limits: { circuit_breaker: { consecutive_blocks: 2 } }\n"),
    }
    const { agent } = scene(breaker)
    expect(await errorOf(agent.tools.pay({} as never))).toBeInstanceOf(ReplayContractError)
    expect(await errorOf(ask(agent, { calls: [{ tool: "pay", text: "{" }] }))).toBeInstanceOf(ReplayKillError)
  })

  test("is offered to each provider in its own words, as long as it may be called", () => {
    const { agent } = scene()
    const chat: Array<OpenAI.ChatCompletionTool> = agent.offered("openai.chat")
    const responses: Array<OpenAI.Responses.FunctionTool> = agent.offered("openai.responses")
    const messages: Array<Anthropic.Tool> = agent.offered("anthropic.messages")
    const description = "Pays somebody"
    expect(chat).toEqual([{ type: "function", function: { name: "pay", description, parameters } }])
    expect(responses).toEqual([{ type: "function", name: "pay", description, parameters, strict: false }])
    expect(messages).toEqual([{ name: "pay", description, input_schema: parameters }])
    agent.narrow(["plain"])
    expect(agent.offered("openai.chat")).toEqual([])
    expect(() => agent.offered("cohere" as never)).toThrow(ReplayConfigError)
  })

  test("whose schema is wrong is refused by replay, with its place", () => {
    const broken = tool({ parameters: { type: "object", properties: { to: { type: "text" } } }, run: () => 1 })
    expect(() => replay(null, { agent: "agent", contracts, tools: { broken } })).toThrow(
      /schema of broken is not valid at parameters.properties.to.type/,
    )
  })
})
