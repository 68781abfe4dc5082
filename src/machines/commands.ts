/**
 * Commands: everything that can be asked of a workflow, as schemas.
 *
 * The encoded side is what a caller writes (decimal money, plain strings); the decoded side is what `decide` reads
 * (micro-units, branded ids, detached JSON). semantics.md §2 to §9 says what each does and when it is refused.
 */
import { Schema } from "effect"
import { bounds } from "./bounds.ts"
import {
  Artifact,
  Count,
  Fence,
  HandoffId,
  JsonValue,
  Money,
  Name,
  Positive,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  Text,
  WorkflowId,
} from "./ids.ts"

const opt = Schema.optionalKey
const many = <S extends Schema.Constraint>(item: S, max: number, min = 0) =>
  Schema.Array(item).check(Schema.isMinLength(min), Schema.isMaxLength(max))

const resources = many(ResourceRef, bounds.resourcesPerCall)
const artifacts = many(Artifact, bounds.artifactsPerHandoff)

/** Sent by a session about itself. `expectedVersion` is the `stateVersion` that the sender decided on. */
const fromSession = { sessionId: SessionId, expectedVersion: opt(Count) }
/** Sent about a handoff by the session that offered it (`sessionId`) or by an operator (none). */
const aboutHandoff = {
  workflowId: WorkflowId,
  handoffId: HandoffId,
  sessionId: opt(SessionId),
  generation: opt(Positive),
}

/** Creates a workflow and its root session in one commit. The definition is compiled before the command is decided. */
export const CreateRoot = Schema.TaggedStruct("createRoot", {
  workflowId: WorkflowId,
  role: Name,
  agent: Name,
  sessionId: opt(SessionId),
  definitionHash: Schema.String,
})
export const Claim = Schema.TaggedStruct("claim", {
  workflowId: WorkflowId,
  handoffId: HandoffId,
  parentSessionId: SessionId,
  role: Name,
  agent: Name,
  sessionId: opt(SessionId),
  generation: opt(Positive),
})
/** Resumes an active session after its process restarted. Changes nothing. */
export const Attach = Schema.TaggedStruct("attach", { ...fromSession })
export const Offer = Schema.TaggedStruct("offer", {
  ...fromSession,
  toRole: Name,
  handoffId: opt(HandoffId),
  summary: opt(JsonValue),
  artifacts: opt(artifacts),
  resources: opt(resources),
})
export const Preflight = Schema.TaggedStruct("preflight", {
  ...fromSession,
  estimatedCost: opt(Money),
  estimatedTokens: opt(Count),
})

/** What one model turn has already cost. */
export const Usage = Schema.Struct({ inputTokens: Count, outputTokens: Count, cost: Money })
export type Usage = typeof Usage.Type

export const Call = Schema.Struct({
  tool: Name,
  arguments: opt(JsonValue),
  resources: opt(resources),
  estimatedCost: opt(Money),
  estimatedTokens: opt(Count),
})
export type Call = typeof Call.Type
/**
 * No calls are a model turn that asked for no tool: it settles its usage and gives its reservation back, so one of
 * `preparedRequestId` and `usage` has to be there.
 */
export const Propose = Schema.TaggedStruct("propose", {
  ...fromSession,
  calls: many(Call, bounds.callsPerProposal),
  preparedRequestId: opt(PreparedRequestId),
  usage: opt(Usage),
  /** False refuses with `resource_busy` where a `serial_only` resource would queue the call. Default true. */
  wait: opt(Schema.Boolean),
})

