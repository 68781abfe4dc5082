/**
 * `handrail/testing`: what tests this package, for whoever builds on it.
 *
 * - The **model**: an independent, plain implementation of semantics.md, with arbitraries for definitions and commands. `run`
 *   sends one drawn sequence to it and to a system, and compares answers and all that can be seen after every command.
 * - The **checkers**: whether a history, recorded at the client's edge, is linearizable: every handoff, resource and ledger
 *   in it.
 * - The **invariants** I1 to I13, each a check over the evidence that `run` returns, or that a test has gathered itself.
 * - The **conformance kit**: `conformance(store)` tries every clause of the `Journal` port on any implementation of it, with
 *   concurrent writers and faults at every statement. `wrongStores` are what it must find wanting.
 * - The **simulator**: `simulate` runs the real runtime, several nodes on one store, where one seed decides everything; `sweep`
 *   makes many runs, `shrink` a failing one smaller.
 *
 * Needs `fast-check` beside it (an optional peer of the package); the rest of Handrail does not.
 */

export { type Problem, type Verification, verifyTenant, verifyWorkflow } from "../runtime/verify.ts"
export * from "./check/index.ts"
export {
  checkHistory,
  type HistoryReport,
  type HistoryRules,
  type PartVerdict,
} from "./checkers/checkHistory.ts"
export { HistoryRecorder, type Outcome, type Recorded, recordRefusal } from "./checkers/history.ts"
export { checkLinearizable, type Model, type Operation, type Verdict } from "./checkers/linearizable.ts"
export type { ResourceMode } from "./checkers/resourceModel.ts"
export type { Clause } from "./conformance/Clause.ts"
export {
  type ClauseResult,
  type ConformanceOptions,
  conformance,
  conformanceClauses,
  formatReport,
} from "./conformance/conformance.ts"
export { FaultGate, type GatedWriter } from "./conformance/FaultGate.ts"
export {
  type FaultyWriter,
  type OpenedStore,
  type StoreFault,
  type StoreFaultKind,
  type StoreUnderTest,
  type Strike,
  type TestStore,
  type WriteOutcome,
  writeOutcome,
} from "./conformance/StoreUnderTest.ts"
export { type Intention, intentions, type Kind } from "./model/commands.ts"
export { definitions } from "./model/definitions.ts"
export { type Fault, faults } from "./model/faults.ts"
export { type Evidence, Mismatch, type Moment, run } from "./model/harness.ts"
export { invariants } from "./model/invariants.ts"
export { modelSut } from "./model/modelSut.ts"
export type {
  Counter,
  Ledger,
  Observation,
  ObservedHandoff,
  ObservedKill,
  ObservedResource,
  ObservedSession,
  ObservedStep,
  WorkflowObservation,
} from "./model/observe.ts"
export { runtimeSut, type StoreFactory } from "./model/runtimeSut.ts"
export { Statistics } from "./model/statistics.ts"
export type { Answered, Sut, SutFactory, SutOptions } from "./model/sut.ts"
export { replayCommand, type ShrinkOptions, type Shrunk, shrink } from "./simulation/shrink.ts"
export { type OpenStore, type SimulateOptions, type SimulationResult, simulate } from "./simulation/simulate.ts"
export type { Limits as SimulationLimits, Swarm } from "./simulation/swarm.ts"
export { type Sweep, type SweepOptions, sweep } from "./simulation/sweep.ts"
export { type MemoryVariant, memoryStore } from "./stores/memory.ts"
export type { WrongStore } from "./stores/wrong.ts"
export { wrongStores } from "./stores/wrongStores.ts"
