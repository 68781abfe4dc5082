/** A process that is killed at any moment has taken nothing back that it had said (I1 to I11, above all I7). */
import { expect, it } from "vitest"
import { crashRounds } from "./rounds.ts"

const seed = Number(process.env.HANDRAIL_CRASH_SEED ?? Date.now() % 1_000_000)

it(`loses nothing that it acknowledged when it is killed, and goes on from there (I7, I8, I9), seed ${seed}`, async () => {
  const summary = await crashRounds({ seed, rounds: 12, roundsPerFile: 6, lines: 500 })
  expect(summary.problems).toEqual([])
  expect(summary.rounds).toBe(12)
  expect(summary.kills).toBe(12)
  expect(summary.acknowledged).toBeGreaterThan(100)
}, 180_000)