export const ReceiptItem = Schema.Struct({
  stepId: StepId,
  outcome: Schema.Literals(["committed", "aborted", "unknown"]),
  actualCost: opt(Money),
  actualTokens: opt(Count),
  evidence: opt(JsonValue),
  fences: opt(many(Fence, bounds.resourcesPerCall)),
})
export type ReceiptItem = typeof ReceiptItem.Type
export const Receipt = Schema.TaggedStruct("receipt", {
  ...fromSession,
  receipts: many(ReceiptItem, bounds.receiptsPerCommand, 1),
})
/** Renews the claim lease of the session's handoff. */
export const Heartbeat = Schema.TaggedStruct("heartbeat", { ...fromSession })
/** A single writer gives up what it owns. */
export const Release = Schema.TaggedStruct("release", {
  ...fromSession,
  resources: many(ResourceRef, bounds.resourcesPerCall, 1),
})
export const Complete = Schema.TaggedStruct("complete", {
  ...fromSession,
  result: opt(JsonValue),
  artifacts: opt(artifacts),
})
export const Fail = Schema.TaggedStruct("fail", { ...fromSession, reason: Text })
/** An operator completes a claimed handoff in the place of its claimant. */
export const CompleteHandoff = Schema.TaggedStruct("completeHandoff", {
  workflowId: WorkflowId,
  handoffId: HandoffId,
  generation: opt(Positive),
  result: opt(JsonValue),
  artifacts: opt(artifacts),
})
export const FailHandoff = Schema.TaggedStruct("failHandoff", {
  workflowId: WorkflowId,
  handoffId: HandoffId,
  generation: opt(Positive),
  reason: Text,
})
export const Reclaim = Schema.TaggedStruct("reclaim", { ...aboutHandoff, reason: opt(Text) })
export const Withdraw = Schema.TaggedStruct("withdraw", { ...aboutHandoff, reason: opt(Text) })

export const KillScope = Schema.Literals(["session", "subtree", "workflow"])
export type KillScope = typeof KillScope.Type
/** `sessionId` is the target of a session or subtree kill, and absent for a workflow kill. */
export const Kill = Schema.TaggedStruct("kill", {
  workflowId: opt(WorkflowId),
  scope: KillScope,
  sessionId: opt(SessionId),
  expectedVersion: opt(Count),
  reason: Text,
})
/** An operator says what became of a step. */
export const ResolveStep = Schema.TaggedStruct("resolveStep", {
  workflowId: WorkflowId,
  stepId: StepId,
  outcome: Schema.Literals(["committed", "aborted"]),
  actualCost: opt(Money),
  actualTokens: opt(Count),
  reason: Text,
})
/** An operator lets a step that awaits approval be admitted, as soon as it heads its queues. */
export const ApproveStep = Schema.TaggedStruct("approveStep", {
  workflowId: WorkflowId,
  stepId: StepId,
  reason: opt(Text),
})
/** An operator aborts a step that awaits approval. */
export const RejectStep = Schema.TaggedStruct("rejectStep", {
  workflowId: WorkflowId,
  stepId: StepId,
  reason: opt(Text),
})
/** An operator raises limits, of the workflow or of one role. Never lowers one. */
export const RaiseLimits = Schema.TaggedStruct("raiseLimits", {
  workflowId: WorkflowId,
  role: opt(Name),
  limits: Schema.Struct({
    maxSessions: opt(Count),
    maxActiveSessions: opt(Count),
    maxSteps: opt(Count),
    maxCost: opt(Money),
    maxTokens: opt(Count),
    maxOpenHandoffs: opt(Count),
    maxDepth: opt(Count),
    maxDurationMs: opt(Count),
  }),
})
/** Sent by the runtime itself when a deadline has passed; fires the earliest one that is due. */
export const Tick = Schema.TaggedStruct("tick", { workflowId: WorkflowId })

export const Command = Schema.Union([
  CreateRoot,
  Claim,
  Attach,
  Offer,
  Preflight,
  Propose,
  Receipt,
  Heartbeat,
  Release,
  Complete,
  Fail,
  CompleteHandoff,
  FailHandoff,
  Reclaim,
  Withdraw,
  Kill,
  ResolveStep,
  ApproveStep,
  RejectStep,
  RaiseLimits,
  Tick,
])
export type Command = typeof Command.Type
export type CommandName = Command["_tag"]
export type CommandOf<K extends CommandName> = Extract<Command, { readonly _tag: K }>
/** What a caller writes for a command: decimal money, plain strings, no tag. */
export type InputOf<K extends CommandName> = Omit<Extract<(typeof Command)["Encoded"], { readonly _tag: K }>, "_tag">
