/** Handrail for Effect programs: the runtime as a service with layers. */

export { EmbeddedClient, type EmbeddedOptions } from "./runtime/EmbeddedClient.ts"
export { WorkflowError } from "./runtime/errors.ts"
export { Governance, type GovernanceService, type Submission } from "./runtime/Governance.ts"
export * from "./runtime/Journal.ts"
export { StageClock, type StageTotals } from "./runtime/Stages.ts"
export { type Problem, type Verification, verifyTenant, verifyWorkflow } from "./runtime/verify.ts"
export { journalOf } from "./sdk/Handrail.ts"
