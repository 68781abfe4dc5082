/**
 * What a run of vitest says about a mutant.
 *
 * Only a test that was run and failed has noticed the broken guard. A file that does not load, a runner that dies or a test
 * that merely hangs proves nothing, and is told apart.
 */

/** The part of vitest's JSON report that is read here. */
export interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

/** `by` is the test, `why` the first line of its failure. */
export type Judgement =
  | { readonly _tag: "green"; readonly tests: number }
  | { readonly _tag: "red"; readonly by: string; readonly why: string }
  | { readonly _tag: "timed out"; readonly by: string; readonly why: string }
  | { readonly _tag: "broken"; readonly why: string }

/** vitest has no code for it: only its words tell a test that hung from one that failed. */
const hung = /^(Error: )?(Test|Hook) timed out in /
/** The mutant is no program any more. */
const unsound = /^(SyntaxError|ReferenceError): /

export const judge = (report: Report | undefined, exitCode: number | null): Judgement => {
  if (report === undefined) return { _tag: "broken", why: `vitest ended with ${exitCode} and no report` }
  const tests = report.testResults.flatMap((file) => file.assertionResults)
  const failures = tests
    .filter((test) => test.status === "failed")
    .map((test) => ({ by: test.fullName, why: firstLine(test.failureMessages[0] ?? "") }))
  const sound = failures.find(({ why }) => !hung.test(why) && !unsound.test(why))
  if (sound !== undefined) return { _tag: "red", ...sound }
  const slow = failures.find(({ why }) => hung.test(why))
  if (slow !== undefined) return { _tag: "timed out", ...slow }
  const [first] = failures
  if (first !== undefined) return { _tag: "broken", why: first.why }
  const unloaded = report.testResults.find((file) => file.status === "failed")
  if (unloaded !== undefined) return { _tag: "broken", why: firstLine(unloaded.message ?? "a test file does not load") }
  if (exitCode !== 0) return { _tag: "broken", why: "the run failed, and no test of it" }
  const passed = tests.filter((test) => test.status === "passed").length
  return passed === 0 ? { _tag: "broken", why: "no test was run" } : { _tag: "green", tests: passed }
}

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? ""
