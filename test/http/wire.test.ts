/** Between the wire and the `Client`: nothing is lost or renamed that should not be, in either direction. */
import { describe, expect, test } from "vitest"
import * as Answers from "../../src/adapters/http/api/answers.ts"
import type { EventData, EventType, WireEvent } from "../../src/adapters/http/api/events.ts"
import { ProblemCode } from "../../src/adapters/http/api/problems.ts"
import { type Camel, fromWire, toWire } from "../../src/adapters/http/wire/cases.ts"
import { eventFromWire, eventToWire } from "../../src/adapters/http/wire/eventCases.ts"
import { errorOf, problemOf } from "../../src/adapters/http/wire/problem.ts"
import type { EventOf, EventTag, JournalEvent } from "../../src/machines/events.ts"
import { type Code, codes } from "../../src/machines/refusals.ts"
import { fail } from "../../src/runtime/errors.ts"
import { claim, commit, offer, openServer, propose, root, teamYaml } from "./fixtures.ts"

/** The events of the wire and of the journal say the same: one that is in one list alone does not compile. */
type Body<T extends EventTag> = Omit<EventOf<T>, "_tag" | "limits">
type Data<T extends EventType> = Omit<Camel<EventData[T]>, "limits">
type Misfit = {
  [T in EventType]: Body<T> extends Data<T> ? (Data<T> extends Body<T> ? never : T) : T
}[EventType]
const tags: [EventTag] extends [EventType] ? true : false = true
const misfits: [Misfit] extends [never] ? true : Misfit = true

describe("events", () => {
  test("are the same two lists", () => {
    expect([tags, misfits]).toEqual([true, true])
  })

  test("come back as they went, whatever a workflow went through", async () => {
    const server = await openServer()
    const lead = await root(server)
    const handoffId = await offer(server, lead, {
      summary: { some_key: 1 },
      resources: [{ name: "change", key: "42" }],
    })
    const dev = await claim(server, lead, handoffId)
    await server.call("POST", `/sessions/${dev.id}/preflight`, { body: { estimated_cost: 0.5 } })
    await commit(server, dev, await propose(server, dev, { resources: [{ name: "line", key: "a" }] }))
    await server.call("POST", `/sessions/${dev.id}/complete`, { body: { result: { aB: 1 } } })
    await server.call("POST", "/workflows/w1/limits", {
      body: { max_cost: 200.25 },
      headers: { "idempotency-key": "k1" },
    })
    await server.call("POST", "/workflows/w1/kill", { body: { reason: "done" } })
    const journal: Array<JournalEvent> = []
    for await (const event of server.runtime.events({ workflowId: "w1" })) {
      journal.push(event)
      if (event.body._tag === "killed") break
    }
    expect(new Set(journal.map((event) => event.body._tag)).size).toBeGreaterThan(7)
    const sent: ReadonlyArray<WireEvent> = JSON.parse(JSON.stringify(journal.map(eventToWire)))
    expect(sent.map(eventFromWire)).toEqual(journal)
    expect(sent.find((event) => event.type === "limits.raised")).toMatchObject({
      idempotency_key: "k1",
      data: { limits: { max_cost: 200.25 } },
    })
  })
})

describe("answers", () => {
  test("leave out what the wire leaves out, and keep the keys of records", () => {
    const beat = toWire(Answers.Beat) as (value: unknown) => unknown
    expect(beat({ stateVersion: 1, seq: 2, claimDeadline: null })).toEqual({ state_version: 1, seq: 2 })
    const ledger = { used: 1, reserved: 0, max: null, remaining: null }
    const accounts = {
      sessions: ledger,
      activeSessions: ledger,
      steps: ledger,
      cost: ledger,
      tokens: ledger,
      openHandoffs: ledger,
    }
    const view = toWire(Answers.WorkflowView) as (value: unknown) => { readonly roles: object }
    const { roles } = view({ roles: { code_scanner: accounts, aB: accounts } })
    expect(Object.keys(roles)).toEqual(["code_scanner", "aB"])
    expect(roles).toMatchObject({ code_scanner: { active_sessions: ledger } })
    const back = fromWire(Answers.WorkflowView) as (value: unknown) => unknown
    expect(back({ roles })).toEqual({ roles: { code_scanner: accounts, aB: accounts } })
  })
})

describe("problems", () => {
  test("carry all facts both ways, also those whose names the problem needs itself", () => {
    const facts = {
      sessionId: "s1",
      status: "completed",
      refusals: [{ index: 0, tool: "scan", code: "limit_exceeded", facts: { maxCost: 1 } }],
    }
    const error = fail("session_not_active", "It has ended.", facts)
    const problem = problemOf(error)
    expect(problem).toEqual({
      type: "urn:handrail:problem:session_not_active",
      title: codes.session_not_active.title,
      status: 409,
      code: "session_not_active",
      detail: "It has ended.",
      retryable: false,
      session_id: "s1",
      current_status: "completed",
      refusals: [{ index: 0, tool: "scan", code: "limit_exceeded", facts: { max_cost: 1 } }],
    })
    expect(errorOf(JSON.parse(JSON.stringify(problem)))).toEqual(error)
  })

  test.each(Object.keys(codes) as ReadonlyArray<Code>)("%s keeps its status and whether a retry helps", (code) => {
    const problem = problemOf(fail(code, "why"))
    expect([problem.status, problem.retryable, problem.title]).toEqual([
      codes[code].status,
      codes[code].retryable,
      codes[code].title,
    ])
    expect(ProblemCode.literals).toContain(code)
    expect(errorOf(problem)?.code).toBe(code)
  })

  test("a defect says nothing of itself", () => {
    expect(JSON.stringify(problemOf(new Error("select * from secrets")))).not.toContain("secrets")
    expect(problemOf(new Error("x"))).toMatchObject({ status: 500, code: "internal" })
  })

  test("paths of what is wrong are in the names of the wire", () => {
    const error = fail("invalid_request", "x", { errors: [{ path: "calls.0.estimatedCost", message: "y" }] })
    expect(problemOf(error).errors).toEqual([{ path: "calls.0.estimated_cost", message: "y" }])
  })

  test("a definition that does not compile is shown with line and column", async () => {
    const server = await openServer()
    const workflow = { type: "root", workflow_id: "w1", role: "lead", definition: `${teamYaml}\nlimit: {}\n` }
    const { status, body } = await server.call("POST", "/sessions", { body: { agent: "a", workflow } })
    expect([status, body.code]).toEqual([400, "invalid_definition"])
    expect(body.errors).toContainEqual(
      expect.objectContaining({ code: "unknown_key", file: "workflow.yaml", line: expect.any(Number), column: 1 }),
    )
  })
})
