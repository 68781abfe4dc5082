/**
 * What became of the step whose call failed, kept beside the error.
 *
 * A tool's own error reaches the caller as it was thrown, neither wrapped nor changed; `outcomeOf` says what the journal was
 * told.
 */
export interface StepOutcome {
  readonly stepId: string
  readonly tool: string
  /** `committed` where the tool did its work and something else failed: do not repeat it. */
  readonly outcome: "committed" | "aborted" | "unknown"
  /** False where the receipt could not be delivered: the step is still unresolved. */
  readonly reported: boolean
}

const outcomes = new WeakMap<object, StepOutcome>()

/** The step behind an error that a governed tool call was rejected with; undefined where nothing of it ever ran. */
export const outcomeOf = (error: unknown): StepOutcome | undefined =>
  isObject(error) ? outcomes.get(error) : undefined

/** The same error, with its outcome noted. A thrown primitive can't carry one. */
export const withOutcome = (error: unknown, outcome: StepOutcome): unknown => {
  if (isObject(error)) outcomes.set(error, outcome)
  return error
}

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function"
