/** A state that was written down and read again behaves in every way like the one that never left (I9). */
import fc from "fast-check"
import { expect, it } from "vitest"
import { decide } from "../../src/machines/decide/index.ts"
import { noLimits } from "../../src/machines/definition.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import { emptyArchive } from "../../src/machines/projection.ts"
import { restoreSnapshot, type StoredState, takeSnapshot } from "../../src/machines/snapshot.ts"
import { openView, sessionView } from "../../src/machines/views.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { Random } from "../crash/Random.ts"
import { parameters } from "../properties/parameters.ts"
import { FoldChecker } from "./FoldChecker.ts"
import { apply, Walk } from "./Walk.ts"

const walks = fc.record({ definition: definitions, seed: fc.nat(), every: fc.integer({ min: 1, max: 12 }) })
const stored = (walk: Walk): StoredState => JSON.parse(JSON.stringify(takeSnapshot(walk.state))) as StoredState

it("decides the same, evolves the same, and is written down as the same", () => {
  let accepted = 0
  fc.assert(
    fc.property(walks, ({ definition, seed, every }) => {
      const walk = new Walk(definition, new Random(seed))
      let twin = restoreSnapshot(stored(walk), walk.rules)
      for (let n = 0; n < 70; n++) {
        if (n % every === 0) twin = restoreSnapshot(stored(walk), walk.rules)
        const { command, facts } = walk.next()
        const other = decide(twin, command, walk.facts(facts.archive, facts.actor))
        const { decision, rows } = walk.carryOut(command, facts)
        if (decision._tag === "accepted" && decision.events.length > 0) accepted += 1
        expect(other).toEqual(decision)
        expect(apply(twin, other, facts).rows).toEqual(rows)
        expect(takeSnapshot(twin)).toEqual(takeSnapshot(walk.state))
        expect(openView(twin)).toEqual(openView(walk.state))
        expect(twin.deadlines.earliest(twin)).toEqual(walk.state.deadlines.earliest(walk.state))
      }
    }),
    parameters(60),
  )
  // Most of the walk must be commands that do something, or it shows nothing.
  expect(accepted).toBeGreaterThan(500)
})

it("the same events make the same state, and every state on the way holds (I2 to I6, I10, I11)", () => {
  fc.assert(
    fc.property(walks, ({ definition, seed }) => {
      const walk = new Walk(definition, new Random(seed))
      const checker = new FoldChecker(walk.rules)
      const [first] = takeFirst(walk)
      const events: Array<JournalEvent> = [first]
      checker.add(first)
      for (let n = 0; n < 80; n++)
        for (const event of walk.step().events) {
          const copy = JSON.parse(JSON.stringify(event)) as JournalEvent
          events.push(copy)
          checker.add(copy)
        }
      const again = birth(first, walk.rules)
      for (const event of events) evolve(again, JSON.parse(JSON.stringify(event)) as JournalEvent)
      expect(takeSnapshot(again)).toEqual(takeSnapshot(walk.state))
      expect(checker.state === undefined ? undefined : takeSnapshot(checker.state)).toEqual(takeSnapshot(walk.state))
    }),
    parameters(60),
  )
})

it("what a session owns is let go in the same order, in whatever order it was taken (seed 443207445)", () => {
  const [definition] = fc.sample(definitions, { numRuns: 1, seed: 1 })
  if (definition === undefined) throw new Error("no definition")
  const doc = { name: "doc", mode: "single_writer" as const, unresolved: "hold" as const, pendingTimeoutMs: null }
  const lead = definition.roles.slice(0, 1).map((role) => ({ ...role, limits: noLimits, defaultCost: null, tools: [] }))
  const walk = new Walk({ ...definition, roles: lead, handoffs: [], resources: [doc], limits: noLimits }, new Random(1))
  const root = walk.state.rootSessionId
  const facts = walk.facts(emptyArchive)
  const docOf = (key: string) => [{ name: "doc", key }]
  const use = (key: string): void => {
    const calls = [{ tool: "work", resources: docOf(key) }]
    const { events } = walk.carryOut({ _tag: "propose", sessionId: root, calls }, walk.facts(emptyArchive))
    const body = events[0]?.body
    if (body?._tag !== "steps.proposed") throw new Error("it was not admitted")
    const receipts = body.steps.map(({ stepId }) => ({ stepId, outcome: "committed" as const }))
    walk.carryOut({ _tag: "receipt", sessionId: root, receipts }, facts)
  }
  use("c")
  use("a")
  // Taken again, it is the latest that is owned and the oldest that stands.
  walk.carryOut({ _tag: "release", sessionId: root, resources: docOf("c") }, facts)
  use("c")
  const twin = restoreSnapshot(stored(walk), walk.rules)
  const kept = walk.state.sessions.get(root)
  const read = twin.sessions.get(root)
  if (kept === undefined || read === undefined) throw new Error("the root is gone")
  expect([...read.owns]).not.toEqual([...kept.owns])
  expect(sessionView(twin, read)).toEqual(sessionView(walk.state, kept))
  const fail = { _tag: "fail", sessionId: root, reason: "r" } as const
  const decision = decide(walk.state, fail, facts)
  expect(apply(twin, decision, facts).rows).toEqual(apply(walk.state, decision, facts).rows)
  expect(takeSnapshot(twin)).toEqual(takeSnapshot(walk.state))
})

/** The event that a walk began with, as the state tells it. */
const takeFirst = (walk: Walk): readonly [JournalEvent] => {
  const { state, rules } = walk
  const root = state.sessions.get(state.rootSessionId)
  return [
    {
      seq: 1,
      at: state.createdAt,
      actor: "test",
      body: {
        _tag: "workflow.created",
        workflowId: state.workflowId,
        definitionHash: rules.hash,
        workflow: rules.definition.workflow,
        sessionId: state.rootSessionId,
        role: root?.role ?? "",
        agent: root?.agent ?? "",
        deadline: state.deadline,
      },
    },
  ]
}
