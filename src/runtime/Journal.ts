/**
 * The `Journal` port: what a store must do, and all that it must do.
 *
 * A store keeps, per tenant and workflow, an append-only list of events and the projections that follow from them. Its one
 * hard duty is `append`: each `Append` is all or nothing, the whole group is durable before it is answered, and an append
 * whose `expectedSeq` is not the head of its workflow changes nothing. That check is what makes two processes on one file and
 * two nodes on one database safe (architecture.md, "The write path"); owning a workflow only saves time.
 *
 * A store decides nothing and reads no clock.
 */
import { Context, type Effect, Schema } from "effect"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { Archive, ArchiveRefs, HandoffRow, Projection, SessionRow, WorkflowRow } from "../machines/projection.ts"

/**
 * The store could not carry out the call, or could not confirm it. Of an append either all or nothing is written; which
 * of the two is not known where the answer was lost (`connection`, `timeout`, `crashed`, `io`). It may be tried again.
 */
export class StorageUnavailable extends Schema.TaggedError<StorageUnavailable>()("StorageUnavailable", {
  /** What failed, in words without SQL, paths or secrets. */
  detail: Schema.String,
  /** A short cause for operators, e.g. `disk_full`, `busy`, `closed`, `io`, `connection`, `readonly`. */
  reason: Schema.String,
}) {}

/** The store holds something that this version never wrote: a row that does not parse, a break in the sequence or chain. */
export class StorageCorrupt extends Schema.TaggedError<StorageCorrupt>()("StorageCorrupt", {
  detail: Schema.String,
  workflowId: Schema.optionalKey(Schema.String),
  seq: Schema.optionalKey(Schema.Int),
}) {}
export type StorageError = StorageUnavailable | StorageCorrupt

/** One event as it is stored. `text` is its canonical JSON; `hash` = sha256(previous hash + text), lowercase hex. */
export interface Entry {
  readonly seq: number
  readonly text: string
  readonly hash: string
}
/** The previous hash of a workflow's first event. */
export const genesisHash = "0".repeat(64)

export interface Snapshot {
  /** The last event that it covers, and that event's hash. */
  readonly seq: number
  readonly hash: string
  readonly text: string
}

/** The definition that a new workflow is pinned to; stored once per hash and tenant. */
export interface StoredDefinition {
  readonly hash: string
  readonly text: string
}

export interface Append {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
  /** The head that the events were decided on: 0 for a workflow that does not exist yet. */
  readonly expectedSeq: number
  /**
   * Consecutive from `expectedSeq + 1`. Empty asks to confirm that `expectedSeq` is still the head; it may then carry `answered`
   * projections, of commands that changed nothing but have an idempotency key.
   */
  readonly entries: ReadonlyArray<Entry>
  readonly projections: ReadonlyArray<Projection>
  readonly definition?: StoredDefinition
  /** Replaces the workflow's snapshot; covers the last entry. */
  readonly snapshot?: Snapshot
}

/**
 * - `appended`: durable (or, without entries, confirmed).
 * - `conflict`: `expectedSeq` is not the head.
 * - `exists`: a session that the projections create exists in the tenant, or a handoff in the workflow; nothing of this
 *   append was written.
 */
export type Appended =
  | { readonly _tag: "appended" }
  | { readonly _tag: "conflict" }
  | { readonly _tag: "exists"; readonly kind: "session" | "handoff"; readonly id: string }

export interface Loaded {
  readonly definition: StoredDefinition
  readonly snapshot: Snapshot | null
  /** Every event after the snapshot, in order. */
  readonly entries: ReadonlyArray<Entry>
}

export interface WorkflowQuery {
  readonly status?: WorkflowRow["status"]
  /** Workflows with at least one session ever in this role. */
  readonly role?: string
  /** Opaque; from the page before. Order: newest first (createdAt desc, workflowId desc). */
  readonly cursor?: string
  readonly limit: number
}
/** Sessions or handoffs of one workflow. `open` selects what is not terminal (true) or terminal (false); all when absent. */
export interface MemberQuery {
  readonly workflowId: WorkflowId
  readonly open?: boolean
  readonly cursor?: string
  readonly limit: number
  /** Sessions: by (createdSeq, sessionId); handoffs: by (offeredSeq, handoffId). Default ascending. */
  readonly newestFirst?: boolean
}
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly cursor: string | null
}

export interface DueWorkflow {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
  readonly wakeAt: number
}

export class Journal extends Context.Service<
  Journal,
  {
    /** One transaction for the whole group; one result per append, in order. At most one append per workflow in a group. */
    append(group: ReadonlyArray<Append>): Effect.Effect<ReadonlyArray<Appended>, StorageUnavailable>
    /** Undefined when the workflow does not exist. */
    load(tenant: Tenant, workflowId: WorkflowId): Effect.Effect<Loaded | undefined, StorageError>
    /** Events after `after`, in order, at most `limit`. */
    read(
      tenant: Tenant,
      workflowId: WorkflowId,
      after: number,
      limit: number,
    ): Effect.Effect<ReadonlyArray<Entry>, StorageError>
    /** Rows of what a command names, whether open or ended; sessions are found in any workflow of the tenant. */
    lookup(tenant: Tenant, workflowId: WorkflowId, refs: ArchiveRefs): Effect.Effect<Archive, StorageError>
    listWorkflows(tenant: Tenant, query: WorkflowQuery): Effect.Effect<Page<WorkflowRow>, StorageError>
    listSessions(tenant: Tenant, query: MemberQuery): Effect.Effect<Page<SessionRow>, StorageError>
    listHandoffs(tenant: Tenant, query: MemberQuery): Effect.Effect<Page<HandoffRow>, StorageError>
    /** Workflows of all tenants with `wakeAt` ≤ `now`, earliest first; ended ones too, whose orphans may still be timed. */
    due(now: number, limit: number): Effect.Effect<ReadonlyArray<DueWorkflow>, StorageError>
    /** The earliest `wakeAt` of all tenants, or null. */
    readonly nextWake: Effect.Effect<number | null, StorageError>
    /**
     * Calls `listener` soon after another writer (another process, another node, another runtime on the same store) may
     * have committed events of that workflow. May call it for nothing; never misses a commit for longer than a fraction of a
     * second. Returns the function that unsubscribes.
     */
    subscribe(tenant: Tenant, workflowId: WorkflowId, listener: () => void): () => void
    /** Microseconds spent per stage since opening, for the benchmark's profile; empty where a store does not measure. */
    stages(): Readonly<Record<string, number>>
  }
>()("handrail/runtime/Journal") {}
