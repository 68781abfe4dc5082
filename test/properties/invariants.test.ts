/**
 * Each invariant's check refuses a history that breaks it: a good history of the model is spoilt in one place.
 */
import assert from "node:assert/strict"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import type { EventBody, JournalEvent } from "../../src/machines/events.ts"
import { HandoffId, KillId, SessionId, StepId } from "../../src/machines/ids.ts"
import { intentions } from "../../src/testing/model/commands.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { type Evidence, type Moment, run } from "../../src/testing/model/harness.ts"
import { invariants } from "../../src/testing/model/invariants.ts"
import { modelSut } from "../../src/testing/model/modelSut.ts"
import type { WorkflowObservation } from "../../src/testing/model/observe.ts"

type Loose<T> = { -readonly [K in keyof T]: T[K] extends object ? Loose<T[K]> : T[K] }
type Seen = Loose<WorkflowObservation>
type Name = keyof typeof invariants

let histories: ReadonlyArray<Evidence> = []
beforeAll(async () => {
  const samples = fc.sample(fc.tuple(definitions, intentions), { numRuns: 150, seed: 11 })
  histories = await Promise.all(samples.map(([definition, sequence]) => run(modelSut(null, 0), definition, sequence)))
}, 120_000)

/** A copy of the first history with a moment after the first in which `find` sees something to spoil. */
const spoil = (find: (seen: Seen, before: Seen, evidence: Evidence) => boolean): Evidence => {
  for (const history of histories) {
    const copy = structuredClone(history)
    for (const [index, moment] of copy.moments.entries()) {
      const seen = moment.seen.workflows["wf-1"] as Seen | undefined
      const before = copy.moments[index - 1]?.seen.workflows["wf-1"] as Seen | undefined
      if (seen !== undefined && before !== undefined && find(seen, before, copy))
        return { ...copy, moments: copy.moments.slice(0, index + 1) }
    }
  }
  return assert.fail("no history holds what the test wants to spoil")
}
const breaks = (name: Name, evidence: Evidence) =>
  expect(() => invariants[name](evidence)).toThrow(new RegExp(`${name}:`))

const journal = (...bodies: ReadonlyArray<EventBody>): Evidence => ({
  definition: histories[0]?.definition ?? assert.fail("no history"),
  moments: [],
  problems: [],
  strangers: [],
  events: { "wf-1": bodies.map((body, index): JournalEvent => ({ seq: index + 1, at: 1, actor: "system", body })) },
})
const sessionId = SessionId.make("s2")
const handoffId = HandoffId.make("h1")
const claimed = (session: string): EventBody => ({
  _tag: "handoff.claimed",
  handoffId,
  generation: 1,
  sessionId: SessionId.make(session),
  agent: "a",
  deadline: null,
  grants: [],
})
const reclaimed: EventBody = {
  _tag: "handoff.reclaimed",
  handoffId,
  sessionId,
  status: "offered",
  generation: 2,
  reason: "lease",
  killId: KillId.make("k1"),
  deadline: null,
}
const released: EventBody = { _tag: "resources.released", sessionId, resources: [] }

