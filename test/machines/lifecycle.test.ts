/** The look-up tables say what the XState machines say, for every state and every event; and every refusal has its code (I6). */
import { describe, expect, it } from "vitest"
import { type AnyStateMachine, initialTransition, transition } from "xstate"
import { getShortestPaths } from "xstate/graph"
import { handoffMachine } from "../../src/machines/lifecycle/handoff.machine.ts"
import { killMachine } from "../../src/machines/lifecycle/kill.machine.ts"
import { sessionMachine } from "../../src/machines/lifecycle/session.machine.ts"
import { stepMachine } from "../../src/machines/lifecycle/step.machine.ts"
import {
  handoffLifecycle,
  killLifecycle,
  type Lifecycle,
  sessionLifecycle,
  stepLifecycle,
  workflowLifecycle,
} from "../../src/machines/lifecycle/table.ts"
import { workflowMachine } from "../../src/machines/lifecycle/workflow.machine.ts"
import { codes } from "../../src/machines/refusals.ts"

const pairs: ReadonlyArray<readonly [string, AnyStateMachine, Lifecycle<string, string>]> = [
  ["workflow", workflowMachine, workflowLifecycle as Lifecycle<string, string>],
  ["session", sessionMachine, sessionLifecycle as Lifecycle<string, string>],
  ["handoff", handoffMachine, handoffLifecycle as Lifecycle<string, string>],
  ["step", stepMachine, stepLifecycle as Lifecycle<string, string>],
  ["kill", killMachine, killLifecycle as Lifecycle<string, string>],
]

/** What semantics.md says of each thing: its states, the terminal ones, and every move. */
const contract: Readonly<
  Record<string, { readonly final: ReadonlyArray<string>; readonly moves: ReadonlyArray<string> }>
> = {
  workflow: {
    final: ["completed", "failed", "killed"],
    moves: [
      "active ROOT_COMPLETED completed",
      "active ROOT_FAILED failed",
      "active KILLED killed",
      "active LAST_SESSION_ENDED killed",
    ],
  },
  session: {
    final: ["completed", "failed", "killed"],
    moves: ["active COMPLETE completed", "active FAIL failed", "active KILL killed"],
  },
  handoff: {
    final: ["completed", "failed", "withdrawn", "expired", "killed"],
    moves: [
      "offered CLAIM claimed",
      "offered WITHDRAW withdrawn",
      "offered EXPIRE expired",
      "offered KILL killed",
      "claimed PROGRESS in_progress",
      "claimed COMPLETE_ANY completed",
      "claimed FAIL failed",
      "claimed RECLAIM offered",
      "claimed RECLAIM_EXHAUSTED failed",
      "claimed RECLAIM_ORPHANED killed",
      "claimed KILL killed",
      "in_progress COMPLETE completed",
      "in_progress COMPLETE_ANY completed",
      "in_progress FAIL failed",
      "in_progress KILL killed",
    ],
  },
  step: {
    final: ["committed", "aborted", "late"],
    moves: [
      "awaiting_approval APPROVE queued",
      "awaiting_approval REJECT aborted",
      "awaiting_approval ABORT aborted",
      "queued ADMIT admitted",
      "queued ABORT aborted",
      "admitted COMMIT committed",
      "admitted ABORT aborted",
      "admitted REPORT_UNKNOWN admitted",
      "admitted ORPHAN orphaned",
      "orphaned SETTLE_LATE late",
    ],
  },
  kill: { final: ["quiescent"], moves: ["fenced ORPHANS_RESOLVED quiescent"] },
}

describe.each(pairs)("%s", (name, machine, table) => {
  it("the table and the machine agree on every state and every event", () => {
    expect(table.initial).toBe(String(initialTransition(machine)[0].value))
    expect([...table.states].sort()).toEqual(Object.keys(machine.states).sort())
    const walked: Array<string> = []
    for (const state of Object.keys(machine.states)) {
      const snapshot = machine.resolveState({ value: state, context: {} })
      expect(table.isFinal(state)).toBe(machine.states[state]?.type === "final")
      for (const type of machine.events) {
        const can = snapshot.can({ type })
        const [next] = transition(machine, snapshot, { type })
        expect(table.next(state, type), `${state} ${type}`).toBe(can ? String(next.value) : undefined)
        if (can) {
          expect(table.move(state, type)).toBe(String(next.value))
          walked.push(`${state} ${type} ${String(next.value)}`)
        } else {
          expect(String(next.value)).toBe(state)
          expect(() => table.move(state, type)).toThrow()
        }
      }
    }
    expect(walked.sort()).toEqual([...(contract[name]?.moves ?? [])].sort())
  })

  it("every state is reached from the first, and no terminal one is left", () => {
    const reached = getShortestPaths(machine).map((path) => String(path.state.value))
    expect([...new Set(reached)].sort()).toEqual([...table.states].sort())
    expect(table.states.filter((state) => table.isFinal(state)).sort()).toEqual(
      [...(contract[name]?.final ?? [])].sort(),
    )
    for (const state of table.states.filter((one) => table.isFinal(one)))
      for (const event of table.events) expect(table.next(state, event)).toBeUndefined()
  })
})

describe("a refusal", () => {
  /** What commands ask of a handoff: `decide` looks for the code of exactly these. */
  const asked = ["CLAIM", "COMPLETE", "COMPLETE_ANY", "FAIL", "RECLAIM", "WITHDRAW"] as const
  it.each(handoffLifecycle.states.flatMap((state) => asked.map((event) => [state, event] as const)))(
    "of a handoff that is %s has a code for %s, or the event is allowed; never both, never neither",
    (state, event) => {
      const code = handoffLifecycle.refusal(state, event)
      expect(code === undefined).toBe(handoffLifecycle.next(state, event) !== undefined)
      if (code !== undefined) expect(Object.keys(codes)).toContain(code)
    },
  )

  const decisions = ["APPROVE", "REJECT"] as const
  it.each(stepLifecycle.states.flatMap((state) => decisions.map((event) => [state, event] as const)))(
    "of a step that is %s has a code for %s, or the event is allowed",
    (state, event) => {
      expect(stepLifecycle.refusal(state, event) === undefined).toBe(stepLifecycle.next(state, event) !== undefined)
    },
  )

  const receipts = ["COMMIT", "ABORT", "REPORT_UNKNOWN"] as const
  const unresolved = ["awaiting_approval", "queued", "admitted", "committed", "aborted", "late"] as const
  it.each(unresolved.flatMap((state) => receipts.map((event) => [state, event] as const)))(
    "of a step that is %s has a code for %s, or the event is allowed",
    (state, event) => {
      const code = stepLifecycle.refusal(state, event)
      expect(code === undefined).toBe(stepLifecycle.next(state, event) !== undefined)
      if (code !== undefined) expect(Object.keys(codes)).toContain(code)
    },
  )
})
