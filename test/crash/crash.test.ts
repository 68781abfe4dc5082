/** A process that is killed at any moment has taken nothing back that it had said (I1 to I11, above all I7). */
import { expect, it } from "vitest"
import { crashAtPoints } from "./pointRounds.ts"
import { crashRounds } from "./rounds.ts"
import { sqliteStores } from "./stores.ts"

const seed = Number(process.env.HANDRAIL_CRASH_SEED ?? Date.now() % 1_000_000)

it(`loses nothing that it acknowledged when it is killed, and goes on from there (I7, I8, I9), seed ${seed}`, async () => {
  const summary = await crashRounds({ stores: sqliteStores(), seed, rounds: 12, roundsPerFile: 6, lines: 500 })
  expect(summary.problems).toEqual([])
  expect(summary.rounds).toBe(12)
  expect(summary.kills).toBe(12)
  expect(summary.acknowledged).toBeGreaterThan(100)
}, 180_000)

it(`loses nothing when it is killed at a named point of the write path (I7, I8, I9), seed ${seed}`, async () => {
  const summary = await crashAtPoints({ stores: sqliteStores(), seed, points: 3 })
  expect(summary.problems).toEqual([])
  expect(summary.missed).toEqual([])
  expect(summary.killedAt.size).toBe(3)
  // Opening, writing, folding and snapshots have points of their own; were they not found, nobody would be killed there.
  for (const point of [
    "after pragma journal_mode",
    "before commit of migration",
    "after insert into journal",
    "after commit of append",
    "before delete from pending",
    "after insert into snapshots",
    "after an append, before its answers",
  ])
    expect(summary.known).toContain(point)
}, 180_000)
