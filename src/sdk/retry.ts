/**
 * Retries after trouble with the infrastructure. A refusal by the workflow's rules is an answer and is never repeated by itself,
 * even where it may be different later: only the agent knows whether it still wants the same.
 */
import { WorkflowError } from "../runtime/errors.ts"
import { limits } from "./limits.ts"

export type Retry = <A>(attempt: () => Promise<A>) => Promise<A>

/** The command was not carried out because the store or the runtime could not: the same command may be sent again. */
export const isInfrastructure = (error: unknown): boolean =>
  error instanceof WorkflowError && (error.code === "storage_unavailable" || error.code === "overloaded")

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
