/** What a blocked call says: the code, the place, and a sentence that is short, safe to keep and of use. */
import { describe, expect, it } from "vitest"
import { compileContracts, evolve, initialContractState, judge, narrow } from "../../../src/machines/contracts/index.ts"
import type { ToolContract } from "../../../src/machines/definition.ts"

const options = { unmatched: "block", checkpoints: "hold" } as const

const contract = (tool: string, rest: ToolContract["rest"] = {}): ToolContract => ({
  tool,
  sideEffect: "write",
  evidenceClass: "ack_only",
  resources: [],
  estimate: 500_000,
  timeoutMs: null,
  rest,
})

const head = { schema_version: "1.0", agent: "agent" }

const failuresOf = (rest: ToolContract["rest"], args: unknown) => {
  const rules = compileContracts(null, [contract("send", rest)])
  const [verdict] = judge(rules, initialContractState(rules), [{ tool: "send", arguments: args }], options)
  return verdict?.allowed === false ? verdict.failures : []
}
const detailsOf = (rest: ToolContract["rest"], args: unknown) => failuresOf(rest, args).map(({ detail }) => detail)

describe("a test of arguments", () => {
  const test = (condition: { readonly [operator: string]: ToolContract["rest"][string] }) => ({
    argument_value_invariants: [{ path: "$.value", ...condition }],
  })

  it.each<[condition: { readonly [operator: string]: ToolContract["rest"][string] }, passes: unknown, fails: unknown]>([
    [{ equals: { a: [1, { b: null }] } }, { a: [1, { b: null }] }, { a: [1, { b: null, c: 1 }] }],
    [{ equals: null }, null, 0],
    [{ equals: 1 }, 1, "1"],
    [{ one_of: ["a", { x: 1 }] }, { x: 1 }, { x: 1, y: 2 }],
    [{ contains: { x: [1] } }, [0, { x: [1] }], [{ x: [1, 2] }]],
    [{ contains: "ell" }, "hello", "help"],
    [{ contains: 1 }, [1], "1"],
    [{ regex: "b+" }, "abbc", "ac"],
    [{ regex: "^1$" }, "1", 1],
    [{ gte: 2 }, 2, "2"],
    [{ lte: 2 }, -1, 2.1],
    [{ exists: true }, null, undefined],
    [{ exists: false }, undefined, null],
    [{ type: "integer" }, 2, 2.5],
    [{ type: "number" }, 2.5, "2.5"],
    [{ type: "object" }, {}, []],
    [{ type: "object" }, { a: 1 }, null],
    [{ type: "array" }, [], {}],
    [{ type: "null" }, null, undefined],
    [{ length_gte: 2 }, "😀", "a"],
    [{ length_lte: 2 }, [1, 2], { length: 1 }],
  ])("%j passes %j and fails %j", (condition, passes, fails) => {
    expect(detailsOf(test(condition), { value: passes })).toEqual([])
    expect(failuresOf(test(condition), { value: fails })).toMatchObject([
      { tool: "send", code: "invariant_failed", path: "$.value", operator: Object.keys(condition)[0] },
    ])
  })

  it("fails for each operator, `exists` and `type` first, and says what must be", () => {
    expect(detailsOf(test({ regex: "^a", length_lte: 3, type: "string", exists: true }), {})).toEqual([
      "$.value is nothing, but it must be there.",
      "$.value is nothing, but it must be of the type string.",
      "$.value is nothing, but it must be text that matches /^a/.",
      "$.value is nothing, but it must be text or a list of a length of at most 3.",
    ])
  })

  it("shows no more than 100 characters of a value, and of a list or an object only its size", () => {
    const secret = "s3cret".repeat(100_000)
    for (const value of [secret, { secret }, [secret], `${"x".repeat(98)}😀😀`, `${"x".repeat(99)}\u0000`, "\ud800"]) {
      const [detail = ""] = detailsOf(test({ one_of: [secret, "b"] }), { value })
      expect(detail.length).toBeLessThan(300)
      expect(detail).not.toMatch(/\p{Cs}/u)
      expect(detail).not.toContain("\u0000")
    }
  })

  it("reads own members only", () => {
    const exists = (path: string) => ({ argument_value_invariants: [{ path, exists: true }] })
    for (const path of ["$.constructor", "$.__proto__", "$.list.length", "$.text.length", "$.list[1]"])
      expect(detailsOf(exists(path), { list: [1], text: "a" }), path).toHaveLength(1)
    expect(detailsOf(exists("$.list[0]"), { list: [1] })).toEqual([])
  })
})

