/**
 * The state of one workflow: what is open, and counts of what is closed (semantics.md §10).
 *
 * Its size follows what is open, never what ever happened: a session, handoff or step leaves it when it ends, unless
 * something open still leans on it (an orphaned step on its session, a living descendant on its dead ancestor). What left is
 * read back from the projections when a command names it.
 *
 * One actor owns a state. `evolve` updates it in place; nothing else writes to it.
 */
import type { HandoffStatus } from "./answers.ts"
import { bounds } from "./bounds.ts"
import { Deadlines } from "./deadlines.ts"
import type { Limits, Resource } from "./definition.ts"
import type {
  Artifact,
  Fence,
  HandoffId,
  Json,
  KillId,
  Micros,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  WorkflowId,
} from "./ids.ts"
import { type Account, openAccount } from "./ledger.ts"
import type { SessionStatus, WorkflowStatus } from "./projection.ts"
import type { Rules } from "./rules.ts"

export interface Session {
  readonly sessionId: SessionId
  readonly role: string
  readonly agent: string
  readonly parentSessionId: SessionId | null
  readonly handoffId: HandoffId | null
  readonly generation: number
  readonly depth: number
  readonly createdAt: number
  readonly createdSeq: number
  status: SessionStatus
  version: number
  /** The last event that raised `version`, so that one event raises it once. */
  versionSeq: number
  endedAt: number | null
  killId: KillId | null
  reason: string | null
  /** Child sessions that are still in the state. */
  readonly children: Set<SessionId>
  /** Open handoffs that the session offered. */
  readonly offers: Set<HandoffId>
  /** Its unresolved steps. */
  readonly steps: Set<StepId>
  readonly prepared: Set<PreparedRequestId>
  /** Keys of the `single_writer` resources that it owns. */
  readonly owns: Set<string>
}

/** An open handoff. */
export interface Handoff {
  readonly handoffId: HandoffId
  readonly fromSessionId: SessionId
  readonly fromRole: string
  readonly toRole: string
  readonly offeredAt: number
  readonly offeredSeq: number
  readonly summary: Json
  readonly artifacts: ReadonlyArray<Artifact>
  readonly resources: ReadonlyArray<ResourceRef>
  status: HandoffStatus
  generation: number
  sessionId: SessionId | null
  claimedAt: number
  claimedSeq: number
  /** The tokens of the ownership that came with the claim. */
  grants: ReadonlyArray<Fence>
  /** Epoch ms of the offer's lease or the claim's. */
  deadline: number | null
}

/** An unresolved step. */
export interface Step {
  readonly stepId: StepId
  readonly sessionId: SessionId
  readonly role: string
  readonly tool: string
  readonly arguments: Json
  readonly cost: Micros
  readonly tokens: number
  /** Keys of the resources that it holds or waits for. */
  readonly resources: ReadonlyArray<string>
  status: "awaiting_approval" | "queued" | "admitted" | "orphaned"
  unknown: boolean
  fences: ReadonlyArray<Fence>
  /** The kill that orphaned it. */
  killId: KillId | null
  /** Epoch ms at which approval counts as refused, or an orphan's resources are released where their rules say so. */
  deadline: number | null
}

/** A preflight's reservation. */
export interface Prepared {
  readonly preparedRequestId: PreparedRequestId
  readonly sessionId: SessionId
  readonly role: string
  readonly cost: Micros
  readonly tokens: number
  readonly version: number
  readonly deadline: number
}

export interface ResourceState {
  readonly ref: ResourceRef
  readonly rule: Resource
  /** Grants so far: the newest fencing token. */
  fence: number
  /** Commits so far. */
  version: number
  /** Of a `single_writer`. */
  owner: SessionId | null
  /** Who gets it when the last orphan of a dead owner is resolved. */
  heir: SessionId | null
  /** Unresolved steps on it, first come first. */
  readonly steps: Set<StepId>
}

/** A kill whose orphans are not all resolved. */
export interface OpenKill {
  orphans: number
}

export interface State {
  readonly workflowId: WorkflowId
  readonly rules: Rules
  readonly rootSessionId: SessionId
  readonly createdAt: number
  seq: number
  status: WorkflowStatus
  endedAt: number | null
  /** Epoch ms of `max_duration`. */
  deadline: number | null
  /** The kill that ended the workflow. */
  killId: KillId | null
  /** Set once the root session is killed: the workflow ends with its last active session. */
  rootKillId: KillId | null
  limits: Limits
  readonly roleLimits: Map<string, Limits>
  readonly account: Account
  readonly roleAccounts: Map<string, Account>
  readonly sessions: Map<SessionId, Session>
  readonly handoffs: Map<HandoffId, Handoff>
  readonly steps: Map<StepId, Step>
  readonly prepared: Map<PreparedRequestId, Prepared>
  readonly resources: Map<string, ResourceState>
  /** Resources that nothing holds, oldest first; bounded by `bounds.idleResources`. */
  readonly idle: Set<string>
  /** True once a resource's counters were put away: an unknown one must be read back. */
  resourcesForgotten: boolean
  readonly kills: Map<KillId, OpenKill>
  readonly deadlines: Deadlines
}

export interface Birth {
  readonly workflowId: WorkflowId
  readonly rules: Rules
  readonly rootSessionId: SessionId
  readonly createdAt: number
  readonly deadline: number | null
}

// Written out, as a session is: a literal that spreads an object and adds two dozen members takes V8 100 µs.
export const emptyState = (birth: Birth): State => ({
  workflowId: birth.workflowId,
  rules: birth.rules,
  rootSessionId: birth.rootSessionId,
  createdAt: birth.createdAt,
  deadline: birth.deadline,
  seq: 0,
  status: "active",
  endedAt: null,
  killId: null,
  rootKillId: null,
  limits: birth.rules.definition.limits,
  roleLimits: new Map(birth.rules.definition.roles.map((role) => [role.name, role.limits])),
  account: openAccount(),
  roleAccounts: new Map(birth.rules.definition.roles.map((role) => [role.name, openAccount()])),
  sessions: new Map(),
  handoffs: new Map(),
  steps: new Map(),
  prepared: new Map(),
  resources: new Map(),
  idle: new Set(),
  resourcesForgotten: false,
  kills: new Map(),
  deadlines: new Deadlines(),
})

/** How many things are open: what the size of the state and of its snapshot follows. */
export const openThings = (state: State): number =>
  state.sessions.size + state.handoffs.size + state.steps.size + state.prepared.size + state.resources.size

/** Present by construction: an event never names what the state does not hold. A miss is a bug or a corrupt journal. */
export const must = <K, V>(map: ReadonlyMap<K, V>, key: K, what: string): V => {
  const value = map.get(key)
  if (value === undefined) throw new Error(`the state holds no ${what} ${String(key)}`)
  return value
}

export const isLive = (state: State, sessionId: SessionId | null): boolean =>
  sessionId !== null && state.sessions.get(sessionId)?.status === "active"

/** Marks a resource that nothing holds any more, and puts the oldest idle ones away. Returns those put away. */
export const idle = (state: State, key: string): ReadonlyArray<ResourceState> => {
  state.idle.delete(key)
  state.idle.add(key)
  if (state.idle.size <= bounds.idleResources) return []
  const away: Array<ResourceState> = []
  for (const oldest of state.idle) {
    if (state.idle.size <= bounds.idleResources) break
    away.push(must(state.resources, oldest, "resource"))
    state.idle.delete(oldest)
    state.resources.delete(oldest)
    state.resourcesForgotten = true
  }
  return away
}
