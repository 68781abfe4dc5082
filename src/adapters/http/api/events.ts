/**
 * Events on the wire: `{seq, at, actor, idempotency_key?, type, data}`, `data` by type.
 *
 * They say what `machines/events.ts` says, with decimal money. `wire/eventCases.ts` holds the two together.
 */
import { Schema } from "effect"
import {
  Artifact,
  Count,
  Fence,
  HandoffId,
  Json,
  KillId,
  Moment,
  Name,
  opt,
  Positive,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  WorkflowId,
} from "./fields.ts"

/** Marks an amount that the journal holds in micro-units. */
export const inMicros = "handrail/http/inMicros"
const Micros = Schema.Finite.annotate({ description: "At most six decimal places.", [inMicros]: true })

const orNull = Schema.NullOr
const many = Schema.Array
const fences = many(Fence)
const ends = opt(Schema.Literals(["completed", "failed", "killed"]))
const admitted = opt(many(Schema.Struct({ step_id: StepId, fences })))
const usage = Schema.Struct({ input_tokens: Count, output_tokens: Count, cost: Micros })
const recalled = opt(many(Schema.Struct({ name: Name, key: Name, fence: Count, version: Count })))
const limit = opt(Count)

/** What each type of event holds. */
const data = {
  "workflow.created": Schema.Struct({
    workflow_id: WorkflowId,
    definition_hash: Schema.String,
    workflow: Name,
    session_id: SessionId,
    role: Name,
    agent: Name,
    deadline: orNull(Moment),
  }),
  "handoff.offered": Schema.Struct({
    session_id: SessionId,
    handoff_id: HandoffId,
    to_role: Name,
    summary: Json,
    artifacts: many(Artifact),
    resources: many(ResourceRef),
    deadline: orNull(Moment),
  }),
  "handoff.claimed": Schema.Struct({
    handoff_id: HandoffId,
    generation: Positive,
    session_id: SessionId,
    agent: Name,
    deadline: orNull(Moment),
    grants: fences,
    recalled,
  }),
  "budget.reserved": Schema.Struct({
    session_id: SessionId,
    prepared_request_id: PreparedRequestId,
    cost: Micros,
    tokens: Count,
    deadline: Moment,
  }),
  "budget.returned": Schema.Struct({ prepared_request_id: PreparedRequestId }),
  "usage.settled": Schema.Struct({ session_id: SessionId, role: Name, usage }),
  "steps.proposed": Schema.Struct({
    session_id: SessionId,
    steps: many(
      Schema.Struct({
        step_id: StepId,
        tool: Name,
        arguments: Json,
        status: Schema.Literals(["admitted", "queued", "awaiting_approval"]),
        cost: Micros,
        tokens: Count,
        resources: many(ResourceRef),
        fences,
        deadline: opt(Moment),
      }),
    ),
    prepared_request_id: opt(PreparedRequestId),
    usage: opt(usage),
    recalled,
  }),
  "step.approved": Schema.Struct({
    session_id: SessionId,
    step_id: StepId,
    reason: opt(Schema.String),
    admitted,
  }),
  "steps.resolved": Schema.Struct({
    session_id: SessionId,
    steps: many(
      Schema.Struct({
        step_id: StepId,
        outcome: Schema.Literals(["committed", "aborted", "unknown"]),
        cost: Micros,
        tokens: Count,
        evidence: opt(Json),
      }),
    ),
    progressed: opt(many(HandoffId)),
    late: opt(Schema.Literal(true)),
    reason: opt(Schema.String),
    rejected: opt(Schema.Literal(true)),
    admitted,
  }),
  "lease.renewed": Schema.Struct({ session_id: SessionId, handoff_id: HandoffId, deadline: Moment }),
  "resources.released": Schema.Struct({ session_id: SessionId, resources: many(ResourceRef) }),
  "session.completed": Schema.Struct({
    session_id: SessionId,
    handoff_id: orNull(HandoffId),
    result: Json,
    artifacts: many(Artifact),
    ends,
  }),
  "session.failed": Schema.Struct({
    session_id: SessionId,
    handoff_id: orNull(HandoffId),
    reason: Schema.String,
    kill_id: KillId,
    admitted,
    ends,
  }),
  "handoff.reclaimed": Schema.Struct({
    handoff_id: HandoffId,
    session_id: SessionId,
    status: Schema.Literals(["offered", "failed", "killed"]),
    generation: Positive,
    reason: Schema.String,
    kill_id: KillId,
    deadline: orNull(Moment),
    admitted,
    ends,
  }),
  "handoff.withdrawn": Schema.Struct({ handoff_id: HandoffId, reason: Schema.String }),
  "handoff.expired": Schema.Struct({ handoff_id: HandoffId }),
  killed: Schema.Struct({
    kill_id: KillId,
    scope: Schema.Literals(["session", "subtree", "workflow"]),
    session_id: orNull(SessionId),
    reason: Schema.String,
    admitted,
    ends,
  }),
  "limits.raised": Schema.Struct({
    role: orNull(Name),
    limits: Schema.Struct({
      max_sessions: limit,
      max_active_sessions: limit,
      max_steps: limit,
      max_cost: opt(Micros),
      max_tokens: limit,
      max_open_handoffs: limit,
      max_depth: limit,
      max_duration_ms: limit,
    }),
    deadline: opt(Moment),
  }),
} as const
export const eventData = data
export type EventType = keyof typeof data
export type EventData = { readonly [T in EventType]: (typeof data)[T]["Type"] }

const head = { seq: Positive, at: Moment, actor: Schema.String, idempotency_key: opt(Schema.String) }
const of = <T extends EventType>(type: T) => Schema.Struct({ ...head, type: Schema.Literal(type), data: data[type] })

export const WireEvent = Schema.Union([
  of("workflow.created"),
  of("handoff.offered"),
  of("handoff.claimed"),
  of("budget.reserved"),
  of("budget.returned"),
  of("usage.settled"),
  of("steps.proposed"),
  of("step.approved"),
  of("steps.resolved"),
  of("lease.renewed"),
  of("resources.released"),
  of("session.completed"),
  of("session.failed"),
  of("handoff.reclaimed"),
  of("handoff.withdrawn"),
  of("handoff.expired"),
  of("killed"),
  of("limits.raised"),
]).annotate({ identifier: "Event" })
export type WireEvent = typeof WireEvent.Type

export const Events = Schema.Struct({
  items: many(WireEvent),
  after: Count.annotate({ description: "The last sequence of this page: pass it as `after`." }),
  more: Schema.Boolean.annotate({ description: "Whether more events are there already." }),
}).annotate({ identifier: "EventPage" })
