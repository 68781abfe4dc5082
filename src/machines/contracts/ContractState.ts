/**
 * What a session remembers for its rules.
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

/** The state of a session in which nothing has happened. */
export const initialContractState = (rules: ContractRules): ContractState => ({
  phase: rules.phases?.initial ?? null,
  committedSteps: 0,
  admittedCalls: 0,
  cost: 0,
  unresolved: [],
  callsPerTool: new Array<number>(rules.slots.limited).fill(0),
  hasCommitted: new Array<boolean>(rules.slots.forbidding.size).fill(false),
  preconditions: new Array<PreconditionFact>(rules.slots.preconditions).fill({ isSatisfied: false, failed: null }),
  recent: [],
  consecutiveBlocks: 0,
  consecutiveErrors: 0,
  trip: null,
})
