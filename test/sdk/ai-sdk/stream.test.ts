/** streamText under a session: what flows, what waits, and how it ends. */
import { stepCountIs, streamText, tool } from "ai"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { governedModel, governedTools, stepOf } from "../../../src/ai-sdk.ts"
import { ReplayContractError, ReplayKillError, type ReplayOptions } from "../../../src/index.ts"
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
import { type CallOptions, type Said, type StreamPart, scripted } from "./model.ts"

const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }
const empty = z.object({})

const setUp = async (options: Partial<ReplayOptions> = {}) => {
  const runtime = await openRuntime()
  return { runtime, session: lead(runtime, governance(unlimited), {}, options) }
}
type Session = Awaited<ReturnType<typeof setUp>>["session"]

/** The parts of one call of the model, and the error that they ended with. */
const partsOf = async (session: Session, said: Said, options: Partial<CallOptions> = {}) => {
  const prompt: CallOptions["prompt"] = [{ role: "user", content: [{ type: "text", text: "go" }] }]
  const { stream } = await governedModel(session, scripted(said)).doStream({ prompt, ...options })
  const parts: Array<StreamPart> = []
  try {
    for await (const part of stream) parts.push(part)
  } catch (error) {
    return { parts, error }
  }
  return { parts, error: undefined }
}

const ran = () => {
  const names: Array<string> = []
  const of = (name: string) =>
    tool({
      inputSchema: empty,
      execute: async () => {
        names.push(name)
        return `${name} done`
      },
    })
  return { names, of }
}

const quiet = { prompt: "go", stopWhen: stepCountIs(5), onError: () => {} } as const

describe("streamText", () => {
  test("runs the tools of its loop as the steps that were admitted", async () => {
    const { runtime, session } = await setUp()
    const { names, of } = ran()
    const model = scripted({ text: "I look.", calls: [{ id: "c1", tool: "look" }] }, { text: "Found." })
    const result = streamText({
      model: governedModel(session, model),
      tools: governedTools(session, { look: of("look") }),
      ...quiet,
    })
    const texts: Array<string> = []
    for await (const text of result.textStream) texts.push(text)
    expect(texts.join("")).toBe("I look.Found.")
    expect(await result.totalUsage).toMatchObject({ inputTokens: 40, outputTokens: 20 })
    expect(names).toEqual(["look"])
    expect(await resolutions(runtime)).toEqual(["look committed"])
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(60)
  })

  test("never runs a blocked call nor those beside it, tells why, and settles the answer", async () => {
    const { session } = await setUp()
    const { names, of } = ran()
    const calls = ["look", "pay"].map((name) => ({ id: name, tool: name }))
    const heard: Array<unknown> = []
    const result = streamText({
      model: governedModel(session, scripted({ text: "I pay.", calls })),
      tools: governedTools(session, { look: of("look"), pay: of("pay") }),
      ...quiet,
      onError: ({ error }) => void heard.push(error),
    })
    const error = await errorOf(Promise.resolve(result.text))
    expect(error).toBeInstanceOf(ReplayContractError)
    expect(heard).toEqual([error])
    expect(names).toEqual([])
    expect((await session.getState()).steps).toEqual([])
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(30)
  })

  test("says why no model was asked", async () => {
    const { session } = await setUp()
    await session.kill({ scope: "session", reason: "enough" })
    const model = scripted({ text: "ok" })
    const result = streamText({ model: governedModel(session, model), ...quiet })
    expect(await errorOf(Promise.resolve(result.text))).toBeInstanceOf(ReplayKillError)
    expect(model.asked).toEqual([])
  })

  test("hands on the preliminary results of a tool, whose step lasts until the last", async () => {
    const { runtime, session } = await setUp()
    const steps: Array<string> = []
    const tools = governedTools(session, {
      look: tool({
        inputSchema: empty,
        async *execute(_, options) {
          steps.push(stepOf(options).stepId)
          yield "first"
          expect(await resolutions(runtime)).toEqual([])
          yield "last"
        },
      }),
    })
    const model = scripted({ calls: [{ id: "c1", tool: "look" }] }, { text: "ok" })
    const result = streamText({ model: governedModel(session, model), tools, ...quiet })
    const outputs: Array<unknown> = []
    for await (const part of result.fullStream)
      if (part.type === "tool-result") outputs.push([part.output, part.preliminary === true])
    expect(outputs).toEqual([
      ["first", true],
      ["last", true],
      ["last", false],
    ])
    expect(await resolutions(runtime)).toEqual(["look committed"])
    expect(steps).toHaveLength(1)
  })

  test("stops a tool with preliminary results in the middle, when its session is killed", async () => {
    const { runtime, session } = await setUp()
    const running = gate()
    const tools = governedTools(session, {
      transact: tool({
        inputSchema: empty,
        async *execute(_, { abortSignal }) {
          yield "first"
          running.open()
          await aborted(abortSignal ?? AbortSignal.abort())
          yield expect.unreachable("it went on")
        },
      }),
    })
    const model = scripted({ calls: [{ id: "c1", tool: "transact" }] }, { text: "I go on." })
    const result = streamText({ model: governedModel(session, model), tools, ...quiet })
    const text = errorOf(Promise.resolve(result.text))
    await running.opened
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await text).toBeInstanceOf(ReplayKillError)
    expect(model.asked).toHaveLength(1)
    await happened(runtime, (body) => body._tag === "steps.resolved")
    expect(await resolutions(runtime)).toEqual(["transact aborted late"])
  })
})

