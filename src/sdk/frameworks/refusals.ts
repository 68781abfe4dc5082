/**
 * What Handrail has refused, wherever a framework has put it: as it is, or inside an error of the framework's own.
 */
import { ReplayContractError, ReplayKillError, WorkflowError } from "../errors.ts"

export type Refusal = ReplayContractError | ReplayKillError | WorkflowError

/** Errors may be wrapped in one another, and in a circle. */
const deepest = 8
/** Where frameworks put the error that they wrap. */
const places = ["cause", "error", "lastError"]

export const isRefusalError = (error: unknown): error is Refusal =>
  error instanceof ReplayContractError || error instanceof ReplayKillError || error instanceof WorkflowError

/**
 * The refusal that an error is or wraps: the AI SDK wraps what a retry met (`RetryError`), OpenAI Agents what a tool threw
 * (`ToolCallError`). Undefined where there is none, so something else went wrong.
 */
export const refusalOf = (error: unknown): Refusal | undefined => {
  let wrapped: ReadonlyArray<unknown> = [error]
  for (let depth = 0; depth < deepest && wrapped.length > 0; depth++) {
    const found = wrapped.find(isRefusalError)
    if (found !== undefined) return found
    wrapped = wrapped.flatMap((outer) =>
      typeof outer === "object" && outer !== null ? places.map((place): unknown => Reflect.get(outer, place)) : [],
    )
  }
  return undefined
}
