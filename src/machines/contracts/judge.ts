/**
 * Which calls of an answer may be made, and which tools may be called at all.
 *
 * Both apply the very same rules in the same order: `narrow` those that do not look at arguments, `judge` all of them. So a
 * tool is narrowed exactly where every call of it would be blocked whatever its arguments are.
 */
import type { ToolContract } from "../definition.ts"
import type { Micros } from "../ids.ts"
import type { ContractFailures } from "./ContractFailure.ts"
import type { ContractRules } from "./ContractRules.ts"
import type { ContractState } from "./ContractState.ts"

export interface ContractCall {
  readonly tool: string
  /** JSON, detached from its sender; undefined where there are none. */
  readonly arguments: unknown
  /** In micro-units. Without it the contract's estimate counts, then the role's `default_cost`. */
  readonly estimatedCost?: Micros | undefined
}

export interface JudgeOptions {
  /** What happens to a tool without a contract. */
  readonly unmatched: "allow" | "block"
  /** `hold` where the control plane asks a person, `unavailable` where nobody can be asked. */
  readonly checkpoints: "hold" | "unavailable"
}

/** `fingerprint` is the same for equal calls: tool and arguments. Empty where no rule asks for it. */
export type Verdict =
  | { readonly allowed: true; readonly contract: ToolContract | undefined; readonly fingerprint: string }
  | { readonly allowed: false; readonly failures: ContractFailures; readonly fingerprint: string }

/** A verdict for each call of one answer, in its order: each sees the earlier allowed ones as steps without an outcome. */
export declare const judge: (
  rules: ContractRules,
  state: ContractState,
  calls: ReadonlyArray<ContractCall>,
  options: JudgeOptions,
) => ReadonlyArray<Verdict>

/**
 * The tools that may not be called now, whatever the arguments are, each with the reasons; the others are not in it. A call
 * is taken to have no estimate of its own, as a model's calls have none.
 */
export declare const narrow: (
  rules: ContractRules,
  state: ContractState,
  tools: ReadonlyArray<string>,
  options: JudgeOptions,
) => ReadonlyMap<string, ContractFailures>
