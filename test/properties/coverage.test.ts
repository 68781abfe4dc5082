/**
 * The generator reaches what it is meant to: every refusal code of the rules, every state, and commands that succeed
 * about as often as they are refused. A code that is never reached is a hole in the generator, and so in every
 * property.
 */
import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { intentions } from "../../src/testing/model/commands.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { run } from "../../src/testing/model/harness.ts"
import { modelSut } from "../../src/testing/model/modelSut.ts"
import { allStates, ruleCodes, Statistics } from "../../src/testing/model/statistics.ts"

describe("the generated commands", () => {
  it("reach every refusal code and every state, and succeed about half the time", { timeout: 300_000 }, async () => {
    const statistics = new Statistics()
    await fc.assert(
      fc.asyncProperty(definitions, intentions, async (definition, sequence) => {
        await run(modelSut(null, 0), definition, sequence, statistics)
      }),
      { numRuns: 600, seed: 20 },
    )
    console.log(String(statistics))
    assert.deepEqual(
      ruleCodes.filter((code) => !statistics.codes.has(code)),
      [],
      "codes never reached",
    )
    assert.deepEqual(
      [...statistics.codes.keys()].filter((code) => !ruleCodes.some((known) => known === code)),
      [],
    )
    assert.deepEqual(
      allStates.filter((state) => !statistics.states.has(state)),
      [],
      "states never reached",
    )
    assert.ok(statistics.share >= 0.4 && statistics.share <= 0.7, `${statistics.share} of the commands succeed`)
  })
})
