/** Runs of the OpenAI Agents SDK under a session, governed in the client and in the model: what runs, what is blocked, what ends it. */
import { ToolCallError, tool } from "@openai/agents"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { ReplayConfigError, ReplayContractError, ReplayKillError } from "../../../src/index.ts"
import { governedTool, refusalOf, stepOf } from "../../../src/openai-agents.ts"
import { aborted, errorOf, gate, happened, resolutions, workflowYaml } from "../fixtures.ts"
import { call, text } from "../providers/fixtures.ts"
import { collected, setUp, unlimited, ways } from "./fixtures.ts"

const usage = { input: 100, output: 20, cached: 40 }

describe.each(ways)("over %s, governed in the %s", (...way) => {
  test.each(["at once", "streamed"])("a run that answers %s runs its parallel tools and is settled", async (how) => {
    const { stub, runtime, session, names, of, agent, runner, reply } = await setUp(way)
    stub.next(
      reply({ parts: [text("I work."), call("a", "look"), call("b", "post")], usage }),
      reply({ parts: [text("Done.")], usage }),
    )
    const lead = agent([of("look"), of("post"), of("pay")])
    if (how === "at once") expect((await runner.run(lead, "go")).finalOutput).toBe("Done.")
    else {
      const result = await runner.run(lead, "go", { stream: true })
      const events = await collected(result)
      expect(result.finalOutput).toBe("Done.")
      const raw = events.flatMap((event) => (event.type === "raw_model_stream_event" ? [event.data] : []))
      const deltas = raw.flatMap((data) => (data.type === "output_text_delta" ? [data.delta] : []))
      expect(deltas.join("")).toBe("I work.Done.")
      expect(JSON.stringify(raw)).toContain("look")
    }
    expect(names).toEqual(["look", "post"])
    expect([...(await resolutions(runtime))].sort()).toEqual(["look committed", "post committed"])
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(240)
    expect(session.decisions[0]).toMatchObject({
      usage: { inputTokens: 100, outputTokens: 20, cachedInputTokens: 40 },
      calls: [
        { callId: "a", tool: "look" },
        { callId: "b", tool: "post" },
      ],
    })
    // `pay` may never be called, and is not offered.
    expect(JSON.stringify(stub.requests[0]?.json.tools)).not.toContain("pay")
  })

  test.each(["at once", "streamed"])(
    "a blocked call of a run that answers %s never runs, nor those beside it",
    async (how) => {
      const { stub, session, names, of, agent, runner, reply } = await setUp(way)
      stub.next(reply({ parts: [call("a", "look"), call("b", "pay")], usage }))
      const lead = agent([of("look"), of("pay")])
      const run = how === "at once" ? runner.run(lead, "go") : runner.run(lead, "go", { stream: true }).then(collected)
      expect(await errorOf(run)).toBeInstanceOf(ReplayContractError)
      expect(names).toEqual([])
      expect(stub.requests).toHaveLength(1)
      expect((await session.getState()).steps).toEqual([])
      expect((await session.getWorkflowState()).ledger.tokens.used).toBe(120)
    },
  )

  test.each(["at once", "streamed"])("a blocked call is taken out of what is told %s", async (how) => {
    const { stub, names, of, agent, runner, reply } = await setUp(way, { gate: "strip_blocked" })
    stub.next(reply({ parts: [call("a", "look"), call("b", "pay")], usage }), reply({ parts: [text("Done.")], usage }))
    const lead = agent([of("look"), of("pay")])
    if (how === "at once") {
      const { rawResponses } = await runner.run(lead, "go")
      expect(JSON.stringify(rawResponses.map(({ output }) => output))).not.toContain("pay")
    } else {
      const events = await collected(await runner.run(lead, "go", { stream: true }))
      const told = events.flatMap((event) => (event.type === "raw_model_stream_event" ? [event.data] : []))
      expect(JSON.stringify(told)).not.toContain("pay")
    }
    expect(names).toEqual(["look"])
  })

  test.each(["at once", "streamed"])("a blocked answer is fed back before a run answers %s", async (how) => {
    const { stub, session, names, of, agent, runner, reply } = await setUp(way, { maxRetries: 1 })
    stub.next(reply({ parts: [call("b", "pay")], usage }), reply({ parts: [text("Then not.")], usage }))
    const lead = agent([of("look"), of("pay")])
    const result = how === "at once" ? await runner.run(lead, "go") : await runner.run(lead, "go", { stream: true })
    if ("completed" in result) await collected(result)
    expect(result.finalOutput).toBe("Then not.")
    expect(names).toEqual([])
    expect(stub.requests[1]?.text).toContain("risk_blocked")
    expect(session.decisions.map(({ outcome }) => outcome)).toEqual(["retried", "passed"])
    expect((await session.getWorkflowState()).ledger.tokens.used).toBe(240)
  })

  test("calls that the workflow refuses are admitted together or not at all", async () => {
    const limited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", ", max_steps: 1") }
    const { stub, session, names, of, agent, runner, reply } = await setUp(way, {}, limited)
    stub.next(reply({ parts: [call("a", "look"), call("b", "post")], usage }))
    const error = await errorOf(runner.run(agent([of("look"), of("post")]), "go"))
    expect(error).toMatchObject({ code: "limit_exceeded" })
    expect(names).toEqual([])
    expect((await session.getState()).steps).toEqual([])
  })

  test("a kill stops a stream in the middle, and nothing of it is admitted later", async () => {
    const { stub, runtime, session, names, of, agent, runner, reply } = await setUp(way)
    const never = gate()
    stub.next(reply({ parts: [text("I work."), call("a", "look")] }, { until: { after: 6, promise: never.opened } }))
    const result = await runner.run(agent([of("look")]), "go", { stream: true })
    const flowed = gate()
    const left = errorOf(
      (async () => {
        for await (const { type, ...event } of result)
          if (type === "raw_model_stream_event" && "data" in event) flowed.open()
      })(),
    )
    await flowed.opened
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    expect(await left).toBeInstanceOf(ReplayKillError)
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(names).toEqual([])
    expect(session.decisions).toEqual([])
  })
})

