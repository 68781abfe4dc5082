/**
 * `Telemetry`: what the runtime tells whoever watches it. A port; `adapters/telemetry` counts, traces and logs behind it.
 *
 * Off unless one is provided: then nothing of it is called or made, and no clock is read. What is provided is called where
 * commands are decided, so its methods must be quick, bounded, and must not throw.
 */
import { Context, type Effect } from "effect"
import type { Command } from "../machines/commands.ts"
import type { WorkflowId } from "../machines/ids.ts"
import type { WorkflowError } from "./errors.ts"
import type { Submission } from "./Governance.ts"
import type { Journal, StorageError } from "./Journal.ts"

/** One command or question that somebody watches. */
export interface Watch {
  /** The workflow that it is for, once that is known; not called for what is refused before. */
  located(workflowId: WorkflowId): void
  /** Its answer or error is about to be given: called once, whatever becomes of it. */
  settled(error: WorkflowError | undefined, answer: unknown): void
}

export interface TelemetryService {
  /** A command was handed in. */
  command(command: Command, submission: Submission): Watch
  /** A question about the present state was asked. */
  query(): Watch
  /** An actor begins to decide what has waited in its mailbox: so many requests. */
  turn(depth: number): void
  /** So many requests are decided again, because another writer was faster or an id that was thought to be new exists. */
  redecided(count: number): void
  /** The store, watched: every call of it, its failures, what it answers. */
  journal(journal: Journal["Service"]): Journal["Service"]
  /** The append of one group, watched; `watches` gives those of the commands that wait for it, and costs something. */
  group<A>(append: Effect.Effect<A, StorageError>, watches: () => ReadonlyArray<Watch>): Effect.Effect<A, StorageError>
}

/** Undefined watches nothing. */
export const Telemetry = Context.Reference<TelemetryService | undefined>("handrail/runtime/Telemetry", {
  defaultValue: () => undefined,
})
