/**
 * What was decided about one turn and why: for logs, for tests, and for whoever asks "why did it not do that?".
 *
 * A decision holds names, codes and amounts. Arguments and results are not in it: they may hold anything.
 */
import type { ContractFailure } from "../errors.ts"
import type { ModelUsage } from "./Turn.ts"

export interface DecidedCall {
  /** The provider's id of the call; null for a tool that the agent called itself. */
  readonly callId: string | null
  readonly tool: string
  /**
   * `admitted`, `queued`, `awaiting_approval`: it is a step of the session. `blocked`: by its own contract. `withheld`: it was
   * allowed, but its turn was rejected. `unguarded`: it went through without a step, because nobody could be asked or nothing
   * is enforced.
   */
  readonly verdict: "admitted" | "queued" | "awaiting_approval" | "blocked" | "withheld" | "unguarded"
  readonly stepId: string | null
  /** Why it is blocked; in shadow mode, why it would have been. */
  readonly failures: ReadonlyArray<ContractFailure>
}

/** What enforcement would have done differently. */
export interface ShadowDelta {
  /** Tools that would not have been offered. */
  readonly narrowed: ReadonlyArray<string>
  /** Calls that would have been blocked, by tool. */
  readonly blocked: ReadonlyArray<string>
  /** The code with which the workflow refused; null where it did not. */
  readonly refused: string | null
}

export interface Decision {
  /** Counts from 1 in this process. */
  readonly turn: number
  /** Epoch ms. */
  readonly at: number
  readonly mode: "enforce" | "shadow" | "log-only"
  /** `tools` where the agent called a tool itself. */
  readonly provider: string
  readonly model: string | null
  readonly attempt: number
  readonly agent: string
  readonly principal: string | null
  readonly environment: string | null
  /** The phase in which it was decided; null without phases. */
  readonly phase: string | null
  readonly narrowed: ReadonlyArray<{ readonly tool: string; readonly failures: ReadonlyArray<ContractFailure> }>
  readonly calls: ReadonlyArray<DecidedCall>
  /** `passed` whole, `stripped` of some calls, `rejected`, or fed back to the model (`retried`). */
  readonly outcome: "passed" | "stripped" | "rejected" | "retried" | "failed"
  readonly usage: ModelUsage | null
  /** Decimal money; null where the price is not known. */
  readonly cost: number | null
  /** Null unless the mode is `shadow`. */
  readonly shadowDelta: ShadowDelta | null
}
