/** Real clients of each provider under a session in a workflow: what is blocked does not run, whatever the client does. */
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { describe, expect, expectTypeOf, onTestFinished, test } from "vitest"
import { ReplayConfigError, ReplayContractError, ReplayKillError, type ReplaySession, replay } from "../../src/index.ts"
import { dialects } from "./dialects.ts"
import { errorOf, gate, governance, openRuntime, resolutions, workflowYaml } from "./fixtures.ts"
import { messageReply } from "./providers/anthropicStub.ts"
import { call, text } from "./providers/fixtures.ts"
import { chatReply } from "./providers/openaiStub.ts"
import { stubServer } from "./providers/stubServer.ts"

const prices = { "*": { input: 1000, output: 1000 } }
/** What a stub's answer costs: 20 tokens in, 10 out. */
const spent = 0.03

const serve = async () => {
  const stub = await stubServer()
  onTestFinished(() => stub[Symbol.asyncDispose]())
  return stub
}

describe.each(dialects.map((dialect) => ({ dialect, name: dialect.name })))("$name", ({ dialect }) => {
  const scene = async (options: object = {}) => {
    const stub = await serve()
    const runtime = await openRuntime()
    const ran: Array<string> = []
    const tool = (name: string) => () => {
      ran.push(name)
      return { done: name }
    }
    const session = replay(dialect.client(stub.url), {
      agent: "lead",
      contractsDir: `${governance()}/lead`,
      tools: { look: tool("look"), post: tool("post"), pay: tool("pay") },
      workflow: { type: "root", workflowId: "w1", role: "lead" },
      runtime,
      sessionId: "root",
      prices,
      ...options,
    })
    onTestFinished(() => session.close())
    return { stub, runtime, ran, session, cost: async () => (await runtime.getWorkflow("w1")).ledger.cost }
  }
  const ways = [
    ["whole", dialect.ask],
    ["streamed", dialect.stream],
  ] as const

  test.each(ways)("%s: allowed calls are admitted together and run once", async (_, ask) => {
    const { stub, runtime, ran, session, cost } = await scene()
    stub.next(dialect.reply({ parts: [text("Let me see."), call("c1", "look"), call("c2", "post", { to: "x" })] }))
    const answer = await ask(session, ["look", "post"])
    expect((await session.getState()).steps.map(({ tool }) => tool)).toEqual(["look", "post"])
    if (Object.keys(answer).length > 0) {
      const told = await session.runTools(answer)
      expect(JSON.stringify(told)).toContain("done")
    } else await Promise.all([session.tools.look(), (session.tools.post as (args: object) => unknown)({ to: "x" })])
    expect(ran).toEqual(["look", "post"])
    expect((await resolutions(runtime)).toSorted()).toEqual(["look committed", "post committed"])
    expect(await cost()).toMatchObject({ used: spent + 2, reserved: 0 })
  })

  test.each(ways)(
    "%s: an answer with a blocked call is rejected, nothing runs, and its usage is settled",
    async (_, ask) => {
      const { stub, ran, session, cost } = await scene()
      stub.next(dialect.reply({ parts: [call("c1", "look"), call("c2", "pay")] }))
      const error = await errorOf(ask(session, ["look", "post"]))
      expect(error).toBeInstanceOf(ReplayContractError)
      expect(error).toMatchObject({ failures: [{ tool: "pay", code: "risk_blocked" }] })
      expect(stub.requests).toHaveLength(1)
      expect(ran).toEqual([])
      expect((await session.getState()).steps).toEqual([])
      expect(await cost()).toMatchObject({ used: spent, reserved: 0 })
    },
  )

  test.each(ways)("%s: a tool that may not be called is not offered", async (_, ask) => {
    const { stub, session } = await scene()
    stub.next(dialect.reply({ parts: [text("Nothing to do.")] }))
    await ask(session, ["look", "pay", "post"])
    const offered = JSON.stringify(stub.requests[0]?.json.tools)
    expect(offered).toMatch(/look.*post/)
    expect(offered).not.toContain("pay")
  })

  test.each(ways)("%s: a killed session gets no answer, and the request is left", async (_, ask) => {
    const { stub, runtime, ran, session } = await scene()
    await session.ready()
    const held = gate()
    stub.next(() => {
      void runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
      return "never"
    })
    expect(await errorOf(ask(session, ["look"]))).toBeInstanceOf(ReplayKillError)
    held.open()
    expect(stub.requests).toHaveLength(1)
    await stub.requests[0]?.closed
    expect(await errorOf(session.tools.look())).toBeInstanceOf(ReplayKillError)
    expect(await errorOf(ask(session, ["look"]))).toBeInstanceOf(ReplayKillError)
    expect(stub.requests).toHaveLength(1)
    expect(ran).toEqual([])
    expect((await runtime.getWorkflow("w1")).ledger.cost).toMatchObject({ reserved: 0 })
  })

  test("a kill in the middle of a stream ends it, and nothing that it says later is accepted", async () => {
    const { stub, runtime, ran, session } = await scene()
    await session.ready()
    const later = gate()
    const parts = [text("A long story that goes on and on."), call("c1", "post")]
    stub.next(dialect.reply({ parts }, { until: { after: 5, promise: later.opened } }))
    let isKilled = false
    const onText = () => {
      if (isKilled) return
      isKilled = true
      void runtime.kill({ sessionId: "root", scope: "subtree", reason: "enough" })
    }
    expect(await errorOf(dialect.stream(session, ["post"], onText))).toBeInstanceOf(ReplayKillError)
    later.open()
    expect(await stub.requests[0]?.closed).toBe("left")
    expect(await errorOf(session.tools.post())).toBeInstanceOf(ReplayKillError)
    expect(ran).toEqual([])
    expect(await resolutions(runtime)).toEqual([])
  })

  test("a rejected answer is fed back with what was wrong, and the next one counts", async () => {
    const { stub, ran, session, cost } = await scene({ maxRetries: 2 })
    stub.next(dialect.reply({ parts: [call("c1", "pay")] }), dialect.reply({ parts: [call("c2", "look")] }))
    await session.runTools(await dialect.ask(session, ["look", "pay"]))
    expect(ran).toEqual(["look"])
    expect(stub.requests[1]?.text).toContain("risk_blocked")
    expect(await cost()).toMatchObject({ used: 2 * spent + 1, reserved: 0 })
    expect(session.decisions.map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ["retried", 0],
      ["passed", 1],
    ])
  })

  test.each(ways)(
    "%s: the caller's own signal stops the session, and no answer looks whole that is not",
    async (_, ask) => {
      const stop = new AbortController()
      const { stub, session } = await scene({ signal: stop.signal })
      await session.ready()
      stub.next(() => {
        stop.abort()
        return "never"
      })
      const error = await errorOf(ask(session, ["look"]))
      expect(error).toMatchObject({ code: "closed" })
      expect(session.signal.aborted).toBe(true)
    },
  )

  test("strip_blocked passes the rest of an answer on", async () => {
    const { stub, ran, session } = await scene({ gate: "strip_blocked" })
    stub.next(dialect.reply({ parts: [text("Both."), call("c1", "pay"), call("c2", "look")] }))
    const answer = await dialect.ask(session, ["look", "pay"])
    expect(JSON.stringify(answer)).not.toContain("pay")
    await session.runTools(answer)
    expect(ran).toEqual(["look"])
  })

  test("the workflow's refusal reaches the caller as it is, and is not asked again by the client", async () => {
    const { stub, session } = await scene({
      contractsDir: `${governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 1.5") })}/lead`,
      prices: { "*": { input: 1, output: 1 } },
    })
    stub.next(dialect.reply({ parts: [call("c1", "look"), call("c2", "look")] }))
    expect(await errorOf(dialect.ask(session, ["look"]))).toMatchObject({ code: "limit_exceeded" })
    expect(stub.requests).toHaveLength(1)
  })
})

