/** Views: what a reader sees of a state. Plain JSON, with decimal money. */
import type { HandoffStatus, SessionView, UnresolvedStep } from "./answers.ts"
import { grantOf } from "./decide/handoffs.ts"
import type { Limits, ResourceMode } from "./definition.ts"
import {
  type Fence,
  fromMicros,
  type HandoffId,
  type Json,
  type KillId,
  type ResourceRef,
  type SessionId,
  type StepId,
} from "./ids.ts"
import type { Account } from "./ledger.ts"
import type { SessionStatus, WorkflowStatus } from "./projection.ts"
import { must, type Session, type State, type Step } from "./state.ts"

export const sessionView = (state: State, session: Session): SessionView => {
  const handoff = session.handoffId === null ? undefined : state.handoffs.get(session.handoffId)
  const held = handoff?.sessionId === session.sessionId ? handoff : undefined
  return {
    workflowId: state.workflowId,
    sessionId: session.sessionId,
    role: session.role,
    agent: session.agent,
    parentSessionId: session.parentSessionId,
    status: session.status,
    depth: session.depth,
    handoff: held === undefined ? null : grantOf(held, session.generation, held.grants, held.deadline),
    steps: Array.from(session.steps, (id) => stepView(state, must(state.steps, id, "step"))),
    owns: [...session.owns].sort().map((key) => ownership(state, key)),
    killId: session.killId,
    reason: session.reason,
    createdAt: session.createdAt,
    endedAt: session.endedAt,
    stateVersion: session.version,
    seq: state.seq,
  }
}

const ownership = (state: State, key: string): Fence => {
  const { ref, fence } = must(state.resources, key, "resource")
  return { ...ref, token: fence }
}

const approvalDeadline = (step: Step): Pick<UnresolvedStep, "approvalDeadline"> =>
  step.status === "awaiting_approval" && step.deadline !== null ? { approvalDeadline: step.deadline } : {}

export const stepView = (state: State, step: Step): UnresolvedStep => ({
  stepId: step.stepId,
  tool: step.tool,
  arguments: step.arguments,
  status: step.status,
  unknown: step.unknown,
  resources: step.resources.map((key) => must(state.resources, key, "resource").ref),
  fences: step.fences,
  estimatedCost: fromMicros(step.cost),
  ...approvalDeadline(step),
})

/** One counter of a ledger; `max` and `remaining` are null without a limit. Money in decimal. */
export interface Counter {
  readonly used: number
  readonly reserved: number
  readonly max: number | null
  readonly remaining: number | null
}
export interface LedgerView {
  readonly sessions: Counter
  readonly activeSessions: Counter
  readonly steps: Counter
  readonly cost: Counter
  readonly tokens: Counter
  readonly openHandoffs: Counter
}

const counter = (used: number, reserved: number, max: number | null, shown = (n: number) => n): Counter => ({
  used: shown(used),
  reserved: shown(reserved),
  max: max === null ? null : shown(max),
  remaining: max === null ? null : shown(Math.max(0, max - used - reserved)),
})

export const ledgerView = (account: Account, limits: Limits): LedgerView => ({
  sessions: counter(account.sessions, 0, limits.maxSessions),
  activeSessions: counter(account.activeSessions, 0, limits.maxActiveSessions),
  steps: counter(account.stepsUsed, account.stepsReserved, limits.maxSteps),
  cost: counter(account.costUsed, account.costReserved, limits.maxCost, fromMicros),
  tokens: counter(account.tokensUsed, account.tokensReserved, limits.maxTokens),
  openHandoffs: counter(account.openHandoffs, 0, limits.maxOpenHandoffs),
})

export interface SessionSummary {
  readonly sessionId: SessionId
  readonly role: string
  readonly agent: string
  readonly parentSessionId: SessionId | null
  readonly handoffId: HandoffId | null
  readonly generation: number
  readonly depth: number
  readonly status: SessionStatus
  readonly stateVersion: number
  readonly createdAt: number
  readonly endedAt: number | null
  readonly killId: KillId | null
  readonly reason: string | null
}
export interface HandoffSummary {
  readonly handoffId: HandoffId
  readonly fromSessionId: SessionId
  readonly fromRole: string
  readonly toRole: string
  readonly status: HandoffStatus
  readonly generation: number
  readonly claimedBy: SessionId | null
  readonly offeredAt: number
  readonly deadline: number | null
}
export interface ResourceSummary {
  readonly name: string
  readonly key: string
  readonly mode: ResourceMode
  readonly fence: number
  readonly version: number
  readonly owner: SessionId | null
  /** Unresolved steps on it, first come first. */
  readonly steps: ReadonlyArray<{
    readonly stepId: StepId
    readonly sessionId: SessionId
    readonly status: Step["status"]
  }>
}

