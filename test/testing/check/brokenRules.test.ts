/** The check's own check: rules that break an invariant are a violation, however the definition looks. */
import { expect, test } from "vitest"
import { compile } from "../../../src/definition/index.ts"
import type { Decision } from "../../../src/machines/decide/context.ts"
import { decide } from "../../../src/machines/decide/index.ts"
import { noLimits } from "../../../src/machines/definition.ts"
import { evolve } from "../../../src/machines/evolve/index.ts"
import { SessionId } from "../../../src/machines/ids.ts"
import { checkArtifact } from "../../../src/testing/check/checkWorkflow.ts"
import { type Machine, theRules } from "../../../src/testing/check/World.ts"

const text = `schema_version: "1.0"
workflow: team
roles: [{ name: lead, root: true, default_cost: 0.01 }, { name: dev, default_cost: 0.01 }]
handoffs: [{ from: lead, to: dev, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }]
resources:
  - { name: line, mode: serial_only, unresolved: release, pending_timeout: 30s }
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 30s }
limits: { max_sessions: 20, max_steps: 12, max_cost: 1.00, max_duration: 2h }
`
const compiled = compile({ file: "workflow.yaml", text })
if (!compiled.ok) throw new Error("does not compile")
const { artifact } = compiled

type Decide = Machine["decide"]
/** Decides otherwise where `change` has something to say. */
const deciding = (change: (...args: Parameters<Decide>) => Decision<unknown> | undefined): Machine => ({
  ...theRules,
  decide: (...args) => (change(...args) as ReturnType<Decide> | undefined) ?? decide(...args),
})

const broken: ReadonlyArray<readonly [what: string, id: string, machine: Machine]> = [
  [
    "admits over the budget",
    "invariant:I2",
    deciding((state, command, facts) =>
      command._tag === "propose"
        ? decide({ ...state, limits: noLimits, roleLimits: new Map() }, command, facts)
        : undefined,
    ),
  ],
  [
    "lets a handoff be claimed twice",
    "invariant:I1",
    deciding((state, command, facts) => {
      if (command._tag !== "claim") return undefined
      const decision = decide(state, command, facts)
      if (decision._tag === "accepted" || decision.refusal.code !== "handoff_already_claimed") return decision
      const handoff = state.handoffs.get(command.handoffId)
      if (handoff === undefined) return decision
      const sessionId = SessionId.make(`${command.handoffId}-again`)
      return {
        _tag: "accepted",
        answer: null,
        events: [
          {
            _tag: "handoff.claimed",
            handoffId: command.handoffId,
            generation: handoff.generation,
            sessionId,
            agent: command.agent,
            deadline: handoff.deadline,
            grants: [],
          },
        ],
      }
    }),
  ],
  [
    "forgets to wake a queue",
    "invariant:I11",
    deciding((state, command, facts) => {
      const decision = decide(state, command, facts)
      return {
        ...decision,
        events: decision.events.map((event) => {
          if (event._tag !== "steps.resolved") return event
          const { admitted: _forgotten, ...rest } = event
          return rest
        }),
      }
    }),
  ],
  [
    "lets two steps hold one exclusive resource",
    "invariant:I4",
    deciding((state, command, facts) =>
      command._tag === "propose" ? decide({ ...state, resources: new Map() }, command, facts) : undefined,
    ),
  ],
  [
    "leaks a reservation",
    "invariant:I3",
    {
      ...theRules,
      evolve: (state, event, rows) => {
        evolve(state, event, rows)
        if (event.body._tag === "steps.resolved") state.account.costReserved += 1
        return state
      },
    },
  ],
  [
    "fails",
    "invariant:rules",
    deciding((_state, command) => {
      if (command._tag === "complete") throw new Error("out of cheese")
      return undefined
    }),
  ],
]

test.each(broken)("a rule that %s is a violation, with a short history", (_what, id, machine) => {
  const report = checkArtifact(artifact, { runs: 400, seed: 1 }, machine)
  expect(report.violations.map((finding) => finding.id)).toContain(id)
  const violation = report.violations.find((finding) => finding.id === id)
  expect(violation?.history.length).toBeGreaterThan(1)
  expect(violation?.history.length).toBeLessThanOrEqual(10)
  expect(violation?.text).toMatch(/Handrail itself is broken/)
})

test("a violation can't be allowed", () => {
  const machine = broken.find(([, id]) => id === "invariant:I3")?.[2] ?? theRules
  const report = checkArtifact(artifact, { runs: 100, allow: ["invariant:I3"] }, machine)
  expect(report.violations.map(({ id, allowed }) => [id, allowed])).toContainEqual(["invariant:I3", false])
})

test("the rules as they are break nothing (I1 to I6, I10, I11)", () => {
  const report = checkArtifact(artifact, { runs: 1500, seed: 11, commands: 150 })
  expect(report.violations).toEqual([])
  expect(report.statistics.commands).toBeGreaterThan(20_000)
})
