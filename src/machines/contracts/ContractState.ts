/**
 * What a session remembers for its rules, and how it changes with what happens.
 *
 * Plain JSON, never changed in place. It is bounded by the contracts, the loop window and the steps that have no outcome yet:
 * arguments and outputs are judged when they come and are not kept.
 */
import type { Micros } from "../ids.ts"
import type { ContractRules } from "./ContractRules.ts"

export interface UnresolvedStep {
  readonly stepId: string
  readonly tool: string
  /** The phase that its commit leads to; null where it leads nowhere, or to the phase in which it was admitted. */
  readonly advancesTo: string | null
  readonly estimate: Micros
  /** Its tool threw and that has been counted: whatever is learned of it later is no second error. */
  readonly hasThrown: boolean
}

export interface PreconditionFact {
  readonly isSatisfied: boolean
  /** Where the latest commit failed; null where there was none, or it passed. */
  readonly failed: { readonly path: string; readonly operator: string } | null
}

export interface Trip {
  readonly operator: "consecutive_blocks" | "consecutive_errors"
  readonly count: number
}

export interface ContractState {
  /** Null where session.yaml has no phases. */
  readonly phase: string | null
  readonly committedSteps: number
  /** Calls that were ever admitted, whatever became of them. */
  readonly admittedCalls: number
  /** Settled usage and settled steps, in micro-units. */
  readonly cost: Micros
  readonly unresolved: ReadonlyArray<UnresolvedStep>
  /** By slot of `maxCallsPerTool`. */
  readonly callsPerTool: ReadonlyArray<number>
  /** By slot of `forbidding`. */
  readonly hasCommitted: ReadonlyArray<boolean>
  /** By slot of `Precondition`. */
  readonly preconditions: ReadonlyArray<PreconditionFact>
  /** Fingerprints of the latest calls that were judged, oldest first: as many as the loop window can need. */
  readonly recent: ReadonlyArray<string>
  readonly consecutiveBlocks: number
  readonly consecutiveErrors: number
  /** The first trip of the circuit breaker. It stays: calls that are allowed after it don't take it back. */
  readonly trip: Trip | null
}

/**
 * What happened. A step that is admitted twice, and an outcome of a step that is not unresolved, change nothing, so an event may come
 * again after a crash.
 *
 * - `judged`: the verdicts of one answer, in its order, as `judge` gave them.
 * - `admitted`: the call became a step: queued, awaiting approval or running. `estimatedCost` as in the call.
 * - `committed`: `output` is its result as JSON, undefined where it is not kept. Without `actualCost` the estimate is settled.
 * - `aborted`, `unknown`: `threw` where the tool ran and failed, and not where it never ran.
 * - `usage`: settled cost of a model call, in micro-units.
 */
export type ContractEvent =
  | {
      readonly type: "judged"
      readonly calls: ReadonlyArray<{ readonly allowed: boolean; readonly fingerprint: string }>
    }
  | {
      readonly type: "admitted"
      readonly stepId: string
      readonly tool: string
      readonly estimatedCost?: Micros | undefined
    }
  | {
      readonly type: "committed"
      readonly stepId: string
      readonly output?: unknown
      readonly actualCost?: Micros | undefined
    }
  | { readonly type: "aborted" | "unknown"; readonly stepId: string; readonly threw: boolean }
  | { readonly type: "usage"; readonly cost: Micros }

export declare const initialContractState: (rules: ContractRules) => ContractState

export declare const evolve: (rules: ContractRules, state: ContractState, event: ContractEvent) => ContractState

/** Whether the circuit breaker has tripped, ever: the session is to be killed. */
export declare const tripped: (state: ContractState) => Trip | undefined
