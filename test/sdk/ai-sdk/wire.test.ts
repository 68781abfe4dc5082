/** The AI SDK over a real provider's wire, governed: its tools run as they were admitted, a blocked call never shows. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { generateText, stepCountIs, streamText, tool } from "ai"
import { expect, onTestFinished, test } from "vitest"
import { z } from "zod"
import { governedModel, governedTools } from "../../../src/ai-sdk.ts"
import { ReplayContractError, ReplayKillError, type ReplayOptions } from "../../../src/index.ts"
import { errorOf, gate, governance, lead, openRuntime, resolutions, workflowYaml } from "../fixtures.ts"
import { call, text } from "../providers/fixtures.ts"
import { chatReply } from "../providers/openaiStub.ts"
import { stubServer } from "../providers/stubServer.ts"

const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }

const setUp = async (options: Partial<ReplayOptions> = {}) => {
  const stub = await stubServer()
  onTestFinished(() => stub[Symbol.asyncDispose]())
  const runtime = await openRuntime()
  const session = lead(runtime, governance(unlimited), {}, options)
  const provider = createOpenAICompatible({ name: "stub", baseURL: `${stub.url}/v1`, includeUsage: true })
  const names: Array<string> = []
  const of = (name: string) =>
    tool({
      inputSchema: z.object({}),
      execute: async () => {
        names.push(name)
        return { done: name }
      },
    })
  const tools = governedTools(session, { look: of("look"), pay: of("pay"), post: of("post"), wipe: of("wipe") })
  const model = governedModel(session, provider("gpt-5-mini"))
  return { stub, runtime, session, names, run: { model, tools, prompt: "go", stopWhen: stepCountIs(5) } }
}

const usage = { input: 100, output: 20, cached: 40 }

test.each(["generated", "streamed"])("an answer that is %s runs its parallel tools and is settled", async (how) => {
  const { stub, runtime, session, names, run } = await setUp()
  stub.next(
    chatReply({ parts: [text("I work."), call("a", "look"), call("b", "post")], usage }),
    chatReply({ parts: [text("Done.")], usage }),
  )
  const said = how === "generated" ? (await generateText(run)).text : await streamText(run).text
  expect(said).toMatch(/Done\.$/)
  expect(names).toEqual(["look", "post"])
  expect([...(await resolutions(runtime))].sort()).toEqual(["look committed", "post committed"])
  expect((await session.getWorkflowState()).ledger.tokens.used).toBe(240)
  expect(session.decisions[0]).toMatchObject({
    provider: "ai-sdk.stub.chat",
    usage: { inputTokens: 100, outputTokens: 20, cachedInputTokens: 40 },
  })
  const offered = stub.requests[0]?.json.tools
  // `wipe` may never be called, `pay` neither.
  expect(JSON.stringify(offered)).not.toMatch(/wipe|pay/)
})

test.each(["generated", "streamed"])("an answer that is %s with a blocked call runs nothing", async (how) => {
  const { stub, session, names, run } = await setUp()
  stub.next(chatReply({ parts: [call("a", "look"), call("b", "pay")], usage }))
  const asked = how === "generated" ? generateText(run) : streamText({ ...run, onError: () => {} }).text
  expect(await errorOf(Promise.resolve(asked))).toBeInstanceOf(ReplayContractError)
  expect(names).toEqual([])
  expect(stub.requests).toHaveLength(1)
  expect((await session.getWorkflowState()).ledger.tokens.used).toBe(120)
})

test("a kill breaks the provider's stream off", async () => {
  const { stub, runtime, session, names, run } = await setUp()
  const never = gate()
  stub.next(chatReply({ parts: [text("I work."), call("a", "look")] }, { until: { after: 3, promise: never.opened } }))
  const result = streamText({ ...run, onError: () => {} })
  const flowed = gate()
  const reading = (async () => {
    for await (const piece of result.textStream) if (piece !== "") flowed.open()
  })()
  const left = errorOf(reading)
  await flowed.opened
  await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
  expect(await left).toBeInstanceOf(ReplayKillError)
  expect(await stub.requests[0]?.closed).toBe("left")
  expect(names).toEqual([])
  expect(session.decisions).toEqual([])
})
