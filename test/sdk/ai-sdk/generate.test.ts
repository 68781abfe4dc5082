/** generateText under a session: its loop, its tools, what blocks it, what it costs, and what ends it. */
import {
  APICallError,
  generateText,
  RetryError,
  stepCountIs,
  ToolChoiceViolationError,
  type ToolSet,
  tool,
  wrapLanguageModel,
} from "ai"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import {
  durableHandoff,
  governedModel,
  governedTools,
  handrailMiddleware,
  refusalOf,
  stepOf,
} from "../../../src/ai-sdk.ts"
import { ReplayConfigError, ReplayContractError, ReplayKillError, type ReplayOptions } from "../../../src/index.ts"
import {
  aborted,
  errorOf,
  gate,
  governance,
  happened,
  lead,
  openRuntime,
  resolutions,
  workflowYaml,
} from "../fixtures.ts"
import { scripted } from "./model.ts"

const prices = { "model-1": { input: 1000, output: 1000, cachedInput: 100 } }
const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }

const setUp = async (options: Partial<ReplayOptions> = {}, files: Readonly<Record<string, string>> = unlimited) => {
  const runtime = await openRuntime()
  return { runtime, session: lead(runtime, governance(files), {}, { prices, ...options }) }
}

const ran = () => {
  const names: Array<string> = []
  const of = (name: string, result: unknown = `${name} done`) =>
    tool({
      inputSchema: z.object({ at: z.string().optional(), database: z.string().optional() }),
      execute: async () => {
        names.push(name)
        return result
      },
    })
  return { names, of }
}

const loop = { prompt: "go", stopWhen: stepCountIs(5) } as const

