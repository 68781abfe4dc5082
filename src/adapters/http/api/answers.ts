/** The bodies of answers. Each is the answer of `machines/answers.ts` or a view, in the names of the wire. */
import { Schema } from "effect"
import {
  Amount,
  Artifact,
  Count,
  Fence,
  HandoffId,
  Json,
  KillId,
  Moment,
  Name,
  opt,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  WorkflowId,
} from "./fields.ts"

const orNull = Schema.NullOr
const many = Schema.Array
const answer = <const F extends Schema.Struct.Fields>(identifier: string, fields: F): Schema.Struct<F> =>
  Schema.Struct(fields).annotate({ identifier })

const versioned = { state_version: Count, seq: Count }
const SessionStatus = Schema.Literals(["active", "completed", "failed", "killed"])
const HandoffStatus = Schema.Literals([
  "offered",
  "claimed",
  "in_progress",
  "completed",
  "failed",
  "withdrawn",
  "expired",
  "killed",
])

export const HandoffGrant = answer("HandoffGrant", {
  handoff_id: HandoffId,
  generation: Count,
  summary: Json,
  artifacts: many(Artifact),
  resources: many(Schema.Struct({ ...ResourceRef.fields, token: opt(Count) })),
  claim_deadline: orNull(Moment),
})
export const Warning = answer("Warning", {
  severity: Schema.Literals(["error", "warning"]),
  code: Schema.String,
  file: Schema.String,
  line: Count,
  column: Count,
  excerpt: Schema.String,
  message: Schema.String,
  suggestion: opt(Schema.String),
})
export const SessionOpened = answer("SessionOpened", {
  session_id: SessionId,
  session_token: Schema.String.annotate({ description: "Sent as `Handrail-Session`: proves that the caller is it." }),
  workflow_id: WorkflowId,
  role: Name,
  agent: Name,
  parent_session_id: opt(SessionId),
  ...versioned,
  handoff: opt(HandoffGrant),
  warnings: opt(many(Warning)),
})
export const Prepared = answer("Prepared", {
  prepared_request_id: PreparedRequestId,
  expires_at: Moment,
  remaining: Schema.Struct({ cost: orNull(Amount), tokens: orNull(Count), steps: orNull(Count) }),
  ...versioned,
})
/** Only while the step awaits approval. */
const approval_deadline = opt(Moment)
export const Proposed = answer("Proposed", {
  steps: many(
    Schema.Struct({
      step_id: StepId,
      tool: Name,
      status: Schema.Literals(["admitted", "queued", "awaiting_approval"]),
      fences: many(Fence),
      approval_deadline,
    }),
  ),
  ...versioned,
})
const StepStatus = Schema.Literals([
  "awaiting_approval",
  "queued",
  "admitted",
  "committed",
  "aborted",
  "orphaned",
  "late",
])
const OpenStepStatus = Schema.Literals(["awaiting_approval", "queued", "admitted", "orphaned"])
export const Receipted = answer("Receipted", {
  steps: many(Schema.Struct({ step_id: StepId, status: StepStatus, unknown: Schema.Boolean })),
  ...versioned,
})
/** One step as its session sees it; what it cost is known once it is resolved. */
export const Step = answer("Step", {
  step_id: StepId,
  session_id: SessionId,
  workflow_id: WorkflowId,
  tool: Name,
  status: StepStatus,
  unknown: Schema.Boolean,
  fences: many(Fence),
  approval_deadline,
  seq: Count,
})
export const HandoffOffered = answer("HandoffOffered", {
  handoff_id: HandoffId,
  workflow_id: WorkflowId,
  status: Schema.Literal("offered"),
  generation: Count,
  ...versioned,
  offered_at: Moment,
  offer_deadline: orNull(Moment),
})
export const HandoffChanged = answer("HandoffChanged", {
  handoff_id: HandoffId,
  workflow_id: WorkflowId,
  status: HandoffStatus,
  generation: Count,
  reason: orNull(Schema.String),
  seq: Count,
})
export const Beat = answer("Beat", { ...versioned, claim_deadline: opt(Moment) })
export const SessionEnded = answer("SessionEnded", {
  session_id: SessionId,
  status: Schema.Literals(["completed", "failed"]),
  handoff_id: orNull(HandoffId),
  workflow_status: SessionStatus,
  ...versioned,
})
export const Released = answer("Released", { released: many(ResourceRef), ...versioned })
export const KillReceipt = answer("KillReceipt", {
  kill_id: KillId,
  workflow_id: WorkflowId,
  scope: Schema.Literals(["session", "subtree", "workflow"]),
  session_id: orNull(SessionId),
  reason: Schema.String,
  actor: Schema.String,
  at: Moment,
  seq: Count,
  sessions: many(SessionId),
  handoffs: many(HandoffId),
  orphaned_steps: many(
    Schema.Struct({ step_id: StepId, session_id: SessionId, tool: Name, resources: many(ResourceRef) }),
  ),
  counts: Schema.Struct({ sessions: Count, handoffs: Count, orphaned_steps: Count }),
  state: Schema.Literals(["fenced", "quiescent"]),
})
export const StepResolved = answer("StepResolved", { step_id: StepId, status: StepStatus, seq: Count })
export const StepDecided = answer("StepDecided", { step_id: StepId, status: StepStatus, seq: Count })
export const LimitsRaised = answer("LimitsRaised", { workflow_id: WorkflowId, role: orNull(Name), seq: Count })

