/**
 * The conformance kit: every clause of the `Journal` port, tried on any implementation of it, and the report by clause.
 *
 * It needs no test framework. Each clause makes a store of its own, so clauses may run in any order, and alone.
 */

import { type Clause, within } from "./Clause.ts"
import { appendClauses } from "./clauses/append.ts"
import { boundClauses } from "./clauses/bounds.ts"
import { deadlineClauses } from "./clauses/deadlines.ts"
import { deliveryClauses } from "./clauses/delivery.ts"
import { durabilityClauses } from "./clauses/durability.ts"
import { existingClauses } from "./clauses/existing.ts"
import { faultClauses } from "./clauses/faults.ts"
import { listingClauses } from "./clauses/listings.ts"
import { lookupClauses } from "./clauses/lookup.ts"
import { readingClauses } from "./clauses/reading.ts"
import { tenantClauses } from "./clauses/tenants.ts"
import { writerClauses } from "./clauses/writers.ts"
import type { StoreUnderTest } from "./StoreUnderTest.ts"

/** All clauses, to be registered one by one with a test framework: `test(clause.title, () => clause.run(store))`. */
export const conformanceClauses: ReadonlyArray<Clause> = [
  ...appendClauses,
  ...existingClauses,
  ...readingClauses,
  ...lookupClauses,
  ...listingClauses,
  ...deadlineClauses,
  ...tenantClauses,
  ...writerClauses,
  ...deliveryClauses,
  ...durabilityClauses,
  ...faultClauses,
  ...boundClauses,
]

export interface ConformanceOptions {
  /** What to try; all clauses by default. */
  readonly clauses?: ReadonlyArray<Clause>
  /** How long one clause may take before it counts as failed. Default 60,000. */
  readonly timeoutMs?: number
  /** Called after each clause. */
  readonly onResult?: (result: ClauseResult) => void
}
export interface ClauseResult {
  readonly clause: Clause
  readonly ok: boolean
  /** Why it does not hold. */
  readonly error?: unknown
  readonly ms: number
}

/** Tries every clause, one after another. It never rejects because of the store: what does not hold is in the report. */
export const conformance = async (
  store: StoreUnderTest,
  { clauses = conformanceClauses, timeoutMs = 60_000, onResult }: ConformanceOptions = {},
): Promise<ReadonlyArray<ClauseResult>> => {
  const report: Array<ClauseResult> = []
  for (const clause of clauses) {
    const started = performance.now()
    const outcome = await within(timeoutMs, clause.id, clause.run(store)).then(
      () => ({ ok: true }),
      (error: unknown) => ({ ok: false, error }),
    )
    const result: ClauseResult = { clause, ...outcome, ms: Math.round(performance.now() - started) }
    report.push(result)
    onResult?.(result)
  }
  return report
}

/** The report as text: a line for each clause; under a failed one what the store does wrong, and how it showed. */
export const formatReport = (report: ReadonlyArray<ClauseResult>): string => {
  const width = Math.max(0, ...report.map(({ clause }) => clause.id.length))
  const lines = report.flatMap(({ clause, ok, error, ms }) => {
    const line = `${ok ? "holds" : "FAILS"}  ${clause.id.padEnd(width)}  ${clause.title} (${ms} ms)`
    return ok
      ? [line]
      : [line, `       it would find: ${clause.detects}`, ...wordsOf(error).map((word) => `       ${word}`)]
  })
  const failed = report.filter(({ ok }) => !ok).length
  return [...lines, `${report.length - failed} of ${report.length} clauses hold`].join("\n")
}

const wordsOf = (error: unknown): ReadonlyArray<string> => {
  if (!(error instanceof Error)) return [String(error)]
  // The port's own errors say what they mean in a member of their own.
  const said = "detail" in error ? `${error.name}: ${String(error.detail)}` : error.message
  const because = error.cause instanceof Error ? [`because: ${error.cause.message}`] : []
  return [...said.split("\n").slice(0, 30), ...because]
}
