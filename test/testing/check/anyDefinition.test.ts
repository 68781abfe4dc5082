/** Whatever the definition: the check ends, throws nothing, finds nothing broken, and its histories hold what they claim. */
import fc from "fast-check"
import { expect, test } from "vitest"
import { artifactOf } from "../../../src/definition/index.ts"
import { checkArtifact } from "../../../src/testing/check/checkWorkflow.ts"
import { definitions } from "../../../src/testing/model/definitions.ts"
import { parameters } from "../../properties/parameters.ts"

test("no definition makes the rules break an invariant (I1 to I6, I10, I11), and every finding has its words and history", () => {
  fc.assert(
    fc.property(definitions, fc.nat(), (definition, seed) => {
      const report = checkArtifact(artifactOf(definition), { runs: 40, seed, commands: 60 })
      expect(report.violations).toEqual([])
      for (const { id, text, runs, history, kind } of report.findings) {
        expect(text, id).toMatch(/^\S.*[.]$/)
        expect(text, id).not.toMatch(/undefined|null|NaN|\[object/)
        if (runs === 0) expect(["never", "unused", "incomplete"]).toContain(kind)
        else expect(history[0]?.text, id).toMatch(/creates the workflow$/)
        for (const line of history) expect(line.text, id).not.toMatch(/undefined|null|NaN|\[object|\b[sht]\d+\.\d/)
        expect(
          history.map(({ at }) => at),
          id,
        ).toEqual(history.map(({ at }) => at).toSorted((a, b) => a - b))
      }
    }),
    parameters(60),
  )
}, 120_000)
