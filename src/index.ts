/** Handrail: workflow governance for multi-agent systems. */

export type { ConnectOptions } from "./adapters/http/client/options.ts"
export type { RemoteClient } from "./adapters/http/client/RemoteClient.ts"
export { type MemoryStore, makeMemoryStore } from "./adapters/memory/MemoryJournal.ts"
export type * from "./machines/answers.ts"
export type { JournalEvent } from "./machines/events.ts"
export type { Code } from "./machines/refusals.ts"
export type {
  CallOptions,
  Client,
  CreateRootInput,
  DefinitionInput,
  EventsInput,
  ListMembers,
  ListWorkflows,
  WorkflowView,
} from "./runtime/Client.ts"
export type { Page } from "./runtime/Journal.ts"
export { Session } from "./runtime/Session.ts"
export {
  type ContractFailure,
  type ContractFailureCode,
  ReplayConfigError,
  ReplayContractError,
  ReplayKillError,
  ToolAborted,
  ToolTimeoutError,
  WorkflowError,
} from "./sdk/errors.ts"
export type { DecidedCall, Decision, ShadowDelta } from "./sdk/governor/Decision.ts"
export type { ModelPrice, Prices } from "./sdk/governor/prices.ts"
export type { Policy, PolicyContext } from "./sdk/governor/Rulebook.ts"
export { Handrail, type OpenOptions } from "./sdk/Handrail.ts"
export type { HandoffOutcome } from "./sdk/link/handoffs.ts"
export type { RecoveredOutcome, Recoveries, Recovery } from "./sdk/link/recover.ts"
export type { ChildWorkflow, Gate, Mode, NarrowingFeedback, ReplayOptions, RootWorkflow } from "./sdk/options.ts"
export { ModelStreamError } from "./sdk/providers/errors.ts"
export { type AwaitOptions, ReplaySession, type Ticket } from "./sdk/ReplaySession.ts"
export { replay } from "./sdk/replay.ts"
export type { ToolMessages } from "./sdk/tools/runTools.ts"
export { outcomeOf, type StepOutcome } from "./sdk/tools/StepOutcome.ts"
export type { GovernedTool, GovernedTools, Settlement, Tool, ToolContext, Tools } from "./sdk/tools/Tools.ts"
export {
  type DefinedTool,
  type OfferedTools,
  type ParametersSchema,
  type ToolDefinition,
  tool,
} from "./sdk/tools/tool.ts"
