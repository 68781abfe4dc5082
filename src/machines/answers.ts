/**
 * Answers: what each command returns when it is carried out.
 *
 * An answer is plain JSON and whole: a repeated command with the same idempotency key gets this very value (I8). Money is
 * in decimal here, because an answer is for people and programs outside.
 */

import type { KillScope } from "./commands.ts"
import type {
  Artifact,
  Fence,
  HandoffId,
  Json,
  KillId,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  WorkflowId,
} from "./ids.ts"

interface Versioned {
  /** The session's version after the command; grows with every event that changes the session. */
  readonly stateVersion: number
  /** The workflow's sequence after the command. */
  readonly seq: number
}

/** What crosses from parent to child: nothing else does (semantics.md §1). */
export interface HandoffGrant {
  readonly handoffId: HandoffId
  readonly generation: number
  readonly summary: Json
  readonly artifacts: ReadonlyArray<Artifact>
  /** The bindings; a `single_writer` one carries the token of the ownership that came with the claim. */
  readonly resources: ReadonlyArray<ResourceRef & { readonly token?: number }>
  /** Epoch ms after which the claim is reclaimed unless a step was committed; null without a lease. */
  readonly claimDeadline: number | null
}

export interface SessionOpened extends Versioned {
  readonly workflowId: WorkflowId
  readonly sessionId: SessionId
  readonly role: string
  readonly agent: string
  readonly parentSessionId: SessionId | null
  readonly handoff: HandoffGrant | null
}

export type HandoffStatus =
  | "offered"
  | "claimed"
  | "in_progress"
  | "completed"
  | "failed"
  | "withdrawn"
  | "expired"
  | "killed"

export interface HandoffOffered {
  readonly handoffId: HandoffId
  readonly workflowId: WorkflowId
  readonly status: "offered"
  readonly generation: number
  readonly seq: number
  readonly stateVersion: number
  /** Epoch ms. */
  readonly offeredAt: number
  readonly offerDeadline: number | null
}

/** A handoff after reclaim, withdraw, complete or fail. */
export interface HandoffChanged {
  readonly handoffId: HandoffId
  readonly workflowId: WorkflowId
  readonly status: HandoffStatus
  readonly generation: number
  readonly reason: string | null
  readonly seq: number
}

export interface Remaining {
  /** Null without a limit. Decimal money. */
  readonly cost: number | null
  readonly tokens: number | null
  readonly steps: number | null
}
export interface Prepared extends Versioned {
  readonly preparedRequestId: PreparedRequestId
  /** Epoch ms after which the reservation returns. */
  readonly expiresAt: number
  /** The strictest of workflow and role, after this reservation. */
  readonly remaining: Remaining
}

export interface ProposedStep {
  readonly stepId: StepId
  readonly tool: string
  readonly status: "admitted" | "queued" | "awaiting_approval"
  /** Empty until the step is admitted, but for the resources that a waiting step already owns. */
  readonly fences: ReadonlyArray<Fence>
  /** Epoch ms at which it is rejected unless somebody decides; only while it awaits approval. */
  readonly approvalDeadline?: number
}
export interface Proposed extends Versioned {
  readonly steps: ReadonlyArray<ProposedStep>
}

export type StepStatus = "awaiting_approval" | "queued" | "admitted" | "committed" | "aborted" | "orphaned" | "late"
export interface ResolvedStep {
  readonly stepId: StepId
  readonly status: StepStatus
  /** True for an admitted step whose outcome was reported as unknown. */
  readonly unknown: boolean
}
export interface Receipted extends Versioned {
  readonly steps: ReadonlyArray<ResolvedStep>
}

export interface Beat extends Versioned {
  readonly claimDeadline: number | null
}

export interface Released extends Versioned {
  readonly released: ReadonlyArray<ResourceRef>
}

export interface SessionEnded extends Versioned {
  readonly sessionId: SessionId
  readonly status: "completed" | "failed"
  readonly handoffId: HandoffId | null
  /** Set when the command ended the workflow too. */
  readonly workflowStatus: "active" | "completed" | "failed" | "killed"
}

export interface OrphanedStep {
  readonly stepId: StepId
  readonly sessionId: SessionId
  readonly tool: string
  readonly resources: ReadonlyArray<ResourceRef>
}
/** What a kill did (semantics.md §8). A repeated kill answers with the receipt of the kill that ended its target. */
export interface KillReceipt {
  readonly killId: KillId
  readonly workflowId: WorkflowId
  readonly scope: KillScope
  readonly sessionId: SessionId | null
  readonly reason: string
  readonly actor: string
  /** Epoch ms. */
  readonly at: number
  readonly seq: number
  readonly sessions: ReadonlyArray<SessionId>
  readonly handoffs: ReadonlyArray<HandoffId>
  readonly orphanedSteps: ReadonlyArray<OrphanedStep>
  /** Exact, also where a list was cut at `bounds.receiptItems`. */
  readonly counts: { readonly sessions: number; readonly handoffs: number; readonly orphanedSteps: number }
  /** `fenced` while an orphan is unresolved, `quiescent` once none is. */
  readonly state: "fenced" | "quiescent"
}

export interface StepResolved {
  readonly stepId: StepId
  readonly status: StepStatus
  readonly seq: number
}
/** A step that an operator has approved (it is admitted, or queued until its turn comes) or rejected (aborted). */
export interface StepDecided {
  readonly stepId: StepId
  /** As it is now: a repeated decision answers with what the step has become since. */
  readonly status: StepStatus
  readonly seq: number
}
export interface LimitsRaised {
  readonly workflowId: WorkflowId
  readonly role: string | null
  readonly seq: number
}

/** An unresolved step, as its session sees it when it attaches. */
export interface UnresolvedStep {
  readonly stepId: StepId
  readonly tool: string
  readonly arguments: Json
  readonly status: "awaiting_approval" | "queued" | "admitted" | "orphaned"
  readonly unknown: boolean
  readonly resources: ReadonlyArray<ResourceRef>
  readonly fences: ReadonlyArray<Fence>
  /** Decimal money. */
  readonly estimatedCost: number
  /** Epoch ms at which it is rejected unless somebody decides; only while it awaits approval. */
  readonly approvalDeadline?: number
}
export interface SessionView extends Versioned {
  readonly workflowId: WorkflowId
  readonly sessionId: SessionId
  readonly role: string
  readonly agent: string
  readonly parentSessionId: SessionId | null
  readonly status: "active" | "completed" | "failed" | "killed"
  readonly depth: number
  readonly handoff: HandoffGrant | null
  readonly steps: ReadonlyArray<UnresolvedStep>
  readonly owns: ReadonlyArray<Fence>
  readonly killId: KillId | null
  readonly reason: string | null
  readonly createdAt: number
  readonly endedAt: number | null
}

export interface Answers {
  readonly createRoot: SessionOpened
  readonly claim: SessionOpened
  readonly attach: SessionView
  readonly offer: HandoffOffered
  readonly preflight: Prepared
  readonly propose: Proposed
  readonly receipt: Receipted
  readonly heartbeat: Beat
  readonly release: Released
  readonly complete: SessionEnded
  readonly fail: SessionEnded
  readonly completeHandoff: HandoffChanged
  readonly failHandoff: HandoffChanged
  readonly reclaim: HandoffChanged
  readonly withdraw: HandoffChanged
  readonly kill: KillReceipt
  readonly resolveStep: StepResolved
  readonly approveStep: StepDecided
  readonly rejectStep: StepDecided
  readonly raiseLimits: LimitsRaised
  readonly tick: { readonly fired: number }
}
