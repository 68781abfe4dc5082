/**
 * Events: what the journal holds. The whole state of a workflow is `fold(evolve, events)`.
 *
 * An event says what was decided, not what follows mechanically: a kill is one event whatever the size of its tree, and
 * `evolve` works out who dies. What a fold could not know without the store (a fencing token, a version) is written down.
 * Bodies are trusted when they are read back, because the hash chain covers their text; `Event` is their schema for
 * export, import and the HTTP API.
 */
import { Schema } from "effect"
import { KillScope } from "./commands.ts"
import {
  Artifact,
  Count,
  Fence,
  HandoffId,
  KillId,
  Name,
  Positive,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  WorkflowId,
} from "./ids.ts"

const opt = Schema.optionalKey
const at = Schema.Int
const micros = Count
const fences = Schema.Array(Fence)
const ending = Schema.Literals(["completed", "failed", "killed"])

/** A queued step whose turn came, with the tokens of its grant (I11). */
export const Admission = Schema.Struct({ stepId: StepId, fences })
export type Admission = typeof Admission.Type
/** Steps that head all their queues because this event resolved what was before them, in queue order. */
const admitted = opt(Schema.Array(Admission))
/** Set when the event ends the workflow. */
const ends = opt(ending)

/** Money in micro-units. */
const usage = Schema.Struct({ inputTokens: Count, outputTokens: Count, cost: micros })

/** Counters of resources that were not in memory, read back from the store by the command. */
const recalled = opt(Schema.Array(Schema.Struct({ name: Name, key: Name, fence: Count, version: Count })))

export const WorkflowCreated = Schema.TaggedStruct("workflow.created", {
  workflowId: WorkflowId,
  definitionHash: Schema.String,
  workflow: Name,
  sessionId: SessionId,
  role: Name,
  agent: Name,
  deadline: Schema.NullOr(at),
})
export const HandoffOffered = Schema.TaggedStruct("handoff.offered", {
  sessionId: SessionId,
  handoffId: HandoffId,
  toRole: Name,
  summary: Schema.Json,
  artifacts: Schema.Array(Artifact),
  resources: Schema.Array(ResourceRef),
  deadline: Schema.NullOr(at),
})
export const HandoffClaimed = Schema.TaggedStruct("handoff.claimed", {
  handoffId: HandoffId,
  generation: Positive,
  sessionId: SessionId,
  agent: Name,
  deadline: Schema.NullOr(at),
  /** Ownership of the bound `single_writer` resources that moves to the claimant. */
  grants: fences,
  recalled,
})
export const BudgetReserved = Schema.TaggedStruct("budget.reserved", {
  sessionId: SessionId,
  preparedRequestId: PreparedRequestId,
  cost: micros,
  tokens: Count,
  deadline: at,
})
export const BudgetReturned = Schema.TaggedStruct("budget.returned", { preparedRequestId: PreparedRequestId })
/** Usage of a model turn whose proposal was refused: the money is spent all the same. */
export const UsageSettled = Schema.TaggedStruct("usage.settled", { sessionId: SessionId, role: Name, usage })

export const NewStep = Schema.Struct({
  stepId: StepId,
  tool: Name,
  arguments: Schema.Json,
  status: Schema.Literals(["admitted", "queued", "awaiting_approval"]),
  cost: micros,
  tokens: Count,
  resources: Schema.Array(ResourceRef),
  /** Tokens granted at once: all of an admitted step, the ownerships of one that waits. */
  fences,
  /** Epoch ms at which a step that awaits approval is rejected. */
  deadline: opt(at),
})
export type NewStep = typeof NewStep.Type
/** No steps: a model turn that asked for no tool, with its usage and the reservation that it used. */
export const StepsProposed = Schema.TaggedStruct("steps.proposed", {
  sessionId: SessionId,
  steps: Schema.Array(NewStep),
  preparedRequestId: opt(PreparedRequestId),
  usage: opt(usage),
  recalled,
})

/** An operator, the event's actor, has approved a step: it stands in its queues as any other from now on. */
export const StepApproved = Schema.TaggedStruct("step.approved", {
  sessionId: SessionId,
  stepId: StepId,
  reason: opt(Schema.String),
  /** The step itself, where it heads all its queues. */
  admitted,
})

