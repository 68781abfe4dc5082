/**
 * The compiled definition of a workflow: what `src/definition` produces from workflow.yaml and what the rules read.
 *
 * Plain JSON, with every default filled in, money in micro-units and durations in milliseconds; its canonical JSON is
 * hashed, and a workflow is pinned to that hash for its whole life (semantics.md §2).
 */
import { Schema } from "effect"
import { Count, Millis, Name, Positive } from "./ids.ts"

const limit = Schema.NullOr(Count)

/** The limits of a workflow or a role; `null` is no limit. `maxCost` is in micro-units. */
export const Limits = Schema.Struct({
  maxSessions: limit,
  maxActiveSessions: limit,
  maxSteps: limit,
  maxCost: limit,
  maxTokens: limit,
  maxOpenHandoffs: limit,
  maxDepth: limit,
  /** Milliseconds from the workflow's creation; always null for a role. */
  maxDurationMs: limit,
})
export type Limits = typeof Limits.Type
export type LimitName = keyof Limits

export const noLimits: Limits = {
  maxSessions: null,
  maxActiveSessions: null,
  maxSteps: null,
  maxCost: null,
  maxTokens: null,
  maxOpenHandoffs: null,
  maxDepth: null,
  maxDurationMs: null,
}

export const SideEffect = Schema.Literals(["read", "write", "destructive", "admin", "financial"])
export const EvidenceClass = Schema.Literals(["local_transaction", "ack_only", "unverifiable"])

/** Where a tool's call finds the key of a resource: a path of member names into its arguments, or a constant. */
export const ResourceBinding = Schema.Struct({
  name: Name,
  key: Schema.Union([Schema.Struct({ path: Schema.Array(Schema.String) }), Schema.Struct({ constant: Name })]),
})
export type ResourceBinding = typeof ResourceBinding.Type

/** One tool of a role: what it binds, costs and how long it may take. `rest` keeps the validated keys of later rules. */
export const ToolContract = Schema.Struct({
  tool: Name,
  sideEffect: SideEffect,
  evidenceClass: EvidenceClass,
  resources: Schema.Array(ResourceBinding),
  /** The estimate of a call that gives none, in micro-units. */
  estimate: limit,
  timeoutMs: Schema.NullOr(Positive),
  rest: Schema.Record(Schema.String, Schema.Json),
})
export type ToolContract = typeof ToolContract.Type

export const Role = Schema.Struct({
  name: Name,
  root: Schema.Boolean,
  limits: Limits,
  /** The estimate of a call whose tool has none, in micro-units. */
  defaultCost: limit,
  /** The role's session.yaml, validated; null where workflow.yaml names none or it was not given. */
  session: Schema.NullOr(Schema.Record(Schema.String, Schema.Json)),
  tools: Schema.Array(ToolContract),
})
export type Role = typeof Role.Type

/** An edge: a session in role `from` may offer work to role `to`. */
export const Edge = Schema.Struct({
  from: Name,
  to: Name,
  claimTimeoutMs: Schema.NullOr(Positive),
  offerTimeoutMs: Schema.NullOr(Positive),
  /** How many generations a handoff may have before a reclaim fails it; null is no limit. */
  maxAttempts: Schema.NullOr(Positive),
  completion: Schema.Literals(["requires_progress", "any"]),
  summarySchema: Schema.NullOr(Schema.Json),
})
export type Edge = typeof Edge.Type

export const ResourceMode = Schema.Literals(["exclusive_pending", "single_writer", "serial_only"])
export type ResourceMode = typeof ResourceMode.Type

export const Resource = Schema.Struct({
  name: Name,
  mode: ResourceMode,
  /** What an orphaned step does with the resource: hold it until it is resolved, or release it after `pendingTimeoutMs`. */
  unresolved: Schema.Literals(["hold", "release"]),
  pendingTimeoutMs: Schema.NullOr(Positive),
})
export type Resource = typeof Resource.Type

export const Definition = Schema.Struct({
  schemaVersion: Schema.Literal("1.0"),
  workflow: Name,
  roles: Schema.Array(Role),
  handoffs: Schema.Array(Edge),
  resources: Schema.Array(Resource),
  limits: Limits,
  preflightTimeoutMs: Millis,
})
export type Definition = typeof Definition.Type

/** A definition with the lowercase hex sha256 of its canonical JSON: what a compiler answers and a store keeps. */
export interface Artifact {
  readonly hash: string
  readonly definition: Definition
}
