/**
 * Which calls of an answer may be made, and which tools may be called at all.
 *
 * Both apply the very same rules in the same order: `narrow` those that do not look at arguments, `judge` all of them. So a
 * tool is narrowed exactly where every call of it would be blocked whatever its arguments are.
 */
import type { ToolContract } from "../definition.ts"
import type { Micros } from "../ids.ts"
import type { ContractFailure, ContractFailures } from "./ContractFailure.ts"
import type { ContractRules } from "./ContractRules.ts"
import type { ContractState } from "./ContractState.ts"
import { afterArguments, beforeArguments, type JudgeOptions, onArguments } from "./callRules.ts"
import { admitted, estimateOf, judged } from "./evolve.ts"
import { fingerprintOf } from "./fingerprint.ts"

export interface ContractCall {
  readonly tool: string
  /** JSON, detached from its sender; undefined where there are none. */
  readonly arguments: unknown
  /** In micro-units. Without it the contract's estimate counts, then the role's `default_cost`. */
  readonly estimatedCost?: Micros | undefined
}

/** `fingerprint` is the same for equal calls: tool and arguments. Empty where no rule asks for it. */
export type Verdict =
  | { readonly allowed: true; readonly contract: ToolContract | undefined; readonly fingerprint: string }
  | { readonly allowed: false; readonly failures: ContractFailures; readonly fingerprint: string }

/** A verdict for each call of one answer, in its order: each sees the earlier allowed ones as steps without an outcome. */
export const judge = (
  rules: ContractRules,
  state: ContractState,
  calls: ReadonlyArray<ContractCall>,
  options: JudgeOptions,
): ReadonlyArray<Verdict> => {
  const verdicts: Array<Verdict> = []
  let seen = state
  for (const call of calls) {
    const verdict = verdictOf(rules, seen, call, options)
    verdicts.push(verdict)
    if (verdicts.length === calls.length) break
    seen = judged(rules, seen, [verdict])
    // It is no step yet, and this state is never kept: any id will do.
    if (verdict.allowed) seen = admitted(rules, seen, { stepId: "", ...call })
  }
  return verdicts
}

const verdictOf = (rules: ContractRules, state: ContractState, call: ContractCall, options: JudgeOptions): Verdict => {
  const fingerprint = rules.limits.loop === null ? "" : fingerprintOf(call.tool, call.arguments)
  const subject = { rules, state, options, name: call.tool, tool: rules.tool(call.tool) }
  const found: Array<ContractFailure> = []
  beforeArguments(subject, found)
  onArguments(subject, call.arguments, found)
  afterArguments(subject, estimateOf(rules, call.tool, call.estimatedCost), fingerprint, found)
  const failures = listed(found)
  return failures === undefined
    ? { allowed: true, contract: subject.tool?.contract, fingerprint }
    : { allowed: false, failures, fingerprint }
}

/**
 * The tools that may not be called now, whatever the arguments are, each with the reasons; the others are not in it. A call
 * is taken to have no estimate of its own, as a model's calls have none.
 */
export const narrow = (
  rules: ContractRules,
  state: ContractState,
  tools: ReadonlyArray<string>,
  options: JudgeOptions,
): ReadonlyMap<string, ContractFailures> => {
  const narrowed = new Map<string, ContractFailures>()
  for (const name of tools) {
    const subject = { rules, state, options, name, tool: rules.tool(name) }
    const found: Array<ContractFailure> = []
    beforeArguments(subject, found)
    afterArguments(subject, estimateOf(rules, name, undefined), undefined, found)
    const failures = listed(found)
    if (failures !== undefined) narrowed.set(name, failures)
  }
  return narrowed
}

const listed = ([first, ...others]: ReadonlyArray<ContractFailure>): ContractFailures | undefined =>
  first === undefined ? undefined : [first, ...others]
