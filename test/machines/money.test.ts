/** Money is decimal outside and integer micro-units inside; nothing is free because it was small (semantics.md §1, §7). */
import { Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { noLimits } from "../../src/machines/definition.ts"
import { fromMicros, Money, toMicros } from "../../src/machines/ids.ts"
import { openAccount } from "../../src/machines/ledger.ts"
import { ledgerView } from "../../src/machines/views.ts"

describe("an amount", () => {
  it.each([
    [0, 0],
    [1, 1_000_000],
    [0.07, 70_000],
    [0.29, 290_000],
    [1.1, 1_100_000],
    [0.000001, 1],
    [0.0000001, 1],
    [0.0000011, 2],
    [5e-324, 1],
    [1e9, 1e15],
    [123_456.789012, 123_456_789_012],
    [0.1 + 0.2, 300_000],
  ])("of %d is %d micro-units", (amount, micros) => {
    expect(toMicros(amount)).toBe(micros)
  })

  it("is never rounded down, and never up by a whole unit", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (amount) => {
        const micros = toMicros(amount)
        expect(Number.isSafeInteger(micros)).toBe(true)
        // Half a unit in the last place of the product is the decimal's own error, not money.
        expect(micros).toBeGreaterThanOrEqual(amount * 1e6 * (1 - 4 * Number.EPSILON))
        expect(micros).toBeLessThan(amount * 1e6 + 1 + 1e-3)
        if (amount > 0) expect(micros).toBeGreaterThan(0)
      }),
    )
  })

  it("of at most six places comes back as it was written", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (micros) => {
        expect(toMicros(fromMicros(micros))).toBe(micros)
        expect(toMicros(Number((micros / 1e6).toFixed(6)))).toBe(micros)
      }),
    )
  })

  it.each([-0.01, Number.NaN, Number.POSITIVE_INFINITY, 1e9 + 1, "1"])("that is %s is none", (amount) => {
    expect(Schema.decodeUnknownResult(Money)(amount)._tag).toBe("Failure")
  })
})

it("a view shows money in decimal and counts as they are", () => {
  const account = { ...openAccount(), costUsed: 70_001, costReserved: 1, stepsUsed: 3, tokensUsed: 70_001 }
  const view = ledgerView(account, { ...noLimits, maxCost: 25_000_000, maxTokens: 100_000 })
  expect(view.cost).toEqual({ used: 0.070001, reserved: 0.000001, max: 25, remaining: 24.929998 })
  expect(view.tokens).toEqual({ used: 70_001, reserved: 0, max: 100_000, remaining: 29_999 })
  expect(view.steps).toEqual({ used: 3, reserved: 0, max: null, remaining: null })
})
