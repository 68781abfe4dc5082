/**
 * Why a call is blocked: a code to decide by, the place and the operator of the rule, and a sentence for whoever mends it.
 *
 * The sentence goes to the model, to logs and into refusals, so it never holds more than 100 characters of a value.
 */

/**
 * - `no_contract`: the tool has no contract, and calls without one are not allowed.
 * - `gate_blocked`, `risk_blocked`: the contract's `gate`, or session.yaml's `risk_defaults` for its side effect, says block.
 * - `phase_blocked`, `phase_terminal`: not in this phase, or no longer at all, because the phase is a terminal one.
 * - `transition_not_allowed`, `transition_pending`: where the call would lead can't be reached from the present phase, or
 *   another step that leads out of it has no outcome yet.
 * - `precondition_failed`, `forbidden_after`: what ran before does not allow it.
 * - `invariant_failed`: the arguments fail a test.
 * - `session_limit_exceeded`: a limit of `session_limits`, which `operator` names, has no room for it.
 * - `cost_unknown`: `max_cost_per_session` applies, and the call has no estimate.
 * - `loop_detected`: the same call was made too often.
 * - `approval_unavailable`: a person has to approve it, and there is nobody to ask.
 */
export type ContractFailureCode =
  | "no_contract"
  | "gate_blocked"
  | "risk_blocked"
  | "phase_blocked"
  | "phase_terminal"
  | "transition_not_allowed"
  | "transition_pending"
  | "precondition_failed"
  | "forbidden_after"
  | "invariant_failed"
  | "session_limit_exceeded"
  | "cost_unknown"
  | "loop_detected"
  | "approval_unavailable"

export interface ContractFailure {
  readonly tool: string
  /** The path of the value that failed a test, as its contract writes it; null where it is the call as a whole. */
  readonly path: string | null
  /** The operator or the key of the rule that was applied; null where there was no rule. */
  readonly operator: string | null
  readonly code: ContractFailureCode
  /** What was wrong and how to mend it: one or two sentences. */
  readonly detail: string
}

/** At least one; the first names the block. */
export type ContractFailures = readonly [ContractFailure, ...ReadonlyArray<ContractFailure>]

const shownChars = 100

/** A value in a message: JSON of at most 100 characters, and of what is composed only its size. */
export const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === "object" && value !== null) return `an object of ${Object.keys(value).length} members`
  // Cut before it is written, or a megabyte of text would be escaped for a hundred characters of it.
  if (typeof value === "string") return shortened(JSON.stringify(value.slice(0, shownChars + 1)))
  return shortened(String(value))
}

/** Text in a message, cut between characters: half of a surrogate pair can't be stored. */
export const shortened = (text: string): string =>
  text.length <= shownChars ? text : `${text.slice(0, shownChars).replace(/[\uD800-\uDBFF]$/u, "")}…`
