/**
 * The state of the plain model: everything that ever was, in arrays, nothing dropped and nothing derived.
 *
 * The model is a second reading of the contract (semantics.md), written without looking at `decide` and `evolve`. It
 * is slow on purpose: whatever can be worked out from the arrays is worked out again each time (`ledger.ts`,
 * `queries.ts`).
 */

import type { KillScope } from "../../machines/commands.ts"
import type { Definition, Edge, Limits, Resource, Role } from "../../machines/definition.ts"
import type { Artifact, ResourceRef } from "../../machines/ids.ts"
import type { Code } from "../../machines/refusals.ts"
import type { Fault } from "./faults.ts"

export type EndStatus = "completed" | "failed" | "killed"
export type LifeStatus = "active" | EndStatus
export type HandoffStatus =
  | "offered"
  | "claimed"
  | "in_progress"
  | "completed"
  | "failed"
  | "withdrawn"
  | "expired"
  | "killed"
export type StepStatus = "awaiting_approval" | "queued" | "admitted" | "committed" | "aborted" | "orphaned" | "late"

export interface Workflow {
  readonly id: string
  readonly hash: string
  readonly rootSessionId: string
  readonly createdAt: number
  status: LifeStatus
  deadline: number | null
  limits: Limits
  roleLimits: Record<string, Limits>
  /** Why it was killed: one kill, or the root's kill and the one that took the last session. */
  endedBy: Array<string>
}
export interface Session {
  readonly workflowId: string
  readonly id: string
  readonly role: string
  readonly agent: string
  readonly parent: string | null
  readonly handoffId: string | null
  readonly depth: number
  status: LifeStatus
  version: number
  killId: string | null
}
export interface Handoff {
  readonly workflowId: string
  readonly id: string
  readonly from: string
  readonly toRole: string
  readonly summary: unknown
  readonly artifacts: ReadonlyArray<Artifact>
  readonly resources: ReadonlyArray<ResourceRef>
  readonly offeredAt: number
  status: HandoffStatus
  generation: number
  deadline: number | null
  /** Who claimed which generation, ever. */
  claims: Array<{ readonly generation: number; readonly sessionId: string }>
}
export interface Step {
  readonly workflowId: string
  readonly id: string
  readonly sessionId: string
  readonly tool: string
  /** Its tool's contract asked for a person. */
  readonly isCheckpoint: boolean
  readonly resources: ReadonlyArray<ResourceRef>
  readonly cost: number
  readonly tokens: number
  status: StepStatus
  /** Reported as unknown, still unresolved. */
  unknown: boolean
  outcome: "committed" | "aborted" | null
  /** When approval counts as refused, or when an orphan whose resources say `unresolved: release` becomes late. */
  deadline: number | null
}
export interface Prepared {
  readonly workflowId: string
  readonly id: string
  readonly sessionId: string
  readonly version: number
  readonly cost: number
  readonly tokens: number
  readonly deadline: number
  status: "open" | "used" | "returned"
}
/** A resource and who owns it; who holds it follows from the steps. */
export interface Held extends ResourceRef {
  readonly workflowId: string
  /** Of a `single_writer`; a dead owner while its orphans are unresolved. */
  owner: string | null
  /** Who gets it once the dead owner's last orphan is resolved. */
  heir: string | null
  fence: number
  version: number
}
/** Money and tokens that were really spent. */
export interface Entry {
  readonly workflowId: string
  readonly role: string
  readonly cost: number
  readonly tokens: number
  /** How much of it no reservation had announced. */
  readonly overshootCost: number
  readonly overshootTokens: number
}
export interface Kill {
  readonly workflowId: string
  id: string
  readonly scope: KillScope
  readonly sessionId: string | null
  readonly cause: "command" | "max_duration" | "reclaim" | "fail"
  readonly sessions: ReadonlyArray<string>
  readonly handoffs: ReadonlyArray<string>
  readonly steps: ReadonlyArray<string>
}
export interface Keyed {
  readonly workflowId: string
  readonly key: string
  readonly fingerprint: string
  /** Null while only the usage of a refused proposal, or a late receipt, was recorded under the key. */
  answer: ModelAnswer | null
}

export interface World {
  readonly definition: Definition
  readonly fault: Fault | null
  workflows: Array<Workflow>
  sessions: Array<Session>
  handoffs: Array<Handoff>
  steps: Array<Step>
  prepared: Array<Prepared>
  resources: Array<Held>
  entries: Array<Entry>
  kills: Array<Kill>
  keys: Array<Keyed>
}

export const emptyWorld = (definition: Definition, fault: Fault | null = null): World => ({
  definition,
  fault,
  workflows: [],
  sessions: [],
  handoffs: [],
  steps: [],
  prepared: [],
  resources: [],
  entries: [],
  kills: [],
  keys: [],
})

/** What the model is sure of in an answer; the real one may hold more. */
export type ModelAnswer = Record<string, unknown>
export type Verdict =
  | { readonly ok: true; readonly answer: ModelAnswer; readonly replayed: boolean }
  | { readonly ok: false; readonly code: Code; readonly facts: Record<string, unknown> }

/** Names for what a command creates: taken from the real answer, or made up where the model plays the real one. */
export interface Ids {
  session(): string
  handoff(): string
  step(index: number): string
  prepared(): string
  /** `said` is true where the answer names the kill; a cascade's id may stay unknown. */
  kill(said: boolean): string
}

/** Ends a command's decision. Whatever the command had changed so far is thrown away. */
export class Refused extends Error {
  readonly code: Code
  readonly facts: Record<string, unknown>
  constructor(code: Code, facts: Record<string, unknown> = {}) {
    super(code)
    this.code = code
    this.facts = facts
  }
}
export const refuse = (code: Code, facts: Record<string, unknown> = {}): never => {
  throw new Refused(code, facts)
}

export const roleOf = (world: World, name: string): Role | undefined =>
  world.definition.roles.find((role) => role.name === name)
export const edgeOf = (world: World, from: string, to: string): Edge | undefined =>
  world.definition.handoffs.find((edge) => edge.from === from && edge.to === to)
export const declared = (world: World, name: string): Resource | undefined =>
  world.definition.resources.find((resource) => resource.name === name)
