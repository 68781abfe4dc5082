/**
 * What a run of vitest says about a mutant.
 *
 * Only a test that was run and failed has noticed the broken guard. A file that does not load, a runner that dies or a test
 * that merely hangs proves nothing, and is told apart.
 */

/** What FailureReporter writes. */
export interface Report {
  readonly passed: number
  /** Failed tests; one that failed in several ways is here several times. */
  readonly failures: ReadonlyArray<{ readonly test: string; readonly name: string; readonly message: string }>
  /** Messages of files that did not load, and of errors that no test was waiting for. */
  readonly outside: ReadonlyArray<string>
}

/** `by` is the test, `why` the first line of its failure. */
export type Judgement =
  | { readonly _tag: "green" }
  | { readonly _tag: "red"; readonly by: string; readonly why: string }
  | { readonly _tag: "timed out"; readonly by: string; readonly why: string }
  | { readonly _tag: "broken"; readonly why: string }

/** vitest has no name for it: only its words tell a test that hung from one that failed. */
const hung = /^(Test|Hook) timed out in /
/** The mutant is no program any more. */
const unsound: ReadonlySet<string> = new Set(["SyntaxError", "ReferenceError"])

export const judge = (report: Report | undefined, exitCode: number | null): Judgement => {
  if (report === undefined) return { _tag: "broken", why: `vitest ended with ${exitCode} and no report` }
  const { passed, failures, outside } = report
  const timeout = failures.find((one) => hung.test(one.message))
  const failure = failures.find((one) => !hung.test(one.message) && !unsound.has(one.name))
  if (failure !== undefined) return { _tag: "red", by: failure.test, why: firstLine(failure.message) }
  if (timeout !== undefined) return { _tag: "timed out", by: timeout.test, why: firstLine(timeout.message) }
  const other = failures[0]?.message ?? outside[0]
  if (other !== undefined) return { _tag: "broken", why: firstLine(other) }
  if (exitCode !== 0) return { _tag: "broken", why: `vitest ended with ${exitCode}, and no test failed` }
  return passed === 0 ? { _tag: "broken", why: "no test was run" } : { _tag: "green" }
}

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? ""