describe("a blocked call", () => {
  it("lists all its failures, in the order of the rules", () => {
    const rules = compileContracts(
      {
        ...head,
        phases: [
          { name: "begin", initial: true },
          { name: "end", terminal: true },
        ],
        transitions: { begin: ["begin"] },
        session_limits: {
          max_steps: 0,
          max_tool_calls: 0,
          max_calls_per_tool: { send: 0 },
          max_cost_per_session: 0.25,
          loop_detection: { window: 1, threshold: 1 },
        },
      },
      [
        contract("send", {
          gate: "block",
          transitions: { valid_in_phases: ["end"], advances_to: "end" },
          preconditions: [{ requires_prior_tool: "check" }],
          argument_value_invariants: [{ path: "$.to", type: "string" }],
          checkpoint: { timeout: "30m" },
        }),
        contract("check"),
      ],
    )
    const asked = { unmatched: "block", checkpoints: "unavailable" } as const
    const state = initialContractState(rules)
    const [verdict] = judge(rules, state, [{ tool: "send", arguments: {} }], asked)
    const codes = [
      "gate_blocked gate",
      "phase_blocked valid_in_phases",
      "transition_not_allowed advances_to",
      "precondition_failed requires_prior_tool",
      "invariant_failed type",
      "session_limit_exceeded max_steps",
      "session_limit_exceeded max_tool_calls",
      "session_limit_exceeded max_calls_per_tool",
      "session_limit_exceeded max_cost_per_session",
      "loop_detected loop_detection",
      "approval_unavailable checkpoint",
    ]
    const failures = verdict?.allowed === false ? verdict.failures : []
    expect(failures.map(({ code, operator }) => `${code} ${operator}`)).toEqual(codes)
    expect(narrow(rules, state, ["send"], asked).get("send")).toEqual(
      failures.filter(({ code }) => code !== "invariant_failed"),
    )
  })

  it("says which output it waits for", () => {
    const rules = compileContracts(null, [
      contract("check"),
      contract("send", {
        preconditions: [{ requires_prior_tool: "check", with_output: [{ path: "$.passed", equals: true }] }],
      }),
    ])
    let state = initialContractState(rules)
    const detail = () => narrow(rules, state, ["send"], options).get("send")?.[0].detail
    expect(detail()).toBe("Call check first, and wait for its result.")
    for (const [stepId, passed] of [
      ["1", false],
      ["2", true],
    ] as const) {
      state = evolve(rules, state, { type: "admitted", stepId, tool: "check" })
      state = evolve(rules, state, { type: "committed", stepId, output: { passed } })
      if (!passed)
        expect(detail()).toBe(
          "Call check first, and wait for its result: $.passed of its output must equal true, and in the latest it did not.",
        )
    }
    expect(detail()).toBeUndefined()
  })
})

describe("a loop", () => {
  const rules = compileContracts({ ...head, session_limits: { loop_detection: { window: 4, threshold: 2 } } }, [
    contract("send"),
  ])
  const isLoop = (first: unknown, second: unknown) => {
    const calls = [first, second].map((args) => ({ tool: "send", arguments: args }))
    return judge(rules, initialContractState(rules), calls, options)[1]?.allowed === false
  }

  it("is seen whatever the order of keys, and however large the arguments", () => {
    const large = "x".repeat(100_000)
    expect(isLoop({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 })).toBe(true)
    expect(isLoop({ large }, { large })).toBe(true)
    expect(isLoop({ large: `${large}a` }, { large: `${large}b` })).toBe(false)
    expect(isLoop({ a: 1 }, { a: "1" })).toBe(false)
    expect(isLoop(undefined, null)).toBe(false)
  })

  it("is no reason to fail for arguments that are no JSON", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    expect(isLoop(cyclic, cyclic)).toBe(true)
    expect(isLoop({ big: 1n }, { small: 1 })).toBe(false)
  })
})

describe("contracts that are no contracts", () => {
  it.each([
    { checkpont: true },
    { argument_value_invariants: [{ path: "to", exists: true }] },
    { argument_value_invariants: [{ path: "$.to", regex: "(" }] },
    { argument_value_invariants: [{ path: "$.to", matches: "a" }] },
    { gate: "maybe" },
  ])("%j is refused, and not ignored", (rest) => {
    expect(() => compileContracts(null, [contract("send", rest)])).toThrow()
  })

  it("nor is a session.yaml with a rule that nobody knows", () => {
    expect(() => compileContracts({ ...head, session_limits: { max_everything: 1 } }, [])).toThrow()
    expect(() => compileContracts({ ...head, risk_defaults: { silly: "block" } }, [])).toThrow()
  })
})

it("rules that never look back need no state", () => {
  const send = contract("send", { gate: "allow", argument_value_invariants: [{ path: "$.to", exists: true }] })
  expect(compileContracts({ ...head, risk_defaults: { admin: "block" } }, [send]).isStateless).toBe(true)
  const others: ReadonlyArray<ToolContract["rest"]> = [
    { forbids_after: ["send"] },
    { preconditions: [{ requires_prior_tool: "send" }] },
  ]
  for (const rest of others) expect(compileContracts(head, [send, contract("more", rest)]).isStateless).toBe(false)
  const sessions = [
    { max_steps: 1 },
    { max_calls_per_tool: { send: 1 } },
    { max_cost_per_session: 1 },
    { loop_detection: { window: 2, threshold: 2 } },
    { circuit_breaker: { consecutive_errors: 1 } },
  ]
  for (const limits of sessions)
    expect(compileContracts({ ...head, session_limits: limits }, [send]).isStateless, JSON.stringify(limits)).toBe(
      false,
    )
})
