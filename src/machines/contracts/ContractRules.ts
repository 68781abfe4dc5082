/**
 * The rules of one session, compiled from session.yaml and the tool contracts of its role.
 *
 * Everything that can be done once is done here: paths parsed, patterns compiled, names looked up, money converted. What a
 * session has to remember for a rule gets a slot, a place in an array of its state, so that the state is bounded by the
 * contracts and not by how long the session runs.
 */

import type { ToolContract } from "../definition.ts"
import type { Json, Micros } from "../ids.ts"
import type { ValueTest } from "./valueTests.ts"

export interface Phases {
  readonly initial: string
  readonly terminal: ReadonlySet<string>
  /** Phase → the phases that a step in it may lead to. */
  readonly transitions: ReadonlyMap<string, ReadonlySet<string>>
}

/** `null` is no limit. */
export interface SessionLimits {
  readonly maxSteps: number | null
  readonly maxToolCalls: number | null
  /** In micro-units. */
  readonly maxCost: Micros | null
  /** Tool → calls, and the slot of their count. */
  readonly maxCallsPerTool: ReadonlyMap<string, { readonly max: number; readonly slot: number }>
  readonly loop: { readonly window: number; readonly threshold: number } | null
}

/** `null` never trips. */
export interface Breaker {
  readonly consecutiveBlocks: number | null
  readonly consecutiveErrors: number | null
}

/** A precondition; equal ones of several tools share a slot. */
export interface Precondition {
  readonly tool: string
  readonly tests: ReadonlyArray<ValueTest>
  readonly slot: number
}

export interface ToolRules {
  readonly contract: ToolContract
  readonly gate: "allow" | "block" | null
  /** True where a person approves each call before it runs. */
  readonly needsApproval: boolean
  /** Null where every phase will do. */
  readonly validInPhases: ReadonlySet<string> | null
  readonly advancesTo: string | null
  readonly preconditions: ReadonlyArray<Precondition>
  readonly forbidsAfter: ReadonlyArray<{ readonly tool: string; readonly slot: number }>
  readonly invariants: ReadonlyArray<ValueTest>
}

export interface ContractRules {
  /** The rules of a tool; undefined where it has no contract. */
  tool(name: string): ToolRules | undefined
  /** Null where session.yaml declares none. */
  readonly phases: Phases | null
  readonly limits: SessionLimits
  readonly breaker: Breaker
  /** The side effects that `risk_defaults` blocks. */
  readonly blockedRisks: ReadonlySet<string>
  /** The estimate of a call whose tool has none, in micro-units. */
  readonly defaultCost: Micros | null
  /** No verdict depends on what happened before, and nothing ever trips: there is no need to feed the state. */
  readonly isStateless: boolean
  /** What the state remembers, by slot. */
  readonly slots: Slots
}

export interface Slots {
  /** How many tools have a limit of their own. */
  readonly limited: number
  /** Tool → the slot that says whether it was ever committed; of tools that a `forbids_after` names. */
  readonly forbidding: ReadonlyMap<string, number>
  /** Tool → the preconditions that its commits may satisfy. */
  readonly prior: ReadonlyMap<string, ReadonlyArray<Precondition>>
  readonly preconditions: number
}

/**
 * `session` is session.yaml's JSON and `tools` are the compiled contracts, both as the definition's compiler validated
 * them: what is not valid, or is a rule that is not known here, throws, since a rule is never dropped in silence. `defaultCost` is the role's, in
 * micro-units.
 */
export declare const compileContracts: (
  session: { readonly [key: string]: Json } | null,
  tools: ReadonlyArray<ToolContract>,
  defaultCost?: Micros | null,
) => ContractRules