describe("the invariants' own checks", () => {
  it("hold over good histories", () => {
    for (const history of histories) for (const check of Object.values(invariants)) check(history)
  })
  it("I1 refuses two claimants of one generation", () => {
    breaks("I1", journal(claimed("s2"), claimed("s3")))
    breaks(
      "I1",
      spoil((seen, before) => {
        const one = seen.handoffs.find(
          (other) =>
            other.claimant !== null && before.handoffs.find((was) => was.id === other.id)?.claimant === other.claimant,
        )
        if (one !== undefined) one.claimant = "another"
        return one !== undefined
      }),
    )
  })
  it("I2 refuses a counter past its limit", () => {
    breaks(
      "I2",
      spoil((seen, _before, evidence) => {
        const max = evidence.moments[0]?.world.workflows[0]?.limits.maxSteps
        if (typeof max !== "number") return false
        seen.ledger.workflow.steps.used = 1000
        return true
      }),
    )
  })
  it("I3 refuses a reservation that leaked", () => {
    breaks(
      "I3",
      spoil((seen) => {
        seen.ledger.workflow.cost.reserved += 1
        return true
      }),
    )
  })
  it("I4 refuses a second holder, a stranger's step and a token that shrinks", () => {
    breaks(
      "I4",
      spoil((seen) => {
        const one = seen.resources.find((other) => other.name === "env" && other.holders.length === 1)
        one?.holders.push("another")
        return one !== undefined
      }),
    )
    breaks(
      "I4",
      spoil((seen) => {
        const one = seen.resources.find((other) => other.name === "doc" && other.holders.length > 0)
        if (one !== undefined) one.owner = "another"
        return one !== undefined
      }),
    )
    breaks(
      "I4",
      spoil((seen, before) => {
        const one = seen.resources.find((other) =>
          before.resources.some((was) => was.name === other.name && was.key === other.key && was.fence > 0),
        )
        if (one !== undefined) one.fence = 0
        return one !== undefined
      }),
    )
  })
  it("I5 refuses a child of the dead, a change of the dead and an event of the dead", () => {
    breaks(
      "I5",
      spoil((seen, before) => {
        const dead = before.sessions.find((one) => one.status === "killed")
        if (dead !== undefined)
          seen.sessions.push({ id: "late", status: "active", version: 1, role: "dev", parent: dead.id })
        return dead !== undefined
      }),
    )
    breaks("I5", journal(reclaimed, released))
    expect(() => invariants.I5(journal(released, reclaimed))).not.toThrow()
  })
  it("I6 refuses a step backwards", () => {
    breaks(
      "I6",
      spoil((seen, before) => {
        const one = seen.handoffs.find(
          (other) => before.handoffs.find((was) => was.id === other.id)?.status === "in_progress",
        )
        if (one !== undefined) one.status = "claimed"
        return one !== undefined
      }),
    )
    breaks(
      "I6",
      spoil((seen, before) => {
        const one = seen.sessions.find(
          (other) => before.sessions.find((was) => was.id === other.id)?.status === "completed",
        )
        if (one !== undefined) one.status = "active"
        return one !== undefined
      }),
    )
  })
  it("I7 refuses an acknowledged command that is not in the journal", () => {
    breaks("I7", { ...(histories[0] ?? assert.fail("no history")), events: { "wf-1": [] } })
  })
  it("I8 refuses a repeated key with another answer", () => {
    const repeats = (moments: ReadonlyArray<Moment>) =>
      moments.findIndex((one) => one.verdict.ok && one.verdict.replayed)
    const history = histories.find((one) => repeats(one.moments) >= 0) ?? assert.fail("no history repeats a key")
    const at = repeats(history.moments)
    const moments = history.moments.map((one, index) =>
      index === at ? { ...one, answered: { ok: true as const, answer: { other: 1 } } } : one,
    )
    breaks("I8", { ...history, moments })
  })
  it("I9 refuses a gap and a store that does not verify", () => {
    const [first, second] = journal(released, reclaimed).events?.["wf-1"] ?? []
    assert.ok(first !== undefined && second !== undefined)
    breaks("I9", { ...journal(), events: { "wf-1": [first, { ...second, seq: 3 }] } })
    breaks("I9", { ...journal(), problems: ["hash of batch 2"] })
  })
  it("I10 refuses a miscount and a parent that completed before its child", () => {
    breaks(
      "I10",
      spoil((seen) => {
        seen.ledger.workflow.sessions.used += 1
        return true
      }),
    )
    breaks(
      "I10",
      spoil((seen) => {
        const child = seen.sessions.find((one) => one.parent !== null && one.status === "active")
        const parent = seen.sessions.find((one) => one.id === child?.parent && one.status === "active")
        if (parent === undefined) return false
        parent.status = "completed"
        seen.ledger.workflow.activeSessions.used -= 1
        return true
      }),
    )
  })
  it("I11 refuses a step that waits for nothing", () => {
    breaks(
      "I11",
      spoil((seen) => {
        const step = seen.steps.find((one) => one.status === "queued")
        for (const one of seen.resources)
          if (step !== undefined) one.holders = one.holders.filter((id) => id === step.id)
        return step !== undefined
      }),
    )
  })
  it("I13 refuses a step that outwaits its time or its session, and one that awaits approval again", () => {
    const awaiting = (seen: Seen) => seen.steps.find((one) => one.status === "awaiting_approval")
    breaks(
      "I13",
      spoil((seen) => {
        const step = awaiting(seen)
        if (step !== undefined) step.approvalDeadline = 0
        return step !== undefined
      }),
    )
    breaks(
      "I13",
      spoil((seen) => {
        const step = awaiting(seen)
        const session = seen.sessions.find((one) => one.id === step?.session)
        if (session !== undefined) session.status = "failed"
        return session !== undefined
      }),
    )
    breaks(
      "I13",
      spoil((seen, before) => {
        const step = awaiting(seen)
        const was = before.steps.find((one) => one.id === step?.id)
        if (was !== undefined) was.status = "queued"
        return was !== undefined
      }),
    )
  })
  it("I13 refuses a journal in which a step is admitted or committed without approval, or approved by nobody", () => {
    const stepId = StepId.make("st1")
    const step = { stepId, tool: "deploy", arguments: null, cost: 0, tokens: 0, resources: [], fences: [] }
    const proposed: EventBody = {
      _tag: "steps.proposed",
      sessionId,
      steps: [{ ...step, status: "awaiting_approval", deadline: 9 }],
    }
    const admitted = [{ stepId, fences: [] }]
    const approved: EventBody = { _tag: "step.approved", sessionId, stepId, admitted }
    const resolved = (outcome: "committed" | "aborted"): EventBody => ({
      _tag: "steps.resolved",
      sessionId,
      steps: [{ stepId, outcome, cost: 0, tokens: 0 }],
    })
    // The definition has a contract for the tool, and s2 is of its role.
    const inTeam = (...bodies: ReadonlyArray<EventBody>): Evidence => {
      const [history] = histories
      const moment = history?.moments.at(-1) ?? assert.fail("no history")
      const role = {
        ...history?.definition.roles[0],
        name: "lead",
        tools: [{ tool: "deploy", rest: { checkpoint: true } }],
      }
      const seen = { workflows: { "wf-1": { sessions: [{ id: "s2", role: "lead" }], steps: [], resources: [] } } }
      return {
        ...journal(...bodies),
        definition: { ...history?.definition, roles: [role] } as unknown as Evidence["definition"],
        moments: [{ ...moment, seen } as unknown as Moment],
      }
    }
    const { I13 } = invariants
    expect(() => I13(inTeam(proposed, resolved("aborted")))).not.toThrow()
    breaks("I13", inTeam(proposed, resolved("committed")))
    breaks("I13", inTeam({ ...proposed, steps: [{ ...step, status: "admitted" }] }))
    breaks("I13", inTeam(proposed, { ...reclaimed, admitted }))
    breaks("I13", inTeam(approved))
    // Its events are the system's own: no person has approved.
    breaks("I13", inTeam(proposed, approved))
    const byPerson = inTeam(proposed, approved, resolved("committed"))
    const signed = byPerson.events?.["wf-1"]?.map((event) => ({ ...event, actor: "operator:dana" })) ?? []
    expect(() => I13({ ...byPerson, events: { "wf-1": signed } })).not.toThrow()
  })
  it("I12 refuses a stranger that is answered or changes something", () => {
    const seen = { workflows: {} }
    const stranger = (code: string) => ({
      ...journal(),
      strangers: [{ answered: { ok: false as const, code, facts: {} }, before: seen, after: seen }],
    })
    breaks("I12", stranger("session_killed"))
    expect(() => invariants.I12(stranger("session_not_found"))).not.toThrow()
  })
})
