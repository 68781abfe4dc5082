/** The search itself: against an oracle that tries every order, on a lock and on a register. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkLinearizable, type Model, type Operation } from "../../../src/testing/checkers/linearizable.ts"
import { parameters } from "../../properties/parameters.ts"

interface Asked {
  readonly op: "take" | "release"
  readonly who: string
  /** Undefined: no answer. */
  readonly got: boolean | undefined
}
const lock: Model<string, Asked> = {
  init: "",
  key: (owner) => owner,
  step: (owner, { op, who, got }) => {
    const legal = op === "take" ? owner === "" : owner === who
    if (got !== undefined && got !== legal) return []
    return [legal ? (op === "take" ? who : "") : owner]
  },
}
const op = (who: string, name: Asked["op"], got: boolean | undefined, call: number, end: number): Operation<Asked> => ({
  process: who,
  action: { op: name, who, got },
  call,
  return: end,
})
const never = Number.POSITIVE_INFINITY

describe("a lock", () => {
  it("takes that overlap have one winner, in either order", () => {
    const history = [
      op("a", "take", true, 0, 10),
      op("b", "take", false, 2, 8),
      op("a", "release", true, 11, 12),
      op("b", "take", true, 13, 14),
    ]
    expect(checkLinearizable(lock, history)).toMatchObject({ _tag: "linearizable" })
  })
  it("two winners are one too many, and the shortest prefix says which", () => {
    const history = [
      op("a", "take", true, 0, 10),
      op("b", "take", true, 2, 8),
      op("a", "release", true, 11, 12),
      op("c", "take", false, 13, 14),
    ]
    const verdict = checkLinearizable(lock, history)
    expect(verdict).toMatchObject({ _tag: "notLinearizable", last: history[0], explained: [{ process: "b" }] })
    expect(verdict._tag === "notLinearizable" && verdict.prefix).toHaveLength(2)
  })
  it("a stale read is found: told held after the release had returned", () => {
    const history = [op("a", "take", true, 0, 1), op("a", "release", true, 2, 3), op("b", "take", false, 4, 5)]
    expect(checkLinearizable(lock, history)).toMatchObject({ _tag: "notLinearizable", last: history[2], state: "" })
  })
  it("an operation without an answer may have happened, late or never", () => {
    const lost = op("a", "take", undefined, 0, never)
    expect(checkLinearizable(lock, [lost, op("b", "take", false, 4, 5)])._tag).toBe("linearizable")
    expect(checkLinearizable(lock, [lost, op("b", "take", true, 4, 5)])._tag).toBe("linearizable")
    // Late: after b had it and gave it back.
    const late = [op("b", "take", true, 1, 2), op("b", "release", true, 3, 4), op("c", "take", false, 5, 6)]
    expect(checkLinearizable(lock, [lost, ...late])._tag).toBe("linearizable")
    // But not before it was called, and only once.
    expect(checkLinearizable(lock, [op("b", "take", false, 0, 1), { ...lost, call: 2 }])._tag).toBe("notLinearizable")
    expect(checkLinearizable(lock, [lost, op("a", "release", true, 5, 6), op("a", "release", true, 7, 8)])._tag).toBe(
      "notLinearizable",
    )
  })
  it("a search that is cut off says so", () => {
    const crowd = Array.from({ length: 12 }, (_, i) => op(`p${i}`, "take", i >= 10, 0, 100))
    expect(checkLinearizable(lock, crowd, 50)).toMatchObject({ _tag: "budgetExceeded" })
    expect(checkLinearizable(lock, crowd)._tag).toBe("notLinearizable")
  })
  it("some hundred operations of a few processes take a few thousand configurations", () => {
    const history = Array.from({ length: 900 }, (_, i) => {
      const who = `p${Math.floor(i / 2) % 3}`
      return op(who, i % 2 === 0 ? "take" : "release", true, 10 * i - 9, 10 * i + 9)
    })
    const verdict = checkLinearizable(lock, history)
    expect(verdict._tag).toBe("linearizable")
    expect(verdict.visited).toBeLessThan(5000)
  })
})

it("what a model does by itself may come in between, but not after its time", () => {
  /** A lease that may run out from 50 on. */
  const lease: Model<string, Asked> = {
    ...lock,
    internal: (owner, latest) => (owner !== "" && latest >= 50 ? [""] : []),
  }
  const second = (at: number) => [op("a", "take", true, 0, 1), op("b", "take", true, at, at + 5)]
  expect(checkLinearizable(lease, second(60))._tag).toBe("linearizable")
  expect(checkLinearizable(lease, second(46))._tag).toBe("linearizable")
  expect(checkLinearizable(lease, second(40))._tag).toBe("notLinearizable")
})

/** Every order of every subset that holds all answered operations. */
const oracle = (history: ReadonlyArray<Operation<Asked>>): boolean => {
  const search = (owner: string, left: ReadonlyArray<Operation<Asked>>): boolean => {
    if (left.every((one) => one.return === never)) return true
    return left.some((one) => {
      if (left.some((other) => other.return < one.call)) return false
      const next = lock.step(owner, one.action)[0]
      return (
        next !== undefined &&
        search(
          next,
          left.filter((other) => other !== one),
        )
      )
    })
  }
  return search("", history)
}

it("agrees with an oracle that tries every order", () => {
  const operation = fc
    .record({
      who: fc.constantFrom("a", "b", "c"),
      name: fc.constantFrom<Asked["op"]>("take", "release"),
      got: fc.boolean(),
      call: fc.integer({ min: 0, max: 20 }),
      length: fc.integer({ min: 0, max: 12 }),
      lost: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ who, name, got, call, length, lost }) =>
      lost === 0 ? op(who, name, undefined, call, never) : op(who, name, got, call, call + length),
    )
  let legal = 0
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), (history) => {
      const expected = oracle(history)
      legal += expected ? 1 : 0
      expect(checkLinearizable(lock, history)._tag).toBe(expected ? "linearizable" : "notLinearizable")
    }),
    parameters(600),
  )
  expect(legal).toBeGreaterThan(20)
})