describe("generateText", () => {
  test("runs the tools of its loop as the steps that were admitted, and settles what each model call has cost", async () => {
    const { runtime, session } = await setUp()
    const seen: Array<unknown> = []
    const tools = governedTools(session, {
      look: tool({
        inputSchema: z.object({ at: z.string() }),
        execute: ({ at }, options) => {
          const { stepId, settle } = stepOf(options)
          settle({ actualCost: 0.5 })
          seen.push(at, stepId, options.toolCallId)
          return { found: at }
        },
      }),
    })
    const model = scripted(
      { text: "I look.", calls: [{ id: "c1", tool: "look", args: { at: "home" } }] },
      { text: "Found.", usage: { input: 100, output: 10, cached: 50 } },
    )
    const result = await generateText({ model: governedModel(session, model), tools, ...loop })
    expect(result.text).toBe("Found.")
    expect(result.steps[0]?.toolResults).toMatchObject([{ toolCallId: "c1", output: { found: "home" } }])
    const [decision] = session.decisions
    expect(seen).toEqual(["home", decision?.calls[0]?.stepId, "c1"])
    expect(await resolutions(runtime)).toEqual(["look committed"])
    const { ledger } = await session.getWorkflowState()
    expect(ledger.tokens.used).toBe(140)
    // 20 + 10, then 50 fresh, 50 cached and 10 written, per million; and the tool's own.
    expect(ledger.cost.used).toBeCloseTo(0.03 + 0.05 + 0.005 + 0.01 + 0.5, 6)
  })

  test("is the same with the middleware", async () => {
    const { runtime, session } = await setUp()
    const { names, of } = ran()
    const model = wrapLanguageModel({
      model: scripted({ calls: [{ id: "c1", tool: "look" }] }, { text: "ok" }),
      middleware: handrailMiddleware(session),
    })
    const { text } = await generateText({ model, tools: governedTools(session, { look: of("look") }), ...loop })
    expect([text, names]).toEqual(["ok", ["look"]])
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })

  test("never runs a blocked call nor those beside it, and settles the answer all the same", async () => {
    const { session } = await setUp()
    const { names, of } = ran()
    const calls = ["look", "pay", "post"].map((name) => ({ id: name, tool: name }))
    const tools = governedTools(session, { look: of("look"), pay: of("pay"), post: of("post") })
    const error = await errorOf(generateText({ model: governedModel(session, scripted({ calls })), tools, ...loop }))
    expect(error).toBeInstanceOf(ReplayContractError)
    expect(error).toMatchObject({ failures: [{ tool: "pay", code: "risk_blocked" }] })
    expect(names).toEqual([])
    expect((await session.getState()).steps).toEqual([])
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(30)
  })

  test("admits parallel calls together: where the workflow refuses one, none runs", async () => {
    const limited = { "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 100, max_steps: 1") }
    const { session } = await setUp({}, limited)
    const { names, of } = ran()
    const calls = [
      { id: "a", tool: "look", args: { at: "a" } },
      { id: "b", tool: "look", args: { at: "b" } },
    ]
    const model = governedModel(session, scripted({ calls }))
    const error = await errorOf(generateText({ model, tools: governedTools(session, { look: of("look") }), ...loop }))
    expect(error).toMatchObject({ code: "limit_exceeded" })
    expect(names).toEqual([])
    expect((await session.getState()).steps).toEqual([])
  })

  test("runs calls that queue for one resource one after another, of one answer too", async () => {
    const { runtime, session } = await setUp()
    const order: Array<string> = []
    const tools = governedTools(session, {
      migrate: tool({
        inputSchema: z.object({ database: z.string() }),
        execute: async (_, options) => {
          const { fences } = stepOf(options)
          order.push(`${fences[0]?.token} begins`)
          await new Promise(setImmediate)
          order.push(`${fences[0]?.token} ends`)
        },
      }),
    })
    const calls = ["a", "b"].map((id) => ({ id, tool: "migrate", args: { database: "main" } }))
    await generateText({ model: governedModel(session, scripted({ calls }, { text: "ok" })), tools, ...loop })
    expect(order).toEqual(["1 begins", "1 ends", "2 begins", "2 ends"])
    expect(await resolutions(runtime)).toEqual(["migrate committed", "migrate committed"])
  })

  test.each(["strip_partial", "strip_blocked"] as const)(
    "%s takes a blocked call out and runs the rest",
    async (gate) => {
      const { session } = await setUp({ gate })
      const { names, of } = ran()
      const calls = ["look", "pay"].map((name) => ({ id: name, tool: name }))
      const tools = governedTools(session, { look: of("look"), pay: of("pay") })
      const model = governedModel(session, scripted({ calls }, { text: "ok" }))
      const result = await generateText({ model, tools, ...loop })
      expect(names).toEqual(["look"])
      expect(result.steps[0]?.toolCalls.map(({ toolName }) => toolName)).toEqual(["look"])
      expect(result.steps[0]?.finishReason).toBe("tool-calls")
      expect(JSON.stringify(result.steps[0]?.response.body ?? null)).not.toContain("pay")
    },
  )

  test("ends as an answer without calls where none is left", async () => {
    const { session } = await setUp({ gate: "strip_blocked" })
    const { of, names } = ran()
    const model = governedModel(session, scripted({ text: "I pay.", calls: [{ id: "p", tool: "pay" }] }))
    const result = await generateText({ model, tools: governedTools(session, { pay: of("pay") }), ...loop })
    expect(result).toMatchObject({ text: "I pay.", finishReason: "stop", toolCalls: [] })
    expect(names).toEqual([])
  })

  test.each(["generated", "streamed"])("tells calls with one id apart, in an answer that is %s", async (how) => {
    const { session } = await setUp({ gate: "strip_blocked" })
    const calls = ["look", "pay"].map((name) => ({ id: "same", tool: name }))
    const model = governedModel(session, scripted({ calls }))
    const told: Array<string> = []
    if (how === "generated")
      for (const part of (await model.doGenerate({ prompt: [] })).content)
        told.push(part.type === "tool-call" ? part.toolName : part.type)
    else
      for await (const part of (await model.doStream({ prompt: [] })).stream)
        if (part.type === "tool-call") told.push(part.toolName)
    expect(told).toEqual(["look"])
  })

  test("feeds a blocked answer back with what was wrong, thoughts included, and counts both calls", async () => {
    const { session } = await setUp({ maxRetries: 1 })
    const { names, of } = ran()
    const model = scripted(
      {
        thought: "hm",
        text: "I pay.",
        calls: [
          { id: "p", tool: "pay" },
          { id: "l", tool: "look" },
        ],
      },
      { text: "Then not." },
    )
    const tools = governedTools(session, { look: of("look"), pay: of("pay") })
    const result = await generateText({ model: governedModel(session, model), tools, ...loop })
    expect(result.text).toBe("Then not.")
    expect(result.totalUsage.inputTokens).toBe(40)
    expect(names).toEqual([])
    expect(model.asked[1]?.prompt.slice(-2)).toMatchObject([
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm", providerOptions: { scripted: { signature: "s" } } },
          { type: "text", text: "I pay." },
          { type: "tool-call", toolCallId: "p", toolName: "pay", input: {} },
          { type: "tool-call", toolCallId: "l" },
        ],
      },
      {
        role: "tool",
        content: [
          { toolCallId: "p", output: { type: "error-text", value: expect.stringMatching(/risk_blocked/) } },
          { toolCallId: "l", output: { type: "error-text", value: expect.stringMatching(/not run/) } },
        ],
      },
    ])
    expect(session.decisions.map(({ outcome }) => outcome)).toEqual(["retried", "passed"])
  })

  test("offers no tool that may not be called, and tells of it where that is wished", async () => {
    const { session } = await setUp({ narrowingFeedback: "inject" })
    const { of } = ran()
    const model = scripted({ text: "ok" })
    const tools = governedTools(session, { look: of("look"), wipe: of("wipe"), unknown: of("unknown") })
    const toolChoice = { type: "tool", toolName: "wipe" } as const
    // The AI SDK holds the model to a choice that the model never heard of.
    const asked = generateText({ model: governedModel(session, model), tools, toolChoice, system: "Be good.", ...loop })
    expect(ToolChoiceViolationError.isInstance(await errorOf(asked))).toBe(true)
    expect(model.asked[0]?.tools?.map(({ name }) => name)).toEqual(["look"])
    expect(model.asked[0]?.toolChoice).toBeUndefined()
    expect(model.asked[0]?.prompt[0]).toMatchObject({
      role: "system",
      content: expect.stringMatching(/^Be good\.\n\n.*wipe: /),
    })
  })

  test("tells of narrowed tools in the answer's headers where that is wished", async () => {
    const { session } = await setUp({ narrowingFeedback: "metadata" })
    const { of } = ran()
    const tools = governedTools(session, { wipe: of("wipe") })
    const { response } = await generateText({ model: governedModel(session, scripted({ text: "ok" })), tools, ...loop })
    expect(response.headers).toEqual({ "handrail-narrowed": "wipe=gate_blocked" })
  })

  test("leaves what the provider runs itself alone", async () => {
    const { session } = await setUp()
    const { of } = ran()
    const model = scripted({ searched: "news", text: "ok" })
    const tools: ToolSet = {
      ...governedTools(session, { look: of("look") }),
      web_search: { type: "provider", id: "scripted.web_search", args: {}, inputSchema: z.object({}) },
    }
    const result = await generateText({ model: governedModel(session, model), tools, ...loop })
    expect(model.asked[0]?.tools?.map(({ name }) => name)).toEqual(["look", "web_search"])
    expect(result.toolResults).toMatchObject([{ toolName: "web_search", output: { found: "news" } }])
    expect(session.decisions.at(-1)?.calls).toEqual([])
  })
})

