/**
 * Snapshots: a state as JSON and back (semantics.md §10).
 *
 * Only what can't be derived is written. The sets that sessions and resources carry follow from the things themselves, in the
 * order in which those stand, so `restore(take(state))` behaves in every way like `state` (I9).
 */

import { rebuildDeadlines } from "./deadlines.ts"
import type { Limits } from "./definition.ts"
import type { KillId, SessionId, WorkflowId } from "./ids.ts"
import { resourceKey } from "./ids.ts"
import type { Account } from "./ledger.ts"
import type { WorkflowStatus } from "./projection.ts"
import type { Rules } from "./rules.ts"
import {
  emptyState,
  type Handoff,
  type OpenKill,
  type Prepared,
  type ResourceState,
  type Session,
  type State,
  type Step,
} from "./state.ts"

/**
 * Raised when a newer version writes what an older one can't read: an older one refuses it instead of mistaking it. 2 has steps
 * that await approval.
 */
export const snapshotVersion = 2
/** Everything from this one on is read. */
export const oldestSnapshotVersion = 1

type StoredSession = Omit<Session, "children" | "offers" | "steps" | "prepared" | "owns">
type StoredResource = Omit<ResourceState, "rule" | "steps">

export interface StoredState {
  readonly version: number
  readonly workflowId: WorkflowId
  readonly definitionHash: string
  readonly rootSessionId: SessionId
  readonly createdAt: number
  readonly seq: number
  readonly status: WorkflowStatus
  readonly endedAt: number | null
  readonly deadline: number | null
  readonly killId: KillId | null
  readonly rootKillId: KillId | null
  readonly limits: Limits
  readonly roleLimits: ReadonlyArray<readonly [string, Limits]>
  readonly account: Account
  readonly roleAccounts: ReadonlyArray<readonly [string, Account]>
  readonly sessions: ReadonlyArray<StoredSession>
  readonly handoffs: ReadonlyArray<Handoff>
  readonly steps: ReadonlyArray<Step>
  readonly prepared: ReadonlyArray<Prepared>
  readonly resources: ReadonlyArray<StoredResource>
  readonly idle: ReadonlyArray<string>
  readonly resourcesForgotten: boolean
  readonly kills: ReadonlyArray<readonly [KillId, OpenKill]>
}

export const takeSnapshot = (state: State): StoredState => ({
  version: snapshotVersion,
  workflowId: state.workflowId,
  definitionHash: state.rules.hash,
  rootSessionId: state.rootSessionId,
  createdAt: state.createdAt,
  seq: state.seq,
  status: state.status,
  endedAt: state.endedAt,
  deadline: state.deadline,
  killId: state.killId,
  rootKillId: state.rootKillId,
  limits: state.limits,
  roleLimits: [...state.roleLimits],
  account: state.account,
  roleAccounts: [...state.roleAccounts],
  sessions: Array.from(state.sessions.values(), ({ children, offers, steps, prepared, owns, ...session }) => session),
  handoffs: [...state.handoffs.values()],
  steps: [...state.steps.values()],
  prepared: [...state.prepared.values()],
  resources: Array.from(state.resources.values(), ({ rule, steps, ...resource }) => resource),
  idle: [...state.idle],
  resourcesForgotten: state.resourcesForgotten,
  kills: [...state.kills],
})

/** A state from a snapshot of this version or an older one. The caller has checked `version` and the definition's hash. */
export const restoreSnapshot = (stored: StoredState, rules: Rules): State => {
  const state = emptyState({
    workflowId: stored.workflowId,
    rules,
    rootSessionId: stored.rootSessionId,
    createdAt: stored.createdAt,
    deadline: stored.deadline,
  })
  const { seq, status, endedAt, killId, rootKillId, limits, resourcesForgotten } = stored
  Object.assign(state, { seq, status, endedAt, killId, rootKillId, limits, resourcesForgotten })
  Object.assign(state.account, stored.account)
  for (const [role, roleLimits] of stored.roleLimits) state.roleLimits.set(role, roleLimits)
  for (const [role, account] of stored.roleAccounts) state.roleAccounts.set(role, account)
  restoreThings(state, stored)
  rebuildDeadlines(state)
  return state
}

const restoreThings = (state: State, stored: StoredState): void => {
  for (const session of stored.sessions) {
    const sets = { children: new Set(), offers: new Set(), steps: new Set(), prepared: new Set(), owns: new Set() }
    state.sessions.set(session.sessionId, { ...session, ...(sets as Pick<Session, keyof typeof sets>) })
    if (session.parentSessionId !== null) state.sessions.get(session.parentSessionId)?.children.add(session.sessionId)
  }
  for (const handoff of stored.handoffs) {
    state.handoffs.set(handoff.handoffId, handoff)
    state.sessions.get(handoff.fromSessionId)?.offers.add(handoff.handoffId)
  }
  for (const resource of stored.resources) {
    const rule = state.rules.resource(resource.ref.name)
    if (rule === undefined) throw new Error(`the definition declares no resource ${resource.ref.name}`)
    const key = resourceKey(resource.ref)
    state.resources.set(key, { ...resource, rule, steps: new Set() })
    if (resource.owner !== null) state.sessions.get(resource.owner)?.owns.add(key)
  }
  for (const step of stored.steps) {
    state.steps.set(step.stepId, step)
    state.sessions.get(step.sessionId)?.steps.add(step.stepId)
    for (const key of step.resources) state.resources.get(key)?.steps.add(step.stepId)
  }
  for (const prepared of stored.prepared) {
    state.prepared.set(prepared.preparedRequestId, prepared)
    state.sessions.get(prepared.sessionId)?.prepared.add(prepared.preparedRequestId)
  }
  for (const key of stored.idle) state.idle.add(key)
  for (const [id, kill] of stored.kills) state.kills.set(id, kill)
}
