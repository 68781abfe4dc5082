/**
 * Seeds that found a bug, each with what it was. The bug is explained by a small test of its own where one is named; the seed
 * makes its interleaving only as long as the simulator draws as it did then.
 */
import { expect, test } from "vitest"
import { simulate } from "../../../src/testing/simulation/simulate.ts"

const found: ReadonlyArray<readonly [seed: number, what: string]> = [
  // test/runtime/behind.test.ts
  [38, "a claim on a node that was behind the store was answered as a bug"],
  [62, "an operator's command on a node that was behind the store was answered as a bug"],
  [213, "the key of a command that had changed nothing elsewhere was unknown where the workflow was born"],
  [240, "a reader never heard of an event whose write was not answered"],
]

test.each(found)("seed %i: %s", async (seed) => {
  const { violation, trace } = await simulate({ seed })
  expect(violation, trace.join("\n")).toBeNull()
})
