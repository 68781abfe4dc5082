/**
 * Every system does what the contract says, command by command, and I1 to I13 hold over what it leaves behind.
 *
 * `HANDRAIL_PROPERTY_RUNS=10` runs ten times as many sequences; `HANDRAIL_PROPERTY_SEED` repeats a seed (and
 * `HANDRAIL_PROPERTY_PATH` fast-check's path to one counterexample).
 */
import fc from "fast-check"
import { describe, it } from "vitest"
import { intentions } from "../../src/testing/model/commands.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { run } from "../../src/testing/model/harness.ts"
import { Statistics } from "../../src/testing/model/statistics.ts"
import { parameters } from "./parameters.ts"
import { suts } from "./suts.ts"

describe.each(suts)("the contract on $name", (factory) => {
  it("answers, refuses and shows what the model does (I1 to I13)", { timeout: 600_000 }, async () => {
    const statistics = new Statistics()
    await fc.assert(
      fc.asyncProperty(definitions, intentions, async (definition, sequence) => {
        await run(factory, definition, sequence, statistics)
      }),
      parameters(factory.runs),
    )
    console.log(`${factory.name}: ${statistics}`)
  })
})
