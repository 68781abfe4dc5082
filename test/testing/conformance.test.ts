/** The conformance kit: the memory store keeps every clause, and each store that is wrong on purpose breaks the one that names it. */
import { describe, expect, test } from "vitest"
import { conformance, conformanceClauses, formatReport } from "../../src/testing/conformance/conformance.ts"
import { memoryStore } from "../../src/testing/stores/memory.ts"
import { wrongStores } from "../../src/testing/stores/wrongStores.ts"

describe("a store that is wrong on purpose is failed by the clause that names its fault", () => {
  test.each(wrongStores.map((store) => [store.clause, store.fault, store] as const))(
    "%s: one that %s",
    async (id, _, store) => {
      const clauses = conformanceClauses.filter((clause) => clause.id === id)
      expect(clauses).toHaveLength(1)
      const report = await conformance(store, { clauses, timeoutMs: 10_000 })
      expect(
        report.map(({ ok }) => ok),
        formatReport(report),
      ).toEqual([false])
      expect((report[0]?.error as Error | undefined)?.name, "a demand of the clause, not a mistake in it").toMatch(
        /^(AssertionError|StorageUnavailable)$/,
      )
    },
  )

  test("and there is one for every clause", () => {
    const named = new Set(wrongStores.map((store) => store.clause))
    expect(conformanceClauses.map((clause) => clause.id).filter((id) => !named.has(id))).toEqual([])
  })
})

describe("the report", () => {
  test("of a right store holds throughout", async () => {
    const seen: Array<string> = []
    const report = await conformance(memoryStore(), { onResult: ({ clause }) => seen.push(clause.id) })
    expect(report.filter(({ ok }) => !ok).map(({ clause, error }) => [clause.id, error])).toEqual([])
    expect(seen).toEqual(conformanceClauses.map((clause) => clause.id))
    expect(formatReport(report)).toContain(`${report.length} of ${report.length} clauses hold`)
  })
})

test("every clause has an id of its own, `file.name`", () => {
  const ids = conformanceClauses.map((clause) => clause.id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[a-z]+\.[a-z-]+$/)
})