describe("the client's own loop over tools", () => {
  test("of openai runs the governed tools with the steps of the model's calls", async () => {
    const stub = await serve()
    const runtime = await openRuntime()
    const session = replay(new OpenAI({ apiKey: "sk-test", baseURL: `${stub.url}/v1` }), {
      agent: "lead",
      contractsDir: `${governance()}/lead`,
      tools: { look: (args: { at: string }) => `seen ${args.at}` },
      workflow: { type: "root", workflowId: "w1", role: "lead" },
      runtime,
      prices,
    })
    onTestFinished(() => session.close())
    stub.next(chatReply({ parts: [call("c1", "look", { at: "home" })] }), chatReply({ parts: [text("Done.")] }))
    const parameters = { type: "object", properties: { at: { type: "string" } } }
    const run = session.client.chat.completions.runTools({
      model: "gpt-5-mini",
      messages: [{ role: "user", content: "go" }],
      tools: [
        {
          type: "function",
          function: { name: "look", description: "looks", parameters, parse: JSON.parse, function: session.tools.look },
        },
      ],
    })
    expect(await run.finalContent()).toBe("Done.")
    expect(stub.requests[1]?.text).toContain("seen home")
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })

  test("of @anthropic-ai/sdk does, too", async () => {
    const stub = await serve()
    const runtime = await openRuntime()
    const session = replay(new Anthropic({ apiKey: "sk-test", baseURL: stub.url }), {
      agent: "lead",
      contractsDir: `${governance()}/lead`,
      tools: { look: (args: { at: string }) => `seen ${args.at}` },
      workflow: { type: "root", workflowId: "w1", role: "lead" },
      runtime,
      prices,
    })
    onTestFinished(() => session.close())
    stub.next(messageReply({ parts: [call("c1", "look", { at: "home" })] }), messageReply({ parts: [text("Done.")] }))
    const final = await session.client.beta.messages.toolRunner({
      model: "claude-sonnet-5",
      max_tokens: 100,
      messages: [{ role: "user", content: "go" }],
      tools: [
        {
          name: "look",
          description: "looks",
          input_schema: { type: "object", properties: { at: { type: "string" } } },
          parse: (input: unknown) => input as { at: string },
          run: session.tools.look,
        },
      ],
    })
    expect(JSON.stringify(final.content)).toContain("Done.")
    expect(await resolutions(runtime)).toEqual(["look committed"])
  })
})