describe("a governed tool", () => {
  test("runs as its step, with its tokens, and what the contracts know of it", async () => {
    const { stub, runtime, session, agent, runner, reply } = await setUp()
    const seen: Array<unknown> = []
    const migrate = tool(
      governedTool(session, {
        name: "migrate",
        description: "Migrates.",
        parameters: z.object({ database: z.string() }),
        execute: async ({ database }, _context, details) => {
          const { fences, stepId } = stepOf(details)
          seen.push([database, fences[0]?.token, stepId])
          return "migrated"
        },
      }),
    )
    const calls = ["a", "b"].map((id) => call(id, "migrate", { database: "main" }))
    stub.next(reply({ parts: calls }), reply({ parts: [text("Done.")] }))
    await runner.run(agent([migrate]), "go")
    const ids = session.decisions[0]?.calls.map(({ stepId }) => stepId)
    expect(seen).toEqual([
      ["main", 1, ids?.[0]],
      ["main", 2, ids?.[1]],
    ])
    expect(await resolutions(runtime)).toEqual(["migrate committed", "migrate committed"])
  })

  test("that throws is told to the model, and its step says what is certain", async () => {
    const { stub, runtime, session, agent, runner, reply } = await setUp()
    const transact = tool(
      governedTool(session, {
        name: "transact",
        description: "Transacts.",
        parameters: z.object({}),
        execute: (): string => {
          throw new Error("it broke")
        },
      }),
    )
    stub.next(reply({ parts: [call("a", "transact")] }), reply({ parts: [text("Sorry.")] }))
    expect((await runner.run(agent([transact]), "go")).finalOutput).toBe("Sorry.")
    expect(stub.requests[1]?.text).toContain("it broke")
    expect(await resolutions(runtime)).toEqual(["transact aborted"])
  })

  test("whose schema refuses the arguments had no effect", async () => {
    const { stub, runtime, session, agent, runner, reply } = await setUp()
    const post = tool(
      governedTool(session, {
        name: "post",
        description: "Posts.",
        parameters: z.object({ text: z.string() }),
        execute: (): string => expect.unreachable("it ran"),
      }),
    )
    stub.next(reply({ parts: [call("a", "post", { text: 1 })] }), reply({ parts: [text("Sorry.")] }))
    await runner.run(agent([post]), "go")
    expect(await resolutions(runtime)).toEqual(["post aborted"])
  })

  test("is stopped by a kill in the middle, which ends its run", async () => {
    const { stub, runtime, session, agent, runner, reply } = await setUp()
    const running = gate()
    const transact = tool(
      governedTool(session, {
        name: "transact",
        description: "Transacts.",
        parameters: z.object({}),
        execute: (_input, _context, details): Promise<string> => {
          running.open()
          return aborted(stepOf(details).signal)
        },
      }),
    )
    stub.next(reply({ parts: [call("a", "transact")] }))
    const left = errorOf(runner.run(agent([transact]), "go"))
    await running.opened
    await runtime.kill({ sessionId: "root", scope: "session", reason: "enough" })
    const error = await left
    expect(error).toBeInstanceOf(ToolCallError)
    expect(refusalOf(error)).toBeInstanceOf(ReplayKillError)
    expect(stub.requests).toHaveLength(1)
    await happened(runtime, (body) => body._tag === "steps.resolved")
    expect(await resolutions(runtime)).toEqual(["transact aborted late"])
  })

  test("has a name that the SDK leaves as it is", async () => {
    const { session } = await setUp()
    const options = { description: "", parameters: z.object({}), execute: () => "" }
    expect(() => governedTool(session, { ...options, name: "look-up" })).toThrow(ReplayConfigError)
    expect(governedTool(session, { ...options, name: "look_up" }).name).toBe("look_up")
  })
})

describe("a handoff of the SDK", () => {
  test("is a tool that needs a contract", async () => {
    const { stub, agent, runner, of, reply, session } = await setUp(["responses", "model"], {}, unlimited)
    const other = agent([of("look")])
    const first = agent([of("look")]).clone({ name: "first", handoffs: [other.clone({ name: "other" })] })
    stub.next(reply({ parts: [call("a", "transfer_to_other")] }))
    const error = await errorOf(runner.run(first, "go"))
    expect(error).toMatchObject({ failures: [{ tool: "transfer_to_other", code: "no_contract" }] })
    expect(JSON.stringify(stub.requests[0]?.json.tools)).not.toContain("transfer_to")
    expect(session.decisions).toHaveLength(1)
  })
})
