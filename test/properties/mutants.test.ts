/**
 * The harness can fail: for each deliberate fault of a system the property finds a sequence that shows it.
 *
 * A property that a broken system passes is worth nothing; this is the mutation test of the harness itself.
 */
import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { intentions } from "../../src/testing/model/commands.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { faults } from "../../src/testing/model/faults.ts"
import { run } from "../../src/testing/model/harness.ts"
import { modelSut } from "../../src/testing/model/modelSut.ts"

describe("a system with one rule broken", () => {
  it.each(faults)("is caught when %s", { timeout: 300_000 }, async (fault) => {
    const broken = modelSut(fault, 3000)
    const details = await fc.check(
      fc.asyncProperty(definitions, intentions, async (definition, sequence) => {
        await run(broken, definition, sequence)
      }),
      { numRuns: broken.runs, seed: 1, endOnFailure: true },
    )
    assert.ok(details.failed, `${details.numRuns} runs did not notice that ${fault}`)
    console.log(`${fault}: caught after ${details.numRuns} sequences`)
  })
})
