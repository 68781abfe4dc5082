/** The simulator can fail: each planted mistake is found within a few hundred seeds, and by a rule that names it. */
import { describe, expect, test } from "vitest"
import { shrink } from "../../../src/testing/simulation/shrink.ts"
import { sweep } from "../../../src/testing/simulation/sweep.ts"
import { planted } from "./planted.ts"

/** The hardest of them needs about a third of it. */
const seeds = 400

describe("a mistake is found", () => {
  test.each(planted)("$mistake", async ({ options, rules, mistake }) => {
    const { runs, failure } = await sweep({ ...options, from: 1, count: seeds })
    expect(failure, `${seeds} seeds did not show that ${mistake}`).not.toBeNull()
    expect(failure?.violation?.rule).toMatch(rules)
    console.log(`found after ${runs} runs, by ${failure?.violation?.rule}: ${failure?.violation?.detail.slice(0, 160)}`)
  })
})

test("a failing run is made smaller, and fails in the same way when it is made again", async () => {
  const [lastWins] = planted
  if (lastWins === undefined) throw new Error("nothing is planted")
  const { failure } = await sweep({ ...lastWins.options, from: 1, count: seeds })
  if (failure === null) throw new Error("nothing was found")
  const shrunk = await shrink({ ...lastWins.options, seed: failure.seed }, { runs: 150 })
  expect(shrunk?.result.violation?.rule).toBe(failure.violation?.rule)
  expect(shrunk?.limits.commands).toBeLessThanOrEqual(failure.swarm.commands)
  expect(shrunk?.limits.nodes).toBeLessThanOrEqual(2)
  if (shrunk === undefined) return
  const again = await shrink(shrunk.options, { runs: 1 })
  expect(again?.result.digest).toBe(shrunk.result.digest)
})
