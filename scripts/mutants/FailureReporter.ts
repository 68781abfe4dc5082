/**
 * Writes how a run of vitest ended to the file that HANDRAIL_MUTANT_REPORT names.
 *
 * vitest's own JSON gives a failure as the text of its stack, in which a test that hung can't be told from one that failed.
 */
import { writeFileSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"
import type { Report } from "./judge.ts"

export default class FailureReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<{ readonly message: string }>): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()])
    const report: Report = {
      passed: tests.filter((test) => test.result().state === "passed").length,
      failures: tests.flatMap((test) =>
        (test.result().errors ?? []).map(({ name, message }) => ({ test: test.fullName, name: name ?? "", message })),
      ),
      outside: [...suites.flatMap((suite) => suite.errors()), ...unhandled].map(({ message }) => message),
    }
    const file = process.env.HANDRAIL_MUTANT_REPORT
    if (file !== undefined) writeFileSync(file, JSON.stringify(report))
  }
}
