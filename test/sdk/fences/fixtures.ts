/** What the tests of the fence checkers share. */
import fc from "fast-check"
import { type Fence, StaleFenceError } from "../../../src/fences.ts"

export const fence = (token: number, key = "prod"): Fence => ({ name: "environment", key, token })

/** Tokens of writers, in the order in which they come. */
export const arrivals = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 })

/** What a plain reading of the rule lets land: each write whose token is not older than the newest before it. */
export const landing = (tokens: ReadonlyArray<number>): ReadonlyArray<boolean> =>
  tokens.map((token, index) => token >= Math.max(...tokens.slice(0, index + 1)))

/** Whether it landed; false where it was refused as stale, and only then. */
export const landed = async (write: () => unknown): Promise<boolean> => {
  try {
    await write()
    return true
  } catch (error) {
    if (error instanceof StaleFenceError) return false
    throw error
  }
}

/** Never falls. */
export const isGrowing = (tokens: ReadonlyArray<number>): boolean =>
  tokens.every((token, index) => token >= (tokens[index - 1] ?? 0))

/** A number that a run can be repeated with is printed by fast-check itself. */
export const runs = (numRuns: number): { readonly numRuns: number } => ({ numRuns })