/** A step that awaits approval, with all that a person needs to decide on it. */
export interface PendingApproval {
  readonly stepId: StepId
  readonly sessionId: SessionId
  readonly role: string
  readonly agent: string
  readonly tool: string
  readonly arguments: Json
  readonly resources: ReadonlyArray<ResourceRef>
  /** Decimal money. */
  readonly estimatedCost: number
  /** Epoch ms at which it is rejected unless somebody decides. */
  readonly approvalDeadline: number
}

/** Everything that is open in a workflow, and its ledger. What has ended is listed by the runtime from the projections. */
export interface OpenView {
  readonly workflowId: State["workflowId"]
  readonly workflow: string
  readonly status: WorkflowStatus
  readonly definitionHash: string
  readonly rootSessionId: SessionId
  readonly createdAt: number
  readonly endedAt: number | null
  readonly deadline: number | null
  readonly killId: KillId | null
  readonly seq: number
  readonly sessions: ReadonlyArray<SessionSummary>
  readonly handoffs: ReadonlyArray<HandoffSummary>
  readonly resources: ReadonlyArray<ResourceSummary>
  /** In the order in which they were proposed. */
  readonly approvals: ReadonlyArray<PendingApproval>
  readonly ledger: LedgerView
  readonly roles: Readonly<Record<string, LedgerView>>
  /** Kills with unresolved orphans. */
  readonly fencedKills: ReadonlyArray<{ readonly killId: KillId; readonly orphans: number }>
}

const sessionSummary = (session: Session): SessionSummary => ({
  sessionId: session.sessionId,
  role: session.role,
  agent: session.agent,
  parentSessionId: session.parentSessionId,
  handoffId: session.handoffId,
  generation: session.generation,
  depth: session.depth,
  status: session.status,
  stateVersion: session.version,
  createdAt: session.createdAt,
  endedAt: session.endedAt,
  killId: session.killId,
  reason: session.reason,
})

const pendingApprovals = (state: State): ReadonlyArray<PendingApproval> => {
  const pending: Array<PendingApproval> = []
  for (const step of state.steps.values()) {
    if (step.status !== "awaiting_approval" || step.deadline === null) continue
    pending.push({
      stepId: step.stepId,
      sessionId: step.sessionId,
      role: step.role,
      agent: must(state.sessions, step.sessionId, "session").agent,
      tool: step.tool,
      arguments: step.arguments,
      resources: step.resources.map((key) => must(state.resources, key, "resource").ref),
      estimatedCost: fromMicros(step.cost),
      approvalDeadline: step.deadline,
    })
  }
  return pending
}

export const openView = (state: State): OpenView => ({
  workflowId: state.workflowId,
  workflow: state.rules.definition.workflow,
  status: state.status,
  definitionHash: state.rules.hash,
  rootSessionId: state.rootSessionId,
  createdAt: state.createdAt,
  endedAt: state.endedAt,
  deadline: state.deadline,
  killId: state.killId,
  seq: state.seq,
  sessions: Array.from(state.sessions.values(), sessionSummary),
  handoffs: Array.from(state.handoffs.values(), (handoff) => ({
    handoffId: handoff.handoffId,
    fromSessionId: handoff.fromSessionId,
    fromRole: handoff.fromRole,
    toRole: handoff.toRole,
    status: handoff.status,
    generation: handoff.generation,
    claimedBy: handoff.sessionId,
    offeredAt: handoff.offeredAt,
    deadline: handoff.deadline,
  })),
  resources: Array.from(state.resources.values(), (resource) => ({
    ...resource.ref,
    mode: resource.rule.mode,
    fence: resource.fence,
    version: resource.version,
    owner: resource.owner,
    steps: Array.from(resource.steps, (id) => {
      const { stepId, sessionId, status } = must(state.steps, id, "step")
      return { stepId, sessionId, status }
    }),
  })),
  approvals: pendingApprovals(state),
  ledger: ledgerView(state.account, state.limits),
  roles: Object.fromEntries(
    Array.from(state.roleAccounts, ([role, account]) => [
      role,
      ledgerView(account, state.roleLimits.get(role) ?? state.limits),
    ]),
  ),
  fencedKills: Array.from(state.kills, ([killId, { orphans }]) => ({ killId, orphans })),
})
