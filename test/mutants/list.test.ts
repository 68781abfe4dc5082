/** The list of mutants fits the source as it is: `npm run mutants` would break what it says that it breaks. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { mutants } from "../../scripts/mutants/list/index.ts"
import { applied } from "../../scripts/mutants/Mutant.ts"
import { root } from "../house/package.ts"

const read = (file: string): string => readFileSync(join(root, file), "utf8")

test("each mutant's snippets stand in the source exactly once", () => {
  const problems = mutants.flatMap((mutant) => {
    const result = applied(mutant, read)
    return "problem" in result ? [`${mutant.name}: ${result.problem}`] : []
  })
  expect(problems).toEqual([])
})

test("each mutant has a name of its own, and tests that exist", () => {
  const names = mutants.map((mutant) => mutant.name)
  expect(names.filter((name, index) => names.indexOf(name) !== index || !/^[a-z0-9-]+$/.test(name))).toEqual([])
  for (const { name, checks } of mutants) {
    expect(checks.length, name).toBeGreaterThan(0)
    expect(checks.filter((check) => !existsSync(join(root, check.file))).map((check) => check.file)).toEqual([])
  }
})
