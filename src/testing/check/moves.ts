/**
 * Moves: what a history is made of. Everything that is not a rule is in them: who acts, when, and who dies.
 *
 * A history is played again from its moves alone, also with some of them left out: each carries its own number, from which
 * the ids that it makes are built, so that what follows still names the same things.
 */
import type { Command } from "../../machines/commands.ts"
import type { SessionId } from "../../machines/ids.ts"

interface Timed {
  /** Unique within its run, and stable when other moves are left out. */
  readonly n: number
  /** Ms since the workflow's birth. */
  readonly at: number
}

/** `sender` is the session whose process sends the command; null for an operator, or for a process that has none yet. */
export interface CommandMove extends Timed {
  readonly _tag: "command"
  readonly sender: SessionId | null
  readonly command: Command
}

/** The process of a session dies: nothing is heard of it until it attaches again. */
export interface CrashMove extends Timed {
  readonly _tag: "crash"
  readonly sessionId: SessionId
}

/** Time passes, and deadlines fire. */
export interface WaitMove extends Timed {
  readonly _tag: "wait"
}

export type Move = CommandMove | CrashMove | WaitMove
