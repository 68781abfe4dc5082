/** Logs: lines of JSON with the ids of what they are about, and nothing in them that somebody has said. */
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import { Log, type LogOptions } from "../../src/adapters/telemetry/Log.ts"
import { Observability } from "../../src/adapters/telemetry/Observability.ts"
import { openServer, root } from "../http/fixtures.ts"
import { begin, openWatched } from "./fixtures.ts"

type Line = Readonly<Record<string, unknown>>

const logged = (options: Omit<LogOptions, "write"> = {}) => {
  const texts: Array<string> = []
  const log = { ...options, write: (text: string) => void texts.push(text) }
  return { log, texts, lines: (): ReadonlyArray<Line> => texts.map((text) => JSON.parse(text) as Line) }
}

describe("a log", () => {
  test("tells every act of an operator, with who it was, and nothing of what agents do", async () => {
    const { log, lines } = logged()
    const observability = new Observability({ log })
    const runtime = await openWatched(observability)
    await begin(runtime)
    await runtime.kill({ scope: "workflow", workflowId: "w1", reason: "the budget of ACME" }, { operator: "ann" })
    await expect(
      runtime.raiseLimits({ workflowId: "w1", limits: { maxCost: 1 } }, { operator: "bob" }),
    ).rejects.toThrow()
    expect(lines()).toMatchObject([
      {
        level: "info",
        message: "operator command",
        command: "kill",
        verdict: "accepted",
        workflowId: "w1",
        actor: "operator:ann",
      },
      { level: "info", command: "raiseLimits", verdict: "refused", actor: "operator:bob", workflowId: "w1" },
    ])
  })

  test("names workflow and session in what it tells of a command", async () => {
    const { log, lines } = logged({ level: "debug" })
    const observability = new Observability({ log })
    const session = await begin(await openWatched(observability))
    await session.propose({ calls: [{ tool: "scan", estimatedCost: 1 }] })
    expect(lines()).toMatchObject([
      { command: "createRoot", workflowId: "w1", sessionId: "lead.w1" },
      { command: "propose", workflowId: "w1", sessionId: "lead.w1", tenant: "default" },
    ])
  })

  test("never holds an argument, a summary, a result, a reason, or a key, on any level", async () => {
    const { log, texts } = logged({ level: "debug" })
    const observability = new Observability({ log })
    const server = await openServer({ runtime: await openWatched(observability), observability })
    const secret = "hunter2"
    const lead = await root(server)
    const send = (path: string, body: object, headers = {}) =>
      server.call("POST", `/sessions/${lead.id}/${path}`, { body, session: lead.token, headers })
    await send("proposals", { calls: [{ tool: "scan", arguments: { secret }, estimated_cost: 1 }] })
    await send("proposals", { calls: [{ tool: secret, arguments: { secret }, estimated_cost: 1000 }] })
    await send("handoffs", { to_role: "dev", summary: { secret } }, { "idempotency-key": secret })
    await send("fail", { reason: secret })
    await server.call("GET", `/sessions/${lead.id}`, { key: `hrk_${secret}` })
    await server.call("POST", "/sessions", { body: `{ "${secret}" ` })
    expect(texts.length).toBeGreaterThan(8)
    const all = texts.join("\n")
    expect(all).not.toContain(secret)
    expect(all).not.toContain(lead.token)
    expect(all).not.toContain(server.key)
  })

  test("tells of a request its route's name, its status and the trace that it belongs to", async () => {
    const { log, lines } = logged({ level: "debug" })
    const observability = new Observability({ log })
    const server = await openServer({ runtime: await openWatched(observability), observability })
    await server.call("GET", "/sessions/nobody")
    expect(lines()).toMatchObject([
      {
        message: "request",
        operation: "getSession",
        method: "GET",
        status: 404,
        code: "session_not_found",
        sessionId: "nobody",
      },
    ])
  })

  test("leaves requests to a host that tells them itself", async () => {
    const { log, texts } = logged({ level: "debug", requests: false })
    const observability = new Observability({ log })
    const server = await openServer({ runtime: await openWatched(observability), observability })
    await server.call("GET", "/sessions/nobody")
    observability.defect(new Error("it broke"))
    expect(texts).toEqual([])
  })

  test("writes what repeats itself once, and then with how often it was left out", () => {
    let now = 0
    const { log, lines } = logged({ now: () => now })
    const it = new Log(log)
    for (let index = 0; index < 5; index++) it.seldom("store append busy", "error", "the store failed", {})
    it.seldom("store append io", "error", "the store failed", {})
    now = 10_000
    it.seldom("store append busy", "error", "the store failed", {})
    expect(lines().map(({ repeated }) => repeated)).toEqual([undefined, undefined, 4])
  })

  test("is the runtime's own too: words, ids, and of an error its class and place alone", async () => {
    const { log, lines, texts } = logged()
    const { layer } = new Observability({ log })
    const secret = "hunter2"
    class Broken extends Error {
      override readonly name = "Broken"
    }
    const effect = Effect.logError("A command failed with a defect", new Broken(secret), { secret }).pipe(
      Effect.annotateLogs({ tenant: "default", workflowId: "w1", secret: { secret } }),
    )
    await Effect.runPromise(Effect.provide(effect, layer))
    expect(lines()).toMatchObject([
      { level: "error", message: "A command failed with a defect", workflowId: "w1", error: "Broken" },
    ])
    expect(lines()[0]?.at).toMatch(/^test\/telemetry\/logs\.test\.ts:\d+:\d+$/)
    expect(texts.join()).not.toContain(secret)
  })
})