export const SessionView = answer("Session", {
  session_id: SessionId,
  workflow_id: WorkflowId,
  role: Name,
  agent: Name,
  parent_session_id: orNull(SessionId),
  status: SessionStatus,
  depth: Count,
  handoff: orNull(HandoffGrant),
  steps: many(
    Schema.Struct({
      step_id: StepId,
      tool: Name,
      arguments: Json,
      status: OpenStepStatus,
      unknown: Schema.Boolean,
      resources: many(ResourceRef),
      fences: many(Fence),
      estimated_cost: Amount,
      approval_deadline,
    }),
  ),
  owns: many(Fence),
  kill_id: orNull(KillId),
  reason: orNull(Schema.String),
  created_at: Moment,
  ended_at: orNull(Moment),
  ...versioned,
})

const counter = (n: Schema.Codec<number>) =>
  Schema.Struct({ used: n, reserved: n, max: orNull(n), remaining: orNull(n) })
const CountCounter = counter(Count).annotate({ identifier: "Counter" })
const Ledger = answer("Ledger", {
  sessions: CountCounter,
  active_sessions: CountCounter,
  steps: CountCounter,
  cost: counter(Amount).annotate({ identifier: "AmountCounter" }),
  tokens: CountCounter,
  open_handoffs: CountCounter,
})
const SessionSummary = answer("SessionSummary", {
  session_id: SessionId,
  role: Name,
  agent: Name,
  parent_session_id: orNull(SessionId),
  handoff_id: orNull(HandoffId),
  generation: Count,
  depth: Count,
  status: SessionStatus,
  state_version: Count,
  created_at: Moment,
  ended_at: orNull(Moment),
  kill_id: orNull(KillId),
  reason: orNull(Schema.String),
})
const HandoffSummary = answer("HandoffSummary", {
  handoff_id: HandoffId,
  from_session_id: SessionId,
  from_role: Name,
  to_role: Name,
  status: HandoffStatus,
  generation: Count,
  claimed_by: orNull(SessionId),
  offered_at: Moment,
  deadline: orNull(Moment),
})
export const PendingApproval = answer("PendingApproval", {
  step_id: StepId,
  session_id: SessionId,
  role: Name,
  agent: Name,
  tool: Name,
  arguments: Json,
  resources: many(ResourceRef),
  estimated_cost: Amount,
  approval_deadline: Moment,
})
export const WorkflowView = answer("Workflow", {
  workflow_id: WorkflowId,
  workflow: Name,
  status: SessionStatus,
  definition_hash: Schema.String,
  root_session_id: SessionId,
  created_at: Moment,
  ended_at: orNull(Moment),
  deadline: orNull(Moment),
  kill_id: orNull(KillId),
  seq: Count,
  sessions: many(SessionSummary),
  handoffs: many(HandoffSummary),
  resources: many(
    Schema.Struct({
      name: Name,
      key: Name,
      mode: Schema.Literals(["exclusive_pending", "single_writer", "serial_only"]),
      fence: Count,
      version: Count,
      owner: orNull(SessionId),
      steps: many(
        Schema.Struct({
          step_id: StepId,
          session_id: SessionId,
          status: OpenStepStatus,
        }),
      ),
    }),
  ),
  approvals: many(PendingApproval).annotate({
    description: "Steps that await approval, in the order in which they were proposed.",
  }),
  ledger: Ledger,
  roles: Schema.Record(Schema.String, Ledger),
  kills: many(Schema.Struct({ kill_id: KillId, orphans: Count })).annotate({
    description: "Kills with unresolved orphans.",
  }),
})

const page = <S extends Schema.Constraint>(identifier: string, item: S) =>
  answer(identifier, {
    items: many(item),
    cursor: orNull(Schema.String).annotate({ description: "Pass it back for the next page; null at the end." }),
  })
export const Workflows = page(
  "WorkflowPage",
  answer("WorkflowSummary", {
    workflow_id: WorkflowId,
    workflow: Name,
    definition_hash: Schema.String,
    root_session_id: SessionId,
    root_role: Name,
    status: SessionStatus,
    created_at: Moment,
    ended_at: orNull(Moment),
  }),
)
export const Sessions = page(
  "SessionPage",
  answer("SessionRow", {
    session_id: SessionId,
    workflow_id: WorkflowId,
    role: Name,
    agent: Name,
    parent_session_id: orNull(SessionId),
    handoff_id: orNull(HandoffId),
    generation: Count,
    depth: Count,
    status: SessionStatus,
    version: Count,
    created_at: Moment,
    created_seq: Count,
    ended_at: orNull(Moment),
    kill_id: orNull(KillId),
    reason: orNull(Schema.String),
  }),
)
export const Handoff = answer("Handoff", {
  handoff_id: HandoffId,
  workflow_id: WorkflowId,
  from_session_id: SessionId,
  from_role: Name,
  to_role: Name,
  status: HandoffStatus,
  generation: Count,
  session_id: orNull(SessionId),
  offered_at: Moment,
  offered_seq: Count,
  updated_at: Moment,
  deadline: orNull(Moment),
  summary: Json,
  artifacts: many(Artifact),
  resources: many(ResourceRef),
  result: Json,
  result_artifacts: many(Artifact),
  reason: orNull(Schema.String),
})
export const Handoffs = page("HandoffPage", Handoff)
export const Health = answer("Health", { status: Schema.Literal("ok") })