describe("a tool", () => {
  test("without execute is settled by the result that the next request tells", async () => {
    const { runtime, session } = await setUp()
    const tools = governedTools(session, {
      look: tool({ inputSchema: z.object({}), outputSchema: z.object({ found: z.number() }) }),
    })
    const model = governedModel(session, scripted({ calls: [{ id: "c1", tool: "look" }] }, { text: "ok" }))
    const first = await generateText({ model, tools, prompt: "go" })
    expect(await resolutions(runtime)).toEqual([])
    const output = { type: "json", value: { found: 1 } } as const
    await generateText({
      model,
      tools,
      messages: [
        { role: "user", content: "go" },
        ...first.response.messages,
        { role: "tool", content: [{ type: "tool-result", toolCallId: "c1", toolName: "look", output }] },
      ],
    })
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })

  test("whose schema refuses the arguments had no effect", async () => {
    const { runtime, session } = await setUp()
    const tools = governedTools(session, {
      post: tool({ inputSchema: z.object({ text: z.string() }), execute: (): string => expect.unreachable("it ran") }),
    })
    const calls = [{ id: "c1", tool: "post", args: { text: 1 } }]
    await generateText({ model: governedModel(session, scripted({ calls }, { text: "sorry" })), tools, ...loop })
    expect(await resolutions(runtime)).toEqual(["post aborted"])
  })

  test("runs under the admission of what its schema makes of the model's arguments", async () => {
    const { session } = await setUp()
    const inputSchema = z.object({
      at: z
        .string()
        .default("home")
        .transform((at) => new URL(`file:///${at}`)),
    })
    const seen: Array<unknown> = []
    const tools = governedTools(session, {
      look: tool({ inputSchema, execute: ({ at }) => void seen.push(at instanceof URL && at.pathname) }),
    })
    const model = governedModel(session, scripted({ calls: [{ id: "c1", tool: "look" }] }, { text: "ok" }))
    await generateText({ model, tools, ...loop })
    expect(seen).toEqual(["/home"])
    expect(session.decisions.map(({ provider }) => provider)).toEqual(["ai-sdk.scripted", "ai-sdk.scripted"])
  })

  test("does not run with mended arguments that break its contract", async () => {
    const careful = `tool: post
side_effect: write
cost: { estimate: 1 }
argument_value_invariants: [{ path: $.to, regex: "@example[.]com$" }]
`
    const { runtime, session } = await setUp({}, { ...unlimited, "lead/post.yaml": careful })
    const sent: Array<string> = []
    const tools = governedTools(session, {
      post: tool({ inputSchema: z.object({ to: z.string(), text: z.string() }), execute: ({ to }) => sent.push(to) }),
    })
    const mended = (to: string) =>
      generateText({
        model: governedModel(
          session,
          scripted({ calls: [{ id: to, tool: "post", args: { to: "a@example.com" } }] }, { text: "ok" }),
        ),
        tools,
        experimental_repairToolCall: async ({ toolCall }) => ({
          ...toolCall,
          input: JSON.stringify({ to, text: "hello" }),
        }),
        ...loop,
      })
    const result = await mended("b@example.org")
    expect(result.steps[0]?.content).toMatchObject([{}, { type: "tool-error", error: { name: "ReplayContractError" } }])
    expect(sent).toEqual([])
    expect(await resolutions(runtime)).toEqual(["post aborted"])
    await mended("c@example.com")
    expect(sent).toEqual(["c@example.com"])
  })

  test("that throws is told to the model, and its step says what is certain", async () => {
    const { runtime, session } = await setUp()
    const tools = governedTools(session, {
      transact: tool({
        inputSchema: z.object({}),
        execute: (): string => {
          throw new Error("it broke")
        },
      }),
    })
    const calls = [{ id: "c1", tool: "transact" }]
    const result = await generateText({
      model: governedModel(session, scripted({ calls }, { text: "ok" })),
      tools,
      ...loop,
    })
    expect(result.steps[0]?.content.at(-1)).toMatchObject({ type: "tool-error", error: { message: "it broke" } })
    expect(await resolutions(runtime)).toEqual(["transact aborted"])
  })

  test("may hand work over, durably, and answers with what came of it", async () => {
    const asks = { "lead/ask_worker.yaml": "tool: ask_worker\nside_effect: write\ncost: { estimate: 1 }\n" }
    const { session } = await setUp({}, { ...unlimited, ...asks })
    const tools = governedTools(session, {
      ask_worker: tool({
        inputSchema: z.object({ task: z.string() }),
        execute: durableHandoff(session, { toRole: "worker", timeoutMs: 1 }),
      }),
    })
    const calls = [{ id: "c1", tool: "ask_worker", args: { task: "ship it" } }]
    const model = governedModel(session, scripted({ calls }, { text: "Nobody is there." }))
    const { steps } = await generateText({ model, tools, ...loop })
    expect(steps[0]?.toolResults).toMatchObject([{ output: { status: "withdrawn", result: null } }])
    expect((await session.getWorkflowState()).handoffs).toMatchObject([{ toRole: "worker", status: "withdrawn" }])
  })

  test("gives its step to nobody but the tool", async () => {
    const options = { toolCallId: "c1", messages: [] }
    expect(() => stepOf(options)).toThrow(ReplayConfigError)
    expect(() => stepOf(undefined)).toThrow(ReplayConfigError)
  })
})

