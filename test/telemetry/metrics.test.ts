/** The text of `/metrics`: what is counted, that it is well formed, and that it never grows with the number of workflows. */
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { Counter, exposition, Histogram, reading } from "../../src/adapters/telemetry/exposition.ts"
import { Observability } from "../../src/adapters/telemetry/Observability.ts"
import { makeMemoryStore } from "../../src/index.ts"
import { openServer, root } from "../http/fixtures.ts"
import { begin, openWatched, parseExposition } from "./fixtures.ts"

const page = readFileSync(new URL("../../docs/observability.md", import.meta.url), "utf8")
const documented = new Set([...page.matchAll(/^\| `(handrail_[a-z_]+)`/gm)].map(([, name]) => name))

/** Everything that a server tells, after a call of each kind. */
const scrape = async () => {
  const observability = new Observability()
  const runtime = await openWatched(observability)
  const server = await openServer({ runtime, observability })
  await root(server)
  const { body, headers } = await server.call("GET", "/metrics")
  return { body: String(body), headers }
}

describe("/metrics", () => {
  test("is an exposition of Prometheus, with a help and a type for each metric", async () => {
    const { body, headers } = await scrape()
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
    const metrics = parseExposition(body)
    for (const [name, { type }] of metrics) {
      expect(name).toMatch(/^handrail_/)
      if (type === "counter") expect(name).toMatch(/_total$/)
      else expect(name).not.toMatch(/_total$/)
    }
  })

  test("tells exactly the metrics that docs/observability.md explains", async () => {
    const { body } = await scrape()
    expect(new Set(parseExposition(body).keys())).toEqual(documented)
  })

  test("is what the queries and alerts of docs/observability.md ask for", async () => {
    const metrics = parseExposition((await scrape()).body)
    const asked = [...page.matchAll(/handrail_[a-z_]+[a-z]/g)].map(([name]) => name)
    expect(asked.length).toBeGreaterThan(documented.size)
    for (const name of asked) {
      const series = metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "")
      expect(metrics.get(series), name).toBeDefined()
      if (series !== name) expect(metrics.get(series)?.type).toBe("histogram")
    }
  })

  test("is there without observability too, with what is known without counting", async () => {
    const server = await openServer()
    await root(server)
    const { body } = await server.call("GET", "/metrics")
    const metrics = parseExposition(String(body))
    expect(metrics.get("handrail_actors")?.samples.get("{}")).toBe(1)
    expect(metrics.get("handrail_commands_total")?.samples.size).toBe(0)
  })

  test("counts requests by operation and status, and problems by code", async () => {
    const observability = new Observability()
    const server = await openServer({ runtime: await openWatched(observability), observability })
    await root(server)
    await server.call("GET", "/sessions/nobody")
    await server.call("GET", "/nowhere/at/all")
    const metrics = parseExposition(String((await server.call("GET", "/metrics")).body))
    const requests = metrics.get("handrail_http_requests_total")?.samples
    expect(requests?.get('{operation="createSession",status="201"}')).toBe(1)
    expect(requests?.get('{operation="getSession",status="404"}')).toBe(1)
    expect(requests?.get('{operation="none",status="404"}')).toBe(1)
    expect(metrics.get("handrail_http_problems_total")?.samples.get('{code="session_not_found"}')).toBe(1)
    const durations = metrics.get("handrail_http_request_duration_seconds")?.samples
    expect(durations?.get('_count{operation="createSession"}')).toBe(1)
  })
})

