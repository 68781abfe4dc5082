/**
 * The system under test, as the properties see it: one tenant with any number of workflows of one definition.
 *
 * An adapter is thin: it hands a decoded command to the rules or to a runtime, and says what can be seen afterwards.
 * Ids that the system makes up (steps, kills, prepared requests, omitted session and handoff ids) are read from its
 * answers.
 */
import type { Command } from "../../machines/commands.ts"
import type { Definition } from "../../machines/definition.ts"
import type { JournalEvent } from "../../machines/events.ts"
import type { Observation } from "./observe.ts"

export interface SutOptions {
  /** Epoch ms; never goes back. */
  readonly now: number
  /** The idempotency key. */
  readonly key?: string
}
export type Answered =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly code: string; readonly facts: Record<string, unknown> }

export interface Sut {
  /** What a `createRoot` of the given definition names; any other hash stands for another definition. */
  readonly definitionHash: string
  /**
   * Carries out one command at `now`. Before it is decided, every deadline of *every* workflow that is due at `now` has
   * fired, the earliest first (`tick` until nothing fires), whatever becomes of the command.
   */
  execute(command: Command, options: SutOptions): Promise<Answered>
  observe(): Promise<Observation>
  close(): Promise<void>
  /** Loses everything that is not durable and comes back (I7, I9). Absent where nothing is durable. */
  restart?(): Promise<void>
  /** The journal of one workflow, the oldest first (I5, I7, I9). */
  events?(workflowId: string): Promise<ReadonlyArray<JournalEvent>>
  /**
   * Problems of the hash chain and of fold = snapshot = projections, over all workflows; none is an empty list (I9).
   */
  verify?(): Promise<ReadonlyArray<string>>
  /** The same command, sent by another tenant that has no workflow (I12). */
  executeAsStranger?(command: Command, options: SutOptions): Promise<Answered>
}

export interface SutFactory {
  readonly name: string
  make(definition: Definition): Promise<Sut>
  /** Runs of a property by default; `HANDRAIL_PROPERTY_RUNS` multiplies it. */
  readonly runs: number
}

/** A hash that is not the definition's. */
export const otherHash = "0".repeat(64)
