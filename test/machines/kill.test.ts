/** One event carries a kill, whatever the size of its tree (I5, semantics.md §8). */
import { expect, it } from "vitest"
import { artifactOf, makeRules } from "../../src/definition/index.ts"
import type { KillReceipt } from "../../src/machines/answers.ts"
import { bounds } from "../../src/machines/bounds.ts"
import type { Facts, NewIds } from "../../src/machines/decide/context.ts"
import { decide } from "../../src/machines/decide/index.ts"
import type { EventBody, JournalEvent } from "../../src/machines/events.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import { HandoffId, SessionId, StepId, WorkflowId } from "../../src/machines/ids.ts"
import { definition as definitionOf } from "../../src/machines/index.ts"
import { emptyArchive, type Projection } from "../../src/machines/projection.ts"

const { noLimits } = definitionOf
const role = (name: string, root: boolean) => ({
  name,
  root,
  limits: noLimits,
  defaultCost: null,
  session: null,
  tools: [],
})
const rules = makeRules(
  artifactOf({
    schemaVersion: "1.0",
    workflow: "tree",
    roles: [role("lead", true), role("dev", false)],
    handoffs: ["lead", "dev"].map((from) => ({
      from,
      to: "dev",
      claimTimeoutMs: null,
      offerTimeoutMs: null,
      maxAttempts: null,
      completion: "any" as const,
      summarySchema: null,
    })),
    resources: [],
    limits: noLimits,
    preflightTimeoutMs: 1000,
  }),
)
const workflowId = WorkflowId.make("wf")
const sessionAt = (n: number): SessionId => SessionId.make(n === 0 ? "root" : `s${n}`)
const facts: Facts = {
  now: 5000,
  actor: "operator:ann",
  id: <K extends keyof NewIds>(kind: K): NewIds[K] => `${kind}-new` as NewIds[K],
  archive: emptyArchive,
}

/** A tree of `size` sessions; each parent has `width` children. The first hundred hold an admitted step. */
const tree = (size: number, width: number) => {
  let seq = 0
  const event = (body: EventBody): JournalEvent => ({ seq: ++seq, at: 1000, actor: "test", body })
  const first = event({
    _tag: "workflow.created",
    workflowId,
    definitionHash: rules.hash,
    workflow: "tree",
    sessionId: sessionAt(0),
    role: "lead",
    agent: "a",
    deadline: null,
  })
  const state = birth(first, rules)
  evolve(state, first)
  for (let n = 1; n < size; n++) {
    const handoffId = HandoffId.make(`h${n}`)
    const sessionId = sessionAt(Math.floor((n - 1) / width))
    evolve(
      state,
      event({
        _tag: "handoff.offered",
        sessionId,
        handoffId,
        toRole: "dev",
        summary: null,
        artifacts: [],
        resources: [],
        deadline: null,
      }),
    )
    evolve(
      state,
      event({
        _tag: "handoff.claimed",
        handoffId,
        generation: 1,
        sessionId: sessionAt(n),
        agent: "w",
        deadline: null,
        grants: [],
      }),
    )
    if (n > 100) continue
    const step = {
      stepId: StepId.make(`st${n}`),
      tool: "t",
      arguments: null,
      status: "admitted" as const,
      cost: 0,
      tokens: 0,
      resources: [],
      fences: [],
    }
    evolve(state, event({ _tag: "steps.proposed", sessionId: sessionAt(n), steps: [step] }))
  }
  return state
}

it.each([
  ["a broad tree", 20],
  ["a chain as deep as it is long", 1],
])("kills %s of 10,000 sessions with one event", (_, width) => {
  const state = tree(10_000, width)
  expect(state.account.activeSessions).toBe(10_000)
  const decision = decide(state, { _tag: "kill", workflowId, scope: "workflow", reason: "stop" }, facts)
  expect(decision.events).toHaveLength(1)
  expect(JSON.stringify(decision.events).length).toBeLessThan(300)
  if (decision._tag === "refused") throw new Error("the kill was refused")
  const receipt = decision.answer as KillReceipt
  expect(receipt.counts).toEqual({ sessions: 10_000, handoffs: 9999, orphanedSteps: 100 })
  expect(receipt.sessions).toHaveLength(Math.min(10_000, bounds.receiptItems))
  expect(receipt.state).toBe("fenced")
  const rows: Array<Projection> = []
  const [body] = decision.events
  if (body === undefined) throw new Error("the kill has no event")
  evolve(state, { seq: state.seq + 1, at: facts.now, actor: facts.actor, body }, rows)
  expect(state.status).toBe("killed")
  expect([state.account.activeSessions, state.account.openHandoffs, state.handoffs.size]).toEqual([0, 0, 0])
  expect(state.steps.size).toBe(100)
  // Only sessions on which an unresolved step leans, and the dead above them, are still held.
  expect(state.sessions.size).toBeLessThanOrEqual(101)
  expect(rows.filter((row) => row._tag === "sessionsKilled")).toHaveLength(1)
})

it("a subtree kill in the middle leaves the rest alone, and no descendant of it can be born (I5)", () => {
  const state = tree(1000, 3)
  const decision = decide(
    state,
    { _tag: "kill", workflowId, scope: "subtree", sessionId: sessionAt(1), reason: "stop" },
    facts,
  )
  const [body] = decision.events
  if (body === undefined) throw new Error("the kill has no event")
  evolve(state, { seq: state.seq + 1, at: facts.now, actor: facts.actor, body })
  const below = (n: number): boolean => n === 1 || (n > 1 && below(Math.floor((n - 1) / 3)))
  for (let n = 0; n < 1000; n++)
    expect(state.sessions.get(sessionAt(n))?.status === "active", `session ${n}`).toBe(!below(n))
  const offer = decide(state, { _tag: "offer", sessionId: sessionAt(4), toRole: "dev" }, facts)
  expect(offer._tag).toBe("refused")
})
