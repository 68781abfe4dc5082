/** The contract rules of one session, pure: compiled, judged, and folded over what happened. */

export type { ContractFailure, ContractFailureCode, ContractFailures } from "./ContractFailure.ts"
export { type ContractRules, compileContracts, type ToolRules } from "./ContractRules.ts"
export { type ContractState, initialContractState, type Trip } from "./ContractState.ts"
export type { JudgeOptions } from "./callRules.ts"
export { type ContractEvent, evolve, tripped } from "./evolve.ts"
export { type ContractCall, judge, narrow, type Verdict } from "./judge.ts"
