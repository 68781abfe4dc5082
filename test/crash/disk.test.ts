/** A disk that fails under racing processes takes nothing back that was acknowledged, and all go on when it is whole (I7). */
import { expect, it } from "vitest"
import { type DiskKind, diskKinds, diskRounds } from "./diskRounds.ts"

const seed = Number(process.env.HANDRAIL_CRASH_SEED ?? Date.now() % 1_000_000)
const { possible, missing } = diskKinds()
const withPostgres = process.env.HANDRAIL_TEST_POSTGRES !== undefined

const cases: ReadonlyArray<readonly [what: string, kind: DiskKind]> = [
  ["a filesystem that runs full", "full"],
  ["writes that fail", "io"],
  ["a database server's filesystem that runs full", "server"],
]
for (const [what, kind] of cases)
  it(`${what}: typed refusals, then they go on (I7), seed ${seed}`, async (context) => {
    if (!possible.includes(kind)) context.skip(missing.join("; "))
    if (kind === "server" && !withPostgres) context.skip("HANDRAIL_TEST_STORES=sqlite leaves Postgres out")
    const summary = await diskRounds({ kinds: [kind], seed, rounds: 1, blows: 2, until: Number.POSITIVE_INFINITY })
    expect(summary.problems).toEqual([])
    expect(summary.acknowledged).toBeGreaterThan(50)
    expect(summary.checked).toBeGreaterThan(10)
  }, 180_000)
