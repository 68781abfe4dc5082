/** Traces: one chain from a client's call over HTTP to the command and its commit, and none where nobody asked for it. */
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base"
import { Tracer } from "effect"
import { describe, expect, onTestFinished, test } from "vitest"
import { Observability } from "../../src/adapters/telemetry/Observability.ts"
import { openTelemetryTracer } from "../../src/adapters/telemetry/openTelemetry.ts"
import { readTraceparent, writeTraceparent } from "../../src/adapters/telemetry/traceparent.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { openServer, root } from "../http/fixtures.ts"
import { governance, lead } from "../sdk/fixtures.ts"
import { begin, openWatched } from "./fixtures.ts"

/** OpenTelemetry as a program sets it up, with its spans kept in memory. */
const telemetry = () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  })
  const getTracer = (name: string) => provider.getTracer(name)
  const api = { trace: Object.assign(Object.create(trace), { getTracer }), context, ROOT_CONTEXT }
  onTestFinished(() => provider.shutdown())
  const named = (name: string): ReadableSpan => {
    const found = exporter.getFinishedSpans().filter((span) => span.name === name)
    if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} spans ${name}`)
    return found[0]
  }
  return { api, exporter, named, observe: () => new Observability({ tracer: openTelemetryTracer(api) }) }
}

const idOf = (span: ReadableSpan): string => span.spanContext().spanId
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId
const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId
const linksOf = (span: ReadableSpan): ReadonlyArray<string> => span.links.map((link) => link.context.spanId)

const calls = [{ tool: "scan", estimatedCost: 1 }]

describe("a trace", () => {
  test("hangs together from the client's call over HTTP to the command and its commit", async () => {
    const { observe, exporter, named } = telemetry()
    const onServer = observe()
    const server = await openServer({ runtime: await openWatched(onServer), observability: onServer })
    const onClient = observe()
    const remote = Handrail.connect({
      url: "http://localhost",
      apiKey: server.key,
      fetch: onClient.fetch((url, init) => server.app.fetch(new Request(url, init))),
    })
    const session = await begin(onClient.client(remote))
    exporter.reset()
    await session.propose({ calls })

    const call = named("handrail.client propose")
    const request = named("POST /api/v1/replay/sessions/:session_id/proposals")
    const command = named("handrail.command propose")
    expect(parentOf(call)).toBeUndefined()
    expect(parentOf(request)).toBe(idOf(call))
    expect(parentOf(command)).toBe(idOf(request))
    expect(parentOf(named("handrail.commit"))).toBe(idOf(command))
    expect(new Set(exporter.getFinishedSpans().map(traceOf))).toEqual(new Set([traceOf(call)]))
    expect(request.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "handrail.session_id": "lead.w1",
    })
    expect(command.attributes).toMatchObject({
      "handrail.command": "propose",
      "handrail.verdict": "accepted",
      "handrail.workflow_id": "w1",
      "handrail.session_id": "lead.w1",
    })
  })

  test("ends in the commit that made its command durable", async () => {
    const { observe, exporter, named } = telemetry()
    const observability = observe()
    const session = await begin(observability.client(await openWatched(observability)))
    exporter.reset()
    await session.propose({ calls })
    const command = named("handrail.command propose")
    const commit = named("handrail.commit")
    expect(parentOf(command)).toBe(idOf(named("handrail.client propose")))
    expect(parentOf(commit)).toBe(idOf(command))
    expect(linksOf(commit)).toEqual([idOf(command)])
  })

  test("begins with what an agent's governed tool asks for, before it runs and after", async () => {
    const { observe, named } = telemetry()
    const onServer = observe()
    const server = await openServer({ runtime: await openWatched(onServer), observability: onServer })
    const onClient = observe()
    const fetch = onClient.fetch((url, init) => server.app.fetch(new Request(url, init)))
    const remote = Handrail.connect({ url: "http://localhost", apiKey: server.key, fetch })
    onTestFinished(() => remote.close())
    const session = lead(onClient.client(remote), governance(), { look: () => "seen" })
    await session.tools.look()
    for (const name of ["createRoot", "propose", "receipt"])
      expect(traceOf(named(`handrail.command ${name}`))).toBe(traceOf(named(`handrail.client ${name}`)))
    await session.close()
  })

  test("of every command leads to the one commit that served them all", async () => {
    const { observe, exporter, named } = telemetry()
    const observability = observe()
    const client = observability.client(await openWatched(observability))
    const session = await begin(client)
    exporter.reset()
    await Promise.all([session.propose({ calls }), session.propose({ calls }), session.propose({ calls })])
    const commands = exporter.getFinishedSpans().filter(({ name }) => name === "handrail.command propose")
    const commit = named("handrail.commit")
    expect(new Set(commands.map(traceOf)).size).toBe(3)
    expect(new Set(linksOf(commit))).toEqual(new Set(commands.map(idOf)))
    for (const command of commands)
      if (traceOf(command) !== traceOf(commit)) expect(linksOf(command)).toEqual([idOf(commit)])
  })

  test("says how a refusal ended, and is in error only where Handrail is", async () => {
    const { observe, named } = telemetry()
    const observability = observe()
    const runtime = await openWatched(observability)
    const session = await begin(observability.client(runtime))
    await expect(session.propose({ calls: [{ tool: "scan", estimatedCost: 1000 }] })).rejects.toThrow()
    expect(named("handrail.command propose").attributes).toMatchObject({
      "handrail.verdict": "refused",
      "handrail.code": "limit_exceeded",
    })
    expect(named("handrail.command propose").status.code).toBe(0)
    await runtime.host.run(runtime.host.governance.close)
    await expect(session.heartbeat()).rejects.toThrow()
    expect(named("handrail.command heartbeat").status).toEqual({ code: 2, message: "closed" })
    expect(named("handrail.client heartbeat").status).toEqual({ code: 2, message: "closed" })
  })

  test("holds no argument, summary or key", async () => {
    const { observe, exporter } = telemetry()
    const observability = observe()
    const session = await begin(observability.client(await openWatched(observability)))
    await session.propose(
      { calls: [{ tool: "scan", estimatedCost: 1, arguments: { password: "hunter2" } }] },
      { idempotencyKey: "hunter2" },
    )
    await session.handoff({ toRole: "dev", summary: { task: "hunter2" } })
    const told = exporter.getFinishedSpans().map(({ name, attributes, events, links, status }) => {
      return JSON.stringify({ name, attributes, events, links, status })
    })
    expect(told.length).toBeGreaterThan(4)
    expect(told.join("\n")).not.toContain("hunter2")
  })

  test("goes on where the request says so, and stays unsampled where its caller does not sample", async () => {
    const { observe, exporter, named } = telemetry()
    const observability = observe()
    const server = await openServer({ runtime: await openWatched(observability), observability })
    const traceId = "0af7651916cd43dd8448eb211c80319c"
    const ask = (flags: string) =>
      server.call("GET", "/workflows", { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-${flags}` } })
    await ask("00")
    expect(exporter.getFinishedSpans()).toEqual([])
    await ask("01")
    expect(traceOf(named("GET /api/v1/replay/workflows"))).toBe(traceId)
    expect(parentOf(named("GET /api/v1/replay/workflows"))).toBe("b7ad6b7169203331")
  })

  test("that is not sampled stays so on its way to the server", async () => {
    const { observe, exporter } = telemetry()
    const observability = observe()
    const server = await openServer({ runtime: await openWatched(observability), observability })
    const sent: Array<string | null> = []
    const inner = (url: string, init: RequestInit) => {
      sent.push(new Headers(init.headers).get("traceparent"))
      return server.app.fetch(new Request(url, init))
    }
    const watch = observability.request({
      method: "POST",
      route: "/ask",
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00`,
      workflowId: undefined,
      sessionId: undefined,
    })
    const remote = Handrail.connect({ url: "http://localhost", apiKey: server.key, fetch: observability.fetch(inner) })
    await watch.within(() => begin(observability.client(remote)))
    expect(sent).toEqual([`00-${"a".repeat(32)}-${"b".repeat(16)}-00`])
    expect(exporter.getFinishedSpans()).toEqual([])
  })

  test("that is not sampled is not even begun, whatever the tracer would make of it", async () => {
    const begun: Array<string> = []
    const span: Tracer.Tracer["span"] = (options) => {
      begun.push(options.name)
      return new Tracer.NativeSpan(options)
    }
    const observability = new Observability({ tracer: Tracer.make({ span }) })
    const server = await openServer({ runtime: await openWatched(observability), observability })
    const ask = (flags: string) =>
      root(server, `w-${flags}`, {}, { headers: { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-${flags}` } })
    await ask("00")
    expect(begun).toEqual([])
    await ask("01")
    expect(begun).toEqual(["POST /api/v1/replay/sessions", "handrail.command createRoot", "handrail.commit"])
  })

  test("is not made where there is no tracer, and no header is sent", async () => {
    const observability = new Observability()
    const server = await openServer({ runtime: await openWatched(observability), observability })
    const sent: Array<boolean> = []
    const inner = (url: string, init: RequestInit) => {
      sent.push(new Headers(init.headers).has("traceparent"))
      return server.app.fetch(new Request(url, init))
    }
    const remote = Handrail.connect({ url: "http://localhost", apiKey: server.key, fetch: observability.fetch(inner) })
    expect(observability.client(remote)).toBe(remote)
    await begin(remote)
    expect(sent).toEqual([false])
  })
})

describe("traceparent", () => {
  const id = "0af7651916cd43dd8448eb211c80319c"
  const span = "b7ad6b7169203331"

  test.each([
    [`00-${id}-${span}-01`, true],
    [`00-${id}-${span}-00`, false],
    [`00-${id}-${span}-03`, true],
    // A later version may say more, and is read as far as it is known.
    [`cc-${id}-${span}-01-what-comes`, true],
  ])("%s is read", (header, sampled) => {
    expect(readTraceparent(header)).toMatchObject({ traceId: id, spanId: span, sampled })
  })

  test.each([
    undefined,
    "",
    "hello",
    `00-${id}-${span}`,
    `00-${id}-${span}-01-more`,
    `ff-${id}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${id}-${"0".repeat(16)}-01`,
    `00-${id.toUpperCase()}-${span}-01`,
  ])("%s is as good as none", (header) => {
    expect(readTraceparent(header)).toBeUndefined()
  })

  test("is written as it was read", () => {
    for (const header of [`00-${id}-${span}-01`, `00-${id}-${span}-00`]) {
      const read = readTraceparent(header)
      expect(read && writeTraceparent(read)).toBe(header)
    }
  })
})