export const Resolution = Schema.Struct({
  stepId: StepId,
  outcome: Schema.Literals(["committed", "aborted", "unknown"]),
  /** Micro-units and tokens that are settled. */
  cost: micros,
  tokens: Count,
  evidence: opt(Schema.Json),
})
export type Resolution = typeof Resolution.Type
export const StepsResolved = Schema.TaggedStruct("steps.resolved", {
  sessionId: SessionId,
  steps: Schema.Array(Resolution),
  /** Handoffs whose claimant, or a descendant of it, has now committed its first step. */
  progressed: opt(Schema.Array(HandoffId)),
  /** The session was dead: settled and recorded, not authoritative (semantics.md §5). */
  late: opt(Schema.Literal(true)),
  reason: opt(Schema.String),
  /** Approval was refused: by the operator who is the event's actor, or by `system` when nobody decided in time. */
  rejected: opt(Schema.Literal(true)),
  admitted,
})
export const LeaseRenewed = Schema.TaggedStruct("lease.renewed", {
  sessionId: SessionId,
  handoffId: HandoffId,
  deadline: at,
})
export const ResourcesReleased = Schema.TaggedStruct("resources.released", {
  sessionId: SessionId,
  resources: Schema.Array(ResourceRef),
})
export const SessionCompleted = Schema.TaggedStruct("session.completed", {
  sessionId: SessionId,
  handoffId: Schema.NullOr(HandoffId),
  result: Schema.Json,
  artifacts: Schema.Array(Artifact),
  ends,
})
export const SessionFailed = Schema.TaggedStruct("session.failed", {
  sessionId: SessionId,
  handoffId: Schema.NullOr(HandoffId),
  reason: Schema.String,
  /** The cascade through the session's descendants. */
  killId: KillId,
  admitted,
  ends,
})
export const HandoffReclaimed = Schema.TaggedStruct("handoff.reclaimed", {
  handoffId: HandoffId,
  /** The claimant that lost the handoff. */
  sessionId: SessionId,
  status: Schema.Literals(["offered", "failed", "killed"]),
  generation: Positive,
  reason: Schema.String,
  killId: KillId,
  deadline: Schema.NullOr(at),
  admitted,
  ends,
})
export const HandoffWithdrawn = Schema.TaggedStruct("handoff.withdrawn", {
  handoffId: HandoffId,
  reason: Schema.String,
})
export const HandoffExpired = Schema.TaggedStruct("handoff.expired", { handoffId: HandoffId })
export const Killed = Schema.TaggedStruct("killed", {
  killId: KillId,
  scope: KillScope,
  sessionId: Schema.NullOr(SessionId),
  reason: Schema.String,
  admitted,
  ends,
})
export const LimitsRaised = Schema.TaggedStruct("limits.raised", {
  role: Schema.NullOr(Name),
  /** Micro-units and milliseconds; only what changes. */
  limits: Schema.Record(Schema.String, Count),
  /** The workflow's new deadline, when `maxDurationMs` was raised. */
  deadline: opt(at),
})

export const EventBody = Schema.Union([
  WorkflowCreated,
  HandoffOffered,
  HandoffClaimed,
  BudgetReserved,
  BudgetReturned,
  UsageSettled,
  StepsProposed,
  StepApproved,
  StepsResolved,
  LeaseRenewed,
  ResourcesReleased,
  SessionCompleted,
  SessionFailed,
  HandoffReclaimed,
  HandoffWithdrawn,
  HandoffExpired,
  Killed,
  LimitsRaised,
])
export type EventBody = typeof EventBody.Type
export type EventTag = EventBody["_tag"]
export type EventOf<T extends EventTag> = Extract<EventBody, { readonly _tag: T }>

/** Who asked: a session id, `operator:<name>` or `system`. */
export type Actor = string

/** One row of the journal. */
export interface JournalEvent {
  readonly seq: number
  /** Epoch ms: when the command was decided. */
  readonly at: number
  readonly actor: Actor
  /** The idempotency key of its command. */
  readonly key?: string
  readonly body: EventBody
}
