/**
 * `handrail/definition`: workflow.yaml and its contracts to an artifact, and an artifact to the rules that the runtime reads.
 */
export { canonicalJson, sha256Hex } from "./canonicalJson.ts"
export { artifactOf, type CompileResult, compile, type Sources, sessionContractPaths } from "./compile.ts"
export { type Diagnostic, type DiagnosticCode, type Location, type Severity, severities } from "./Diagnostic.ts"
export { formatDiagnostics } from "./formatDiagnostics.ts"
export { fromArtifact } from "./fromArtifact.ts"
export type { Files } from "./readContracts.ts"
export { makeRules } from "./rules.ts"
export { durationMs } from "./values.ts"
