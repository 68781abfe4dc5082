/**
 * The HTTP API, defined once (wire.md, "Routes"): from it come the server's routes, the typed client and `/openapi.json`.
 *
 * It holds no server code, so that a client can import it.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access, type Rule } from "./Access.ts"
import * as Answers from "./answers.ts"
import * as Bodies from "./bodies.ts"
import { Events } from "./events.ts"
import { CountText, HandoffId, KillId, Name, opt, SessionId, StepId, WorkflowId } from "./fields.ts"
import { acting, commanding, ProblemCode, reading } from "./problems.ts"

const apiPrefix = "/api/v1/replay"

const said = (summary: string) => OpenApi.annotations({ summary })
const rule = (of: Rule) => [Access, of] as const

const Key = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255))
const Token = Schema.String
const trace = { traceparent: opt(Schema.String) }
const reads = Schema.Struct({ "handrail-session": opt(Token), ...trace })
const commands = Schema.Struct({ "idempotency-key": opt(Key), "handrail-session": opt(Token), ...trace })
const created = HttpApiSchema.status(201)

const ofSession = Schema.Struct({ session_id: SessionId })
const ofStep = Schema.Struct({ session_id: SessionId, step_id: StepId })
const ofWorkflow = Schema.Struct({ workflow_id: WorkflowId })
const ofHandoff = Schema.Struct({ workflow_id: WorkflowId, handoff_id: HandoffId })
const pages = { cursor: opt(Schema.String), limit: opt(CountText) }
const members = Schema.Struct({ open: opt(Schema.Literals(["true", "false"])), ...pages })

const sessions = HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.post("createSession", "/sessions", {
      headers: commands,
      payload: Bodies.CreateSession,
      success: Answers.SessionOpened.pipe(created),
      error: commanding(
        ...([
          "invalid_definition",
          "workflow_exists",
          "session_exists",
          "role_not_root",
          "workflow_not_found",
        ] as const),
        ...(["handoff_not_found", "handoff_already_claimed", "handoff_closed", "role_mismatch"] as const),
        ...(["parent_mismatch", "limit_exceeded", "resource_owned", "workflow_killed", "workflow_not_active"] as const),
        ...(["stale_generation", "session_not_found", "session_killed", "session_not_active"] as const),
      ),
    })
      .annotate(...rule("enter"))
      .annotateMerge(said("Create a workflow with its root session, or claim a handoff")),
    HttpApiEndpoint.get("getSession", "/sessions/:session_id", {
      params: ofSession,
      headers: reads,
      success: Answers.SessionView,
      error: reading("session_not_found", "workflow_not_found"),
    })
      .annotate(...rule("look"))
      .annotateMerge(said("A session, with its unresolved steps")),
    HttpApiEndpoint.post("preflight", "/sessions/:session_id/preflight", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Preflight,
      success: Answers.Prepared,
      error: acting("limit_exceeded", "cost_unknown"),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Reserve room before a model call")),
    HttpApiEndpoint.post("propose", "/sessions/:session_id/proposals", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Propose,
      success: Answers.Proposed,
      error: acting(
        ...(["limit_exceeded", "cost_unknown", "prepared_request_invalid", "resource_unknown"] as const),
        ...(["resource_pending", "resource_owned", "resource_busy"] as const),
      ),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Ask for admission of tool calls: all or none")),
    HttpApiEndpoint.post("receipt", "/sessions/:session_id/receipts", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Receipts,
      success: Answers.Receipted,
      error: acting(
        ...(["step_not_found", "step_queued", "step_awaiting_approval"] as const),
        ...(["step_already_resolved", "stale_fence"] as const),
      ),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Say what became of admitted steps")),
    HttpApiEndpoint.get("getStep", "/sessions/:session_id/steps/:step_id", {
      params: ofStep,
      query: Schema.Struct({ wait: opt(CountText) }),
      headers: reads,
      success: Answers.Step,
      error: reading("session_not_found", "workflow_not_found", "step_not_found"),
    })
      .annotate(...rule("look"))
      .annotateMerge(
        said("A step; with `wait` (ms), one that is queued or awaits approval is answered once it no longer waits"),
      ),
    HttpApiEndpoint.post("offer", "/sessions/:session_id/handoffs", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Offer,
      success: Answers.HandoffOffered.pipe(created),
      error: acting(
        ...(["handoff_not_permitted", "limit_exceeded", "handoff_exists", "invalid_summary"] as const),
        ...(["resource_unknown", "resource_owned"] as const),
      ),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Offer work to another role")),
    HttpApiEndpoint.post("heartbeat", "/sessions/:session_id/heartbeat", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Plain,
      success: Answers.Beat,
      error: acting(),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Renew the claim lease")),
    HttpApiEndpoint.post("complete", "/sessions/:session_id/complete", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Complete,
      success: Answers.SessionEnded,
      error: acting("steps_unresolved", "handoffs_open", "descendants_active", "handoff_not_in_progress"),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Complete a session, and its handoff or workflow with it")),
    HttpApiEndpoint.post("fail", "/sessions/:session_id/fail", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Fail,
      success: Answers.SessionEnded,
      error: acting(),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Give up")),
    HttpApiEndpoint.post("release", "/sessions/:session_id/release", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Release,
      success: Answers.Released,
      error: acting("resource_unknown", "resource_not_owned", "steps_unresolved"),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Give up resources that the session owns as their single writer")),
    HttpApiEndpoint.post("killSession", "/sessions/:session_id/kill", {
      params: ofSession,
      headers: commands,
      payload: Bodies.KillSession,
      success: Answers.KillReceipt,
      error: acting(),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Kill a session, alone or with everything below it")),
    HttpApiEndpoint.post("attach", "/sessions/:session_id/attach", {
      params: ofSession,
      headers: commands,
      payload: Bodies.Plain,
      success: Answers.SessionView,
      error: acting(),
    })
      .annotate(...rule("act"))
      .annotateMerge(said("Resume an active session after its process restarted")),
  )
  .prefix(apiPrefix)

const workflows = HttpApiGroup.make("workflows")
  .add(
    HttpApiEndpoint.get("listWorkflows", "/workflows", {
      query: Schema.Struct({
        status: opt(Schema.Literals(["active", "completed", "failed", "killed"])),
        role: opt(Name),
        ...pages,
      }),
      headers: reads,
      success: Answers.Workflows,
      error: reading(),
    })
      .annotate(...rule("list"))
      .annotateMerge(said("Workflows, newest first")),
    HttpApiEndpoint.get("getWorkflow", "/workflows/:workflow_id", {
      params: ofWorkflow,
      headers: reads,
      success: Answers.WorkflowView,
      error: reading("workflow_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("All that is open in a workflow, and the latest of what has ended")),
    HttpApiEndpoint.get("listSessions", "/workflows/:workflow_id/sessions", {
      params: ofWorkflow,
      query: members,
      headers: reads,
      success: Answers.Sessions,
      error: reading("workflow_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("Every session that a workflow ever had")),
    HttpApiEndpoint.get("listHandoffs", "/workflows/:workflow_id/handoffs", {
      params: ofWorkflow,
      query: members,
      headers: reads,
      success: Answers.Handoffs,
      error: reading("workflow_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("Every handoff that a workflow ever had")),
    HttpApiEndpoint.get("getHandoff", "/workflows/:workflow_id/handoffs/:handoff_id", {
      params: ofHandoff,
      headers: reads,
      success: Answers.Handoff,
      error: reading("workflow_not_found", "handoff_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("A handoff with its summary and, once it is completed, its result")),
    HttpApiEndpoint.get("getKill", "/workflows/:workflow_id/kills/:kill_id", {
      params: Schema.Struct({ workflow_id: WorkflowId, kill_id: KillId }),
      headers: reads,
      success: Answers.KillReceipt,
      error: reading("workflow_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("The receipt of a kill, as it stands now")),
    HttpApiEndpoint.get("events", "/workflows/:workflow_id/events", {
      params: ofWorkflow,
      query: Schema.Struct({ after: opt(CountText), limit: opt(CountText) }),
      headers: Schema.Struct({ ...reads.fields, accept: opt(Schema.String), "last-event-id": opt(CountText) }),
      success: Events,
      error: reading("workflow_not_found"),
    })
      .annotate(...rule("watch"))
      .annotateMerge(said("Events after a sequence; with `Accept: text/event-stream` a live stream")),
    HttpApiEndpoint.post("reclaim", "/workflows/:workflow_id/handoffs/:handoff_id/reclaim", {
      params: ofHandoff,
      headers: commands,
      payload: Bodies.TakeBack,
      success: Answers.HandoffChanged,
      error: acting(
        ...(["handoff_not_found", "handoff_in_progress", "handoff_not_claimed"] as const),
        ...(["handoff_closed", "stale_generation", "resource_owned"] as const),
      ),
    })
      .annotate(...rule("settle"))
      .annotateMerge(said("Take a claimed handoff back")),
    HttpApiEndpoint.post("completeHandoff", "/workflows/:workflow_id/handoffs/:handoff_id/complete", {
      params: ofHandoff,
      headers: commands,
      payload: Bodies.CompleteHandoff,
      success: Answers.HandoffChanged,
      error: acting(
        ...(["handoff_not_found", "handoff_not_in_progress", "handoff_closed", "stale_generation"] as const),
        ...(["handoff_not_claimed", "steps_unresolved", "handoffs_open", "descendants_active"] as const),
      ),
    })
      .annotate(...rule("settle"))
      .annotateMerge(said("Complete a handoff, as its claimant or an operator")),
    HttpApiEndpoint.post("failHandoff", "/workflows/:workflow_id/handoffs/:handoff_id/fail", {
      params: ofHandoff,
      headers: commands,
      payload: Bodies.EndHandoff,
      success: Answers.HandoffChanged,
      error: acting("handoff_not_found", "handoff_not_claimed", "handoff_closed", "stale_generation"),
    })
      .annotate(...rule("settle"))
      .annotateMerge(said("Fail a handoff, as its claimant or an operator")),
    HttpApiEndpoint.post("withdraw", "/workflows/:workflow_id/handoffs/:handoff_id/withdraw", {
      params: ofHandoff,
      headers: commands,
      payload: Bodies.TakeBack,
      success: Answers.HandoffChanged,
      error: acting(
        ...(["handoff_not_found", "handoff_already_claimed", "handoff_in_progress"] as const),
        ...(["handoff_closed", "stale_generation"] as const),
      ),
    })
      .annotate(...rule("settle"))
      .annotateMerge(said("Withdraw an offer")),
    HttpApiEndpoint.post("killWorkflow", "/workflows/:workflow_id/kill", {
      params: ofWorkflow,
      headers: commands,
      payload: Bodies.KillWorkflow,
      success: Answers.KillReceipt,
      error: commanding("workflow_not_found", "workflow_not_active"),
    })
      .annotate(...rule("operate"))
      .annotateMerge(said("Kill a workflow")),
    HttpApiEndpoint.post("resolveStep", "/workflows/:workflow_id/steps/:step_id/resolve", {
      params: Schema.Struct({ workflow_id: WorkflowId, step_id: StepId }),
      headers: commands,
      payload: Bodies.Resolve,
      success: Answers.StepResolved,
      error: commanding(
        ...(["workflow_not_found", "step_not_found", "step_queued"] as const),
        ...(["step_awaiting_approval", "step_already_resolved"] as const),
      ),
    })
      .annotate(...rule("operate"))
      .annotateMerge(said("Say what became of a step that nobody else can")),
    HttpApiEndpoint.post("approveStep", "/workflows/:workflow_id/steps/:step_id/approve", {
      params: Schema.Struct({ workflow_id: WorkflowId, step_id: StepId }),
      headers: commands,
      payload: Bodies.Approve,
      success: Answers.StepDecided,
      error: commanding("workflow_not_found", "step_not_found", "step_not_awaiting_approval"),
    })
      .annotate(...rule("operate"))
      .annotateMerge(said("Let a step that awaits approval be admitted, as soon as its turn comes")),
    HttpApiEndpoint.post("rejectStep", "/workflows/:workflow_id/steps/:step_id/reject", {
      params: Schema.Struct({ workflow_id: WorkflowId, step_id: StepId }),
      headers: commands,
      payload: Bodies.Reject,
      success: Answers.StepDecided,
      error: commanding("workflow_not_found", "step_not_found", "step_not_awaiting_approval"),
    })
      .annotate(...rule("operate"))
      .annotateMerge(said("Abort a step that awaits approval")),
    HttpApiEndpoint.post("raiseLimits", "/workflows/:workflow_id/limits", {
      params: ofWorkflow,
      headers: commands,
      payload: Bodies.RaiseLimits,
      success: Answers.LimitsRaised,
      error: commanding("workflow_not_found", "workflow_killed", "workflow_not_active", "limits_only_raise"),
    })
      .annotate(...rule("operate"))
      .annotateMerge(said("Raise limits of the workflow or of one role")),
  )
  .prefix(apiPrefix)

const service = HttpApiGroup.make("service").add(
  HttpApiEndpoint.get("healthz", "/healthz", { success: Answers.Health, error: reading() })
    .annotate(...rule("open"))
    .annotateMerge(said("The process answers")),
  HttpApiEndpoint.get("readyz", "/readyz", { success: Answers.Health, error: reading() })
    .annotate(...rule("open"))
    .annotateMerge(said("The store answers, and the server is not stopping")),
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain" })),
    error: reading(),
  })
    .annotate(...rule("open"))
    .annotateMerge(said("Figures for Prometheus")),
  HttpApiEndpoint.get("openapi", "/openapi.json", { success: Schema.Json, error: reading() })
    .annotate(...rule("open"))
    .annotateMerge(said("This document")),
)

export const Api = HttpApi.make("handrail")
  .add(sessions, workflows, service)
  .annotate(HttpApi.AdditionalSchemas, [ProblemCode])
  .annotateMerge(
    OpenApi.annotations({
      title: "Handrail",
      version: "1.0",
      description: "Workflow governance for multi-agent systems: handoffs, shared resources, budgets and kills.",
    }),
  )
