/** Handrail for Effect programs: the runtime as a service with layers. */
export { journalOf } from "./sdk/Handrail.ts"
export { WorkflowError } from "./runtime/errors.ts"
export { Governance, type GovernanceService, type Submission } from "./runtime/Governance.ts"
export * from "./runtime/Journal.ts"
