/**
 * Retries after trouble with the infrastructure. A refusal by the workflow's rules is an answer and is never repeated by itself,
 * even where it may be different later: only the agent knows whether it still wants the same.
 */
import { isInfrastructure } from "../../runtime/errors.ts"
import { limits } from "../limits.ts"

export type Retry = <A>(attempt: () => Promise<A>) => Promise<A>

export const makeRetry =
  (maxRetries: number): Retry =>
  async (attempt) => {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt()
      } catch (error) {
        if (failures >= maxRetries || !isInfrastructure(error)) throw error
        await pause(backoffMs(failures))
      }
    }
  }

/** Half of it is chance, so that many agents that failed together do not come back together. */
export const backoffMs = (failures: number): number =>
  Math.min(limits.longestBackoffMs, limits.backoffMs * 2 ** failures) * (0.5 + Math.random() / 2)

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
