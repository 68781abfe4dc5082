/**
 * The engine of the contract rules against their plain reading (docs/definitions.md): random contracts, random stories of a
 * session, random calls.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { evolve, judge, narrow, tripped } from "../../../src/machines/contracts/index.ts"
import { parameters } from "../../properties/parameters.ts"
import { call, contracts, happenings, options, toolNames } from "./arbitraries.ts"
import { type PlainCall, plainPhase, plainTrip, plainVerdicts } from "./plainReading.ts"
import { callOf, rulesOf, Session, written } from "./Session.ts"

const frozen = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}

const calls = fc.array(call, { minLength: 1, maxLength: 4 })

/** Each story with what is asked at its end; and the session after every happening is asked as well. */
const story = fc.record({ contracts, happenings, options, calls })

describe("the engine and the plain reading of the contracts", { timeout: 300_000 }, () => {
  it("agree on every verdict, with the same codes, paths and operators, in the same order", () => {
    const codes = new Map<string, number>()
    let stories = 0
    fc.assert(
      fc.property(story, ({ contracts, happenings, options, calls }) => {
        stories += 1
        const session = new Session(contracts)
        const ask = (asked: ReadonlyArray<PlainCall>) => {
          const verdicts = session.judge(asked, options).map(written)
          expect(verdicts).toEqual(plainVerdicts(contracts, session.history, asked, options))
          for (const failure of verdicts.flat()) {
            const code = failure.split(" ")[0] ?? ""
            codes.set(code, (codes.get(code) ?? 0) + 1)
          }
        }
        for (const happening of happenings) {
          if (happening.what === "answer") ask(happening.calls)
          session.happens(frozen(happening), options)
          frozen(session.state)
          expect(session.state.phase ?? undefined).toBe(plainPhase(contracts, session.history))
        }
        ask(calls)
        const trip = tripped(session.state)
        expect(trip && `${trip.operator} ${trip.count}`).toBe(plainTrip(contracts, session.history))
      }),
      parameters(3000),
    )
    // A property that never meets a rule says nothing of it; nor does the repetition of one story.
    if (stories < 1000) return
    const all =
      "no_contract gate_blocked risk_blocked phase_blocked phase_terminal transition_not_allowed transition_pending " +
      "precondition_failed forbidden_after invariant_failed session_limit_exceeded cost_unknown loop_detected approval_unavailable"
    for (const code of all.split(" ")) expect(codes.get(code) ?? 0, code).toBeGreaterThan(20)
  })

  it("agree that a tool is narrowed exactly where each of its calls is blocked whatever the arguments are", () => {
    fc.assert(
      fc.property(story, fc.array(call, { minLength: 5, maxLength: 5 }), (told, tries) => {
        const session = new Session(told.contracts)
        for (const happening of told.happenings) session.happens(happening, told.options)
        const narrowed = narrow(session.rules, session.state, toolNames, told.options)
        const threshold = session.rules.limits.loop?.threshold
        const dependsOnArguments = (failure: string) =>
          failure.startsWith("invariant_failed") || (failure.startsWith("loop_detected") && threshold !== 1)
        const { tools } = told.contracts
        const lax = rulesOf({
          ...told.contracts,
          tools: tools.map(({ argument_value_invariants: _, ...tool }) => tool),
        })
        for (const tool of toolNames) {
          const reasons = narrowed.get(tool)
          const expected = reasons === undefined ? [] : written({ allowed: false, failures: reasons, fingerprint: "" })
          for (const { args } of tries) {
            const asked = { tool, args, estimate: undefined }
            const [plain = []] = plainVerdicts(told.contracts, session.history, [asked], told.options)
            expect(plain.filter((failure) => !dependsOnArguments(failure))).toEqual(expected)
            const [verdict] = session.judge([asked], told.options)
            if (reasons !== undefined) expect(verdict?.allowed).toBe(false)
          }
          // Where nothing is asked of the arguments, and they are no repetition, nothing is left to block the call.
          const fresh = { tool, arguments: { never: "seen" } }
          expect(judge(lax, session.state, [fresh], told.options)[0]?.allowed).toBe(reasons === undefined)
        }
      }),
      parameters(1000),
    )
  })
})

describe("an answer", () => {
  it("is judged as its calls would be one after another, where each allowed one has become a step", () => {
    fc.assert(
      fc.property(story, ({ contracts, happenings, options, calls }) => {
        const session = new Session(contracts)
        for (const happening of happenings) session.happens(happening, options)
        const together = judge(session.rules, frozen(session.state), frozen(calls.map(callOf)), options)
        let state = session.state
        const single = calls.map((each, index) => {
          const verdict = judge(session.rules, state, [callOf(each)], options)[0]!
          state = evolve(session.rules, state, { type: "judged", calls: [verdict] })
          if (verdict.allowed)
            state = evolve(session.rules, state, { type: "admitted", stepId: `sibling-${index}`, ...callOf(each) })
          return verdict
        })
        expect(together).toEqual(single)
      }),
      parameters(500),
    )
  })
})

describe("the state of a session", () => {
  it("is JSON, and as large after 10,000 steps as after 100", () => {
    const session = new Session({
      session: {
        phases: [
          { name: "begin", initial: true },
          { name: "end", terminal: true },
        ],
        transitions: { begin: ["end"], end: ["begin"] },
        session_limits: {
          max_steps: 1_000_000,
          max_tool_calls: 1_000_000,
          max_calls_per_tool: { check: 1_000_000 },
          max_cost_per_session: 1_000_000,
          loop_detection: { window: 20, threshold: 5 },
          circuit_breaker: { consecutive_blocks: 100_000, consecutive_errors: 100_000 },
        },
      },
      tools: [
        { tool: "check", side_effect: "read", estimate: 1, transitions: { advances_to: "end" } },
        { tool: "draft", side_effect: "read", estimate: 1, transitions: { advances_to: "begin" } },
        {
          tool: "send",
          side_effect: "write",
          estimate: 1,
          forbids_after: ["undo"],
          preconditions: [{ requires_prior_tool: "check", with_output: [{ path: "$.a", equals: "never" }] }],
        },
      ],
      defaultCost: null,
    })
    const options = { unmatched: "allow", checkpoints: "hold" } as const
    const sizes: Array<number> = []
    for (let index = 0; index < 10_000; index++) {
      const tool = index % 2 === 0 ? "check" : "draft"
      const args = { a: "x".repeat(500), b: index % 300 }
      session.history.length = 0
      session.happens({ what: "answer", calls: [{ tool, args, estimate: undefined }], admit: "all" }, options)
      session.happens(
        { what: "end", as: "committed", pick: index, output: args, actual: undefined, threw: false },
        options,
      )
      sizes.push(JSON.stringify(session.state).length)
    }
    expect(JSON.parse(JSON.stringify(session.state))).toEqual(session.state)
    expect(session.state).toMatchObject({ committedSteps: 10_000, unresolved: [], phase: "begin" })
    const early = Math.max(...sizes.slice(50, 100))
    // Counters have grown by a few digits.
    expect(Math.max(...sizes.slice(100))).toBeLessThan(early + 40)
    expect(early).toBeLessThan(1500)
  })
})
