/** What goes into the journal of a tool's result and its own report: bounded, and plain JSON. */
import { bounds } from "../../machines/bounds.ts"
import { isDeeperThan } from "../../runtime/decode.ts"
import { limits } from "../limits.ts"
import type { Settlement } from "./Tools.ts"

/** The fields of a receipt, and what was wrong with the report that they were taken from. */
export interface Report {
  readonly fields: { readonly evidence?: unknown; readonly actualCost?: number; readonly actualTokens?: number }
  readonly problem: string | undefined
}

/** A receipt stands in a list of them, which is two levels. */
const evidenceDepth = bounds.jsonDepth - 2
const maxAmount = 1_000_000_000

/**
 * A report that can't be accepted is left out and told to the caller after the receipt: the tool has done its work by then, and
 * a receipt that is refused would leave its step unresolved.
 */
export const reportOf = (result: unknown, settlement: Settlement): Report => {
  const { actualCost, actualTokens } = settlement
  const hasEvidence = Object.hasOwn(settlement, "evidence") && settlement.evidence !== undefined
  const evidence = jsonOf(hasEvidence ? settlement.evidence : result)
  const costIsValid =
    actualCost === undefined || (Number.isFinite(actualCost) && actualCost >= 0 && actualCost <= maxAmount)
  const tokensAreValid = actualTokens === undefined || (Number.isSafeInteger(actualTokens) && actualTokens >= 0)
  const problem = !costIsValid
    ? `actualCost must be an amount of 0 to ${maxAmount}, but it is ${String(actualCost)}`
    : !tokensAreValid
      ? `actualTokens must be a whole number, but it is ${String(actualTokens)}`
      : hasEvidence && evidence === undefined
        ? `evidence must be JSON of at most ${limits.evidenceChars} characters`
        : undefined
  return {
    fields: {
      ...(evidence === undefined || evidence === null ? {} : { evidence }),
      ...(actualCost === undefined || !costIsValid ? {} : { actualCost }),
      ...(actualTokens === undefined || !tokensAreValid ? {} : { actualTokens }),
    },
    problem,
  }
}

/** The value as JSON holds it; undefined where JSON can't, or where it is too large or too deep for the journal. */
const jsonOf = (value: unknown): unknown => {
  try {
    const text: string | undefined = JSON.stringify(value)
    if (text === undefined || text.length > limits.evidenceChars) return undefined
    const copy: unknown = JSON.parse(text)
    return isDeeperThan(copy, evidenceDepth) ? undefined : copy
  } catch {
    return undefined
  }
}
