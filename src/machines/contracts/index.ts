/** The contract rules of one session, pure: compiled, judged, and folded over what happened. */
export * from "./ContractFailure.ts"
export * from "./ContractRules.ts"
export * from "./ContractState.ts"
export * from "./judge.ts"