describe("a stream", () => {
  const idOf = (part: StreamPart): string | undefined =>
    part.type === "tool-call"
      ? part.toolCallId
      : part.type.startsWith("tool-input") && "id" in part
        ? part.id
        : undefined

  test("of any answer lets through what stays, in order, and nothing of what is blocked", async () => {
    const { session } = await setUp({ gate: "strip_blocked" })
    const call = fc.record({ tool: fc.constantFrom("look", "pay", "post", "wipe"), args: fc.object({ maxDepth: 1 }) })
    const said = fc.record(
      { text: fc.string(), thought: fc.string(), searched: fc.string(), calls: fc.array(call, { maxLength: 4 }) },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(said, async ({ calls = [], ...rest }) => {
        const named = calls.map(({ tool, args }, index) => ({ tool, args, id: `${tool}.${index}` }))
        const isBlocked = (id: string | undefined) => id?.startsWith("pay") === true || id?.startsWith("wipe") === true
        const plain = scripted({ ...rest, calls: named })
        const expected: Array<StreamPart> = []
        for await (const part of (await plain.doStream({ prompt: [] })).stream) expected.push(part)
        const { parts, error } = await partsOf(session, { ...rest, calls: named })
        expect(error).toBeUndefined()
        const isBlockedAny = named.some(({ id }) => isBlocked(id))
        const ordered = (all: ReadonlyArray<StreamPart>) =>
          all.filter(({ type }) => type !== "raw" && type !== "finish")
        expect(ordered(parts)).toEqual(ordered(expected).filter((part) => !isBlocked(idOf(part))))
        expect(parts.some(({ type }) => type === "raw")).toBe(named.length > 0 && !isBlockedAny)
        const left = named.filter(({ id }) => !isBlocked(id)).length
        expect(parts.at(-1)).toMatchObject({ finishReason: { unified: left > 0 ? "tool-calls" : "stop" } })
      }),
      { numRuns: 60 },
    )
  })

  test("flows up to its first call, and waits there until the whole answer was judged", async () => {
    const { session } = await setUp()
    const finish = gate()
    // stream-start, metadata, text-start, 2 letters, text-end, raw, and the call's four.
    const said: Said = {
      text: "ok",
      calls: [{ id: "c1", tool: "look" }],
      until: { after: 11, promise: finish.opened },
    }
    const { stream } = await governedModel(session, scripted(said)).doStream({ prompt: [] })
    const reader = stream.getReader()
    const types: Array<string> = []
    for (let at = 0; at < 6; at++) types.push((await reader.read()).value?.type ?? "end")
    expect(types.at(-1)).toBe("text-end")
    let isWaiting = true
    const next = reader.read().then((read) => {
      isWaiting = false
      return read
    })
    await new Promise(setImmediate)
    expect(isWaiting).toBe(true)
    expect(session.decisions).toEqual([])
    finish.open()
    expect((await next).value).toMatchObject({ type: "tool-input-start", id: "c1" })
    expect(session.decisions).toHaveLength(1)
  })

  test("of a blocked answer goes on with the answer to what was wrong", async () => {
    const { session } = await setUp({ maxRetries: 1 })
    const model = scripted({ text: "I pay. ", calls: [{ id: "p", tool: "pay" }] }, { text: "Then not." })
    const result = streamText({ model: governedModel(session, model), ...quiet })
    expect(await result.text).toBe("I pay. Then not.")
    expect(await result.totalUsage).toMatchObject({ inputTokens: 40, outputTokens: 20 })
    expect(await result.finishReason).toBe("stop")
    expect(model.asked[1]?.prompt.at(-1)).toMatchObject({
      role: "tool",
      content: [{ toolCallId: "p", output: { type: "error-text", value: expect.stringMatching(/risk_blocked/) } }],
    })
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(60)
  })

  test("is stopped by a kill in the middle, and nothing of it is admitted later", async () => {
    const { runtime, session } = await setUp()
    const never = gate()
    const said: Said = { text: "ok", calls: [{ id: "c1", tool: "look" }], until: { after: 9, promise: never.opened } }
    const parts = partsOf(session, said)
    await session.ready()
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    const { parts: told, error } = await parts
    expect(error).toBeInstanceOf(ReplayKillError)
    expect(told.at(-1)).toEqual({ type: "error", error })
    expect(told.filter((part) => idOf(part) !== undefined)).toEqual([])
    expect(session.decisions).toEqual([])
  })

  test("that is left stops the model and gives its reservation back", async () => {
    const { session } = await setUp()
    const left = new AbortController()
    const said: Said = { text: "ok", until: { after: 4, promise: gate().opened } }
    const { stream } = await governedModel(session, scripted(said)).doStream({ prompt: [], abortSignal: left.signal })
    const reader = stream.getReader()
    await reader.read()
    await reader.cancel()
    expect((await session.getWorkflowState()).ledger.tokens).toMatchObject({ used: 0, reserved: 0 })
    const second = partsOf(session, said, { abortSignal: left.signal })
    left.abort()
    expect((await second).error).toMatchObject({ name: "AbortError" })
  })

  test("that ends in the middle of a call is none to act on", async () => {
    const { session } = await setUp()
    const cut = await partsOf(session, { calls: [{ id: "c1", tool: "look" }], cutAfter: 5 })
    expect(cut.error).toMatchObject({ name: "ModelStreamError", code: "ended_early" })
    expect(cut.parts.filter((part) => idOf(part) !== undefined)).toEqual([])
  })
})
