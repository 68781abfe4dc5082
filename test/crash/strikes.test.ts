/** A database that is struck under load loses nothing, and every node goes on by itself (I7, I8). */
import { expect, it, onTestFinished } from "vitest"
import { postgresUrl } from "../postgres/database.ts"
import { PostgresServer } from "../postgres/PostgresServer.ts"
import { crashAtPoints } from "./pointRounds.ts"
import { postgresRounds } from "./postgresRounds.ts"
import { postgresStores } from "./stores.ts"

const seed = Number(process.env.HANDRAIL_CRASH_SEED ?? Date.now() % 1_000_000)
const until = Number.POSITIVE_INFINITY

it.skipIf(postgresUrl === undefined)(
  `a server that is killed, frozen and cut off under three nodes (I7, I8, I9), seed ${seed}`,
  async () => {
    const server = await PostgresServer.start({ fsync: false })
    onTestFinished(() => server.remove())
    const summary = await postgresRounds({ server, seed, rounds: 1, blows: 3, until })
    expect(summary.problems).toEqual([])
    expect(summary.acknowledged).toBeGreaterThan(50)
    expect(summary.checked).toBeGreaterThan(10)
  },
  180_000,
)

it.skipIf(postgresUrl === undefined)(
  `a node that is killed at a named point of its way to the database (I7, I8, I9), seed ${seed}`,
  async () => {
    const summary = await crashAtPoints({ stores: postgresStores(postgresUrl ?? ""), seed, points: 2 })
    expect(summary.problems).toEqual([])
    expect(summary.missed).toEqual([])
    expect(summary.killedAt.size).toBe(2)
    for (const point of ["after the pipeline is sent", "after an append, before its answers"])
      expect(summary.known).toContain(point)
  },
  180_000,
)
