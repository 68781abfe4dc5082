/** Writes how many tests passed and failed to the file that HANDRAIL_COUNTS names, for scripts/test.mjs to add up. */
import { writeFileSync } from "node:fs"

export default class CountsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1
      // A file that does not load, or a hook that throws outside a test, has failed even if no test in it has.
      if (module.errors().length > 0) counts.failed += 1
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed += 1
    }
    const file = process.env.HANDRAIL_COUNTS
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts))
  }
}
