/** A process that was stopped for longer than its leases finds itself overtaken, and goes on; nobody acts twice (I1, I4, I5). */
import { expect, it } from "vitest"
import { freezeRounds } from "./freezeRounds.ts"
import { sqliteStores } from "./stores.ts"

const seed = Number(process.env.HANDRAIL_CRASH_SEED ?? Date.now() % 1_000_000)

it(`what processes saw that were frozen past every lease is linearizable (I1, I2, I4, I7), seed ${seed}`, async () => {
  const until = Number.POSITIVE_INFINITY
  const summary = await freezeRounds({ stores: sqliteStores(), seed, rounds: 1, freezes: 3, until })
  expect(summary.problems).toEqual([])
  expect(summary.done.freezes).toBeGreaterThanOrEqual(3)
  expect(summary.checked).toBeGreaterThan(20)
  expect(summary.conflicts).toBeGreaterThan(0)
}, 180_000)
