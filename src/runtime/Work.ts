/** Work: one request in the mailbox of an actor, a command to decide or a question about the present state. */
import type { Command } from "../machines/commands.ts"
import type { Archive } from "../machines/projection.ts"
import type { Rules } from "../machines/rules.ts"
import type { State } from "../machines/state.ts"
import type { WorkflowError } from "./errors.ts"
import type { Watch } from "./Telemetry.ts"

/** Called exactly once, with an error or an answer. */
export type Settle = (error: WorkflowError | undefined, answer: unknown) => void

interface Common {
  readonly settle: Settle
  /** How often it was decided in vain because another writer was faster. */
  tries: number
  /** What was read back from the store for it. */
  archive: Archive | undefined
  /** Whether `archive` holds all that its decision needs on the present state. */
  readBack: boolean
  /** When it entered the mailbox, in the microseconds of the stage clock. */
  since?: number
}

export interface CommandWork extends Common {
  readonly _tag: "command"
  readonly command: Command
  /** Who asks: a session id, `operator:<name>` or `system`. */
  readonly actor: string
  readonly key: string | undefined
  readonly fingerprint: string
  /** The compiled definition of a `createRoot`. */
  readonly birth: { readonly rules: Rules; readonly text: string } | undefined
  /** Undefined where nobody watches. */
  readonly watch?: Watch | undefined
}

export interface QueryWork extends Common {
  readonly _tag: "query"
  /** Reads the state; must not keep a reference into it. */
  readonly read: (state: State) => unknown
}

export type Work = CommandWork | QueryWork