describe("a kill", () => {
  test("stops a model that is thinking, whether it minds its signal or not", async () => {
    const { runtime, session } = await setUp()
    const asked = gate()
    const deaf = {
      ...scripted(),
      doGenerate: () => {
        asked.open()
        return new Promise<never>(() => {})
      },
    }
    const answer = errorOf(generateText({ model: governedModel(session, deaf), ...loop }))
    await asked.opened
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await answer).toBeInstanceOf(ReplayKillError)
  })

  test("stops a tool that is running, and nothing later is accepted", async () => {
    const { runtime, session } = await setUp()
    const running = gate()
    const tools = governedTools(session, {
      transact: tool({
        inputSchema: z.object({}),
        execute: (_, { abortSignal }): Promise<string> => {
          running.open()
          return aborted(abortSignal ?? AbortSignal.abort())
        },
      }),
    })
    const model = scripted({ calls: [{ id: "c1", tool: "transact" }] }, { text: "I go on." })
    const answer = errorOf(generateText({ model: governedModel(session, model), tools, ...loop }))
    await running.opened
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await answer).toBeInstanceOf(ReplayKillError)
    expect(model.asked).toHaveLength(1)
    await happened(runtime, (body) => body._tag === "steps.resolved")
    expect(await resolutions(runtime)).toEqual(["transact aborted late"])
  })

  test("is found in what the AI SDK wraps around it after a retry of its own", async () => {
    const { runtime, session } = await setUp()
    const limited = new APICallError({
      message: "slow down",
      url: "http://localhost",
      requestBodyValues: {},
      statusCode: 429,
      responseHeaders: { "retry-after-ms": "1" },
    })
    const model = scripted(limited, { text: "ok" })
    const killing = {
      ...model,
      doGenerate: async (options: Parameters<typeof model.doGenerate>[0]) => {
        await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
        return model.doGenerate(options)
      },
    }
    const error = await errorOf(generateText({ model: governedModel(session, killing), ...loop }))
    expect(refusalOf(error)).toBeInstanceOf(ReplayKillError)
    expect(RetryError.isInstance(error) || error instanceof ReplayKillError).toBe(true)
  })
})

