/** Every clause of the conformance kit as a test of its own, on one store. */
import { describe, test } from "vitest"
import { conformanceClauses, type StoreUnderTest } from "../../src/testing/index.ts"

const longestMs = 60_000

export const keepsEveryClause = (store: StoreUnderTest): void => {
  describe(`Journal (${store.name})`, () => {
    for (const clause of conformanceClauses)
      test(`${clause.id}: ${clause.title}`, { timeout: longestMs }, () => clause.run(store))
  })
}
