/** What an actor asks of the runtime around it: time, ids, the store, and a turn to run. All of it can be simulated. */

import type { NewIds } from "../machines/decide/context.ts"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { Archive, ArchiveRefs } from "../machines/projection.ts"
import type { State } from "../machines/state.ts"
import type { Actor } from "./Actor.ts"
import type { WorkflowError } from "./errors.ts"
import type { StorageError } from "./Journal.ts"
import type { Stages } from "./Stages.ts"
import type { TelemetryService } from "./Telemetry.ts"

export interface LoadedState {
  readonly state: State
  readonly hash: string
  /** The sequence that the stored snapshot covers; 0 without one. */
  readonly snapshotSeq: number
}

export interface ActorHost {
  /** Measures the stages of a command; undefined where nobody asked for it. */
  readonly stages: Stages | undefined
  /** Is told of turns and of what is decided again; undefined where nobody watches. */
  readonly telemetry: TelemetryService | undefined
  /** Epoch ms. */
  now(): number
  id<K extends keyof NewIds>(kind: K): NewIds[K]
  /** Lowercase hex sha256. */
  hash(text: string): string
  /** Runs the task soon, after what is running now. */
  schedule(task: () => void): void
  load(
    tenant: Tenant,
    workflowId: WorkflowId,
    then: (error: WorkflowError | undefined, loaded: LoadedState | undefined) => void,
  ): void
  lookup(
    tenant: Tenant,
    workflowId: WorkflowId,
    refs: ArchiveRefs,
    then: (error: StorageError | undefined, archive: Archive) => void,
  ): void
  /** The actor has a batch for the journal. */
  enlist(actor: Actor): void
  /** Events of the actor became durable. */
  announce(actor: Actor): void
  /** Something that must never happen has: for the log. */
  defect(cause: unknown, actor: Actor): void
  /** The actor has nothing to do; it may be put away. */
  rested(actor: Actor): void
}