describe("the runtime's metrics", () => {
  const read = async (observability: Observability, runtime: Awaited<ReturnType<typeof openWatched>>) =>
    parseExposition(await observability.text(runtime.host))

  test("count commands by kind and verdict, and refusals by code", async () => {
    const observability = new Observability()
    const runtime = await openWatched(observability)
    const session = await begin(runtime)
    await session.propose({ calls: [{ tool: "scan", estimatedCost: 1 }] })
    await expect(session.propose({ calls: [{ tool: "scan", estimatedCost: 1000 }] })).rejects.toThrow()
    const metrics = await read(observability, runtime)
    const commands = metrics.get("handrail_commands_total")?.samples
    expect(commands?.get('{command="createRoot",verdict="accepted"}')).toBe(1)
    expect(commands?.get('{command="propose",verdict="accepted"}')).toBe(1)
    expect(commands?.get('{command="propose",verdict="refused"}')).toBe(1)
    expect(commands?.get('{command="propose",verdict="failed"}')).toBe(0)
    expect(metrics.get("handrail_refusals_total")?.samples.get('{code="limit_exceeded"}')).toBe(1)
    expect(metrics.get("handrail_command_duration_seconds")?.samples.get('_count{command="propose"}')).toBe(2)
    // The refused proposal changed nothing: its batch confirmed the head and wrote no event.
    const events = metrics.get("handrail_events_total")?.samples.get("{}")
    expect(events).toBe((await runtime.getWorkflow("w1")).seq)
  })

  test("count what is refused at the door as failed: nothing that was asked for is missing", async () => {
    const observability = new Observability()
    const runtime = await openWatched(observability)
    const session = await begin(runtime)
    await runtime.host.run(runtime.host.governance.close)
    await expect(session.heartbeat()).rejects.toThrow()
    const metrics = await read(observability, runtime)
    expect(metrics.get("handrail_commands_total")?.samples.get('{command="heartbeat",verdict="failed"}')).toBe(1)
    expect(metrics.get("handrail_refusals_total")?.samples.get('{code="closed"}')).toBe(1)
  })

  test("tell what live workflows have open, and the least that is left of a limit, of the workflow or of a role", async () => {
    const observability = new Observability()
    const runtime = await openWatched(observability)
    const lead = await begin(runtime)
    await begin(runtime, "w2")
    const { handoffId } = await lead.handoff({ toRole: "dev" })
    const dev = await runtime.claim({
      agent: "a",
      workflowId: "w1",
      role: "dev",
      parentSessionId: lead.sessionId,
      handoffId,
    })
    // 9.5 of the role's 10: a twentieth is left there, while the workflow has nearly all of its 100.
    await dev.propose({ calls: [{ tool: "scan", estimatedCost: 9.5 }] })
    await lead.handoff({ toRole: "dev" })
    const metrics = await read(observability, runtime)
    const value = (name: string, labels = "{}") => metrics.get(name)?.samples.get(labels)
    expect(value("handrail_active_workflows")).toBe(2)
    expect(value("handrail_active_sessions")).toBe(3)
    expect(value("handrail_open_handoffs", '{status="offered"}')).toBe(1)
    expect(value("handrail_open_handoffs", '{status="claimed"}')).toBe(1)
    expect(value("handrail_open_steps", '{status="admitted"}')).toBe(1)
    expect(value("handrail_ledger_lowest_headroom_ratio", '{limit="max_cost"}')).toBeCloseTo(0.05)
    expect(value("handrail_ledger_tight_workflows", '{limit="max_cost"}')).toBe(1)
    expect(value("handrail_ledger_tight_workflows", '{limit="max_steps"}')).toBe(0)
    expect(value("handrail_ledger_lowest_headroom_ratio", '{limit="max_tokens"}')).toBe(1)
  })

  test("count an orphan from the kill on", async () => {
    const observability = new Observability()
    const runtime = await openWatched(observability)
    const lead = await begin(runtime)
    await lead.propose({ calls: [{ tool: "scan", estimatedCost: 1 }] })
    await runtime.kill({ scope: "workflow", workflowId: "w1", reason: "enough" })
    const metrics = await read(observability, runtime)
    expect(metrics.get("handrail_open_steps")?.samples.get('{status="orphaned"}')).toBe(1)
    expect(metrics.get("handrail_active_workflows")?.samples.get("{}")).toBe(0)
  })

  test("count what another writer's being faster cost: the conflict, and what was decided again", async () => {
    const observability = new Observability()
    const store = makeMemoryStore()
    const runtime = await openWatched(observability, { store })
    const other = await openWatched(new Observability(), { store })
    await begin(runtime)
    const there = await other.attach({ sessionId: "lead.w1" })
    await there.heartbeat()
    await there.propose({ calls: [{ tool: "scan", estimatedCost: 1 }] })
    // This runtime's actor still believes in the head that it wrote itself.
    await runtime.propose({ sessionId: "lead.w1", calls: [{ tool: "scan", estimatedCost: 1 }] })
    const metrics = await read(observability, runtime)
    expect(metrics.get("handrail_commit_conflicts_total")?.samples.get('{kind="conflict"}')).toBeGreaterThan(0)
    expect(metrics.get("handrail_commands_redecided_total")?.samples.get("{}")).toBeGreaterThan(0)
    expect(metrics.get("handrail_commands_total")?.samples.get('{command="propose",verdict="accepted"}')).toBe(1)
  })

  test("have as many series after hundreds of workflows as after one", async () => {
    const observability = new Observability()
    const runtime = await openWatched(observability)
    await begin(runtime)
    const few = await observability.text(runtime.host)
    for (let index = 0; index < 200; index++) await begin(runtime, `w-${index}`)
    const many = await observability.text(runtime.host)
    expect(many.split("\n").length).toBe(few.split("\n").length)
    expect(many).not.toContain("w-199")
  })
})

describe("an exposition", () => {
  test("has cumulative buckets, their sum and their count", () => {
    const histogram = new Histogram("x_seconds", "X.", [0.1, 1])
    for (const value of [0.1, 0.5, 7]) histogram.cell().observe(value)
    expect(exposition([histogram])).toBe(
      [
        "# HELP x_seconds X.",
        "# TYPE x_seconds histogram",
        'x_seconds_bucket{le="0.1"} 1',
        'x_seconds_bucket{le="1"} 2',
        'x_seconds_bucket{le="+Inf"} 3',
        "x_seconds_sum 7.6",
        "x_seconds_count 3",
        "",
      ].join("\n"),
    )
  })

  test("escapes what a label may hold", () => {
    const counter = new Counter("x_total", "X.", ["reason"])
    counter.cell('a "b"\n\\').value += 1
    expect(exposition([counter])).toContain('x_total{reason="a \\"b\\"\\n\\\\"} 1')
  })

  test("has a bounded number of series, whatever the labels are given: the rest shares one", () => {
    const counter = new Counter("x_total", "X.", ["reason"])
    for (let index = 0; index < 1000; index++) counter.cell(`r${index}`).value += 1
    const { samples = new Map() } = parseExposition(exposition([counter])).get("x_total") ?? {}
    expect(samples.size).toBe(401)
    expect(samples.get('{reason="other"}')).toBe(600)
  })

  test("reads values when it is asked", () => {
    expect(exposition([reading("gauge", "x", "X.", { label: "status", of: { open: 2 } })])).toContain(
      'x{status="open"} 2',
    )
  })
})