describe("what goes wrong elsewhere", () => {
  test("is tried again by the AI SDK under a new turn, and a refusal is not", async () => {
    const { session } = await setUp()
    const broken = new APICallError({
      message: "slow down",
      url: "http://localhost",
      requestBodyValues: {},
      statusCode: 429,
      responseHeaders: { "retry-after-ms": "1" },
    })
    const model = scripted(broken, { text: "ok" })
    expect(await generateText({ model: governedModel(session, model), prompt: "go" })).toMatchObject({ text: "ok" })
    expect((await session.getWorkflowState()).ledger.tokens).toMatchObject({ used: 30, reserved: 0 })
    const dear = lead(await openRuntime(), governance(), {})
    const never = scripted({ text: "ok" })
    const error = await errorOf(generateText({ model: governedModel(dear, never), prompt: "go" }))
    expect(error).toMatchObject({ failures: [{ code: "price_unknown" }] })
    expect(never.asked).toEqual([])
  })

  test("names what is no model and no session", async () => {
    const { session } = await setUp()
    const old = { ...scripted(), specificationVersion: "v2" } as unknown as ReturnType<typeof scripted>
    expect(() => governedModel(session, old)).toThrow(/v3/)
    expect(() => governedModel({ tools: {} }, scripted())).toThrow(ReplayConfigError)
  })
})
