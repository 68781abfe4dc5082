/** Only a test that ran and failed has killed a mutant. */
import { expect, test } from "vitest"
import { judge, type Report } from "../../scripts/mutants/judge.ts"
import { applied, inFile } from "../../scripts/mutants/Mutant.ts"

const report = (more: Partial<Report>): Report => ({ passed: 3, failures: [], outside: [], ...more })
const failed = { test: "a claim is single", name: "AssertionError", message: "expected 1 to be 2\nmore" }
const hung = { test: "it ends", name: "Error", message: "Test timed out in 10000ms.\nIf this is" }

test("a failed test kills, also beside one that hung", () => {
  const red = { _tag: "red", by: "a claim is single", why: "expected 1 to be 2" }
  expect(judge(report({ failures: [failed] }), 1)).toEqual(red)
  expect(judge(report({ failures: [hung, failed] }), 1)).toEqual(red)
})

test("nothing else does", () => {
  expect(judge(report({}), 0)).toEqual({ _tag: "green" })
  expect(judge(report({ failures: [hung] }), 1)._tag).toBe("timed out")
  expect(judge(report({ failures: [{ ...failed, name: "ReferenceError" }] }), 1)._tag).toBe("broken")
  expect(judge(report({ outside: ["Transform failed"] }), 1)._tag).toBe("broken")
  expect(judge(report({ passed: 0 }), 0)._tag).toBe("broken")
  expect(judge(report({}), 1)._tag).toBe("broken")
  expect(judge(undefined, 1)._tag).toBe("broken")
})

test("an edit is made where its snippet stands once, and refused where it does not", () => {
  const edit = (find: string, replace: string) =>
    applied(
      inFile("a.ts")({ name: "m", breaks: "", rule: "", checks: [], find, replace }),
      () => "if (a) b($&)\nif (c)",
    )
  expect(edit("if (a)", "if ($1)")).toEqual({ texts: new Map([["a.ts", "if ($1) b($&)\nif (c)"]]) })
  for (const find of ["if", "gone"]) expect(edit(find, "x")).toHaveProperty("problem")
  expect(edit("if (a)", "if (a)")).toHaveProperty("problem")
})
