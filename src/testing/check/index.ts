/** `checkWorkflow`, and the types of its report: part of `handrail/testing`. */
export { checkWorkflow } from "./checkWorkflow.ts"
export type {
  Behaviour,
  Finding,
  FindingKind,
  HistoryLine,
  Level as FindingLevel,
  LimitReport,
  Overshoot,
  Report as CheckReport,
  RoleReport,
  Statistics as CheckStatistics,
} from "./report.ts"
export { type AgentOptions, CheckOptionError, type CheckOptions } from "./settings.ts"