describe("a client", () => {
  const contracts = { "session.yaml": `schema_version: "1.0"\nagent: lead\n` }

  test("comes back with its own type and class", () => {
    const session = replay(new OpenAI({ apiKey: "sk-test" }), { agent: "lead", contracts })
    expect(session.client).toBeInstanceOf(OpenAI)
    expectTypeOf(session.client).toEqualTypeOf<OpenAI>()
    expectTypeOf<ReplaySession<{ look: () => 1 }, Anthropic>["client"]>().toEqualTypeOf<Anthropic>()
  })

  test("that is none is refused, with what would do", () => {
    for (const wrong of [{}, { chat: {} }, new URL("http://localhost"), fetch]) {
      const error = (() => {
        try {
          return replay(wrong as object, { agent: "lead", contracts })
        } catch (thrown) {
          return thrown
        }
      })()
      expect(error).toBeInstanceOf(ReplayConfigError)
      expect(error).toMatchObject({ option: "client" })
    }
  })

  test("is not let past the contracts by another endpoint, unless told", async () => {
    const stub = await serve()
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${stub.url}/v1` })
    const batch = { completion_window: "24h", endpoint: "/v1/chat/completions", input_file_id: "f1" } as const
    const strict = replay(client, { agent: "lead", contracts })
    expect(await errorOf(strict.client.batches.create(batch))).toMatchObject({
      failures: [{ code: "ungoverned_endpoint" }],
    })
    expect(stub.requests).toHaveLength(0)
    stub.next({ json: { id: "b1" } })
    const open = replay(client, { agent: "lead", contracts, ungovernedEndpoints: "allow" })
    expect(await open.client.batches.create(batch)).toMatchObject({ id: "b1" })
  })

  test("is governed outside of a workflow, too", async () => {
    const stub = await serve()
    const session = replay(new OpenAI({ apiKey: "sk-test", baseURL: `${stub.url}/v1` }), {
      agent: "lead",
      contracts: { ...contracts, "look.yaml": "tool: look\nside_effect: read\n" },
      tools: { look: () => "seen" },
    })
    stub.next(chatReply({ parts: [call("c1", "look")] }), chatReply({ parts: [call("c1", "other")] }))
    const body = { model: "gpt-5-mini", messages: [{ role: "user" as const, content: "go" }] }
    expect(await session.runTools(await session.client.chat.completions.create(body))).toEqual([
      { role: "tool", tool_call_id: "c1", content: "seen" },
    ])
    expect(await errorOf(session.client.chat.completions.create(body))).toBeInstanceOf(ReplayContractError)
  })
})

test("wrong options do not compile", () => {
  const contracts = {}
  const wrong = () => [
    // @ts-expect-error a mode that there is not
    replay(null, { agent: "lead", contracts, mode: "loud" }),
    // @ts-expect-error an option that there is not
    replay(null, { agent: "lead", contracts, contractDir: "." }),
    // @ts-expect-error a tool that is no function
    replay(null, { agent: "lead", contracts, tools: { look: 1 } }),
    // @ts-expect-error no agent
    replay(null, { contracts }),
    replay(null, {
      agent: "a",
      contracts,
      // @ts-expect-error a child needs its handoff
      workflow: { type: "child", workflowId: "w", role: "r", parentSessionId: "p" },
    }),
    // @ts-expect-error a gate that there is not
    replay(new OpenAI(), { agent: "lead", contracts, gate: "open" }),
  ]
  expect(wrong).toBeTypeOf("function")
})
