/** One simulated agent: a process, the session that it works for, and what it still wants to do. */
import type { Command } from "../../machines/commands.ts"
import type { HandoffId, SessionId } from "../../machines/ids.ts"
import type { Session, State } from "../../machines/state.ts"
import type { Plan } from "./Plan.ts"
import type { Random } from "./Random.ts"
import type { Behaviour } from "./report.ts"
import type { CheckSettings } from "./settings.ts"

export interface Agent {
  behaviour: Behaviour
  /** Null: a process that looks for work and wants `handoffId`. */
  sessionId: SessionId | null
  readonly handoffId: HandoffId | null
  /** Ms since the workflow's birth: when it acts next. */
  nextAt: number
  /** Calls and offers that it still wants to make. */
  steps: number
  offers: number
  /** Refusals in a row. */
  tries: number
  /** Turns in a row in which it only waited. */
  waits: number
  /** Its process has died, and comes back at `nextAt`. */
  down: boolean
  /** Its last command, to be repeated by one that lies. */
  last: Command | null
}

/** What an agent sees at its turn. */
export interface Scene {
  readonly state: State
  readonly plan: Plan
  readonly settings: CheckSettings
  readonly random: Random
  readonly agent: Agent
  readonly session: Session
  /** The adversaries have been called off: agents finish what they can. */
  readonly finishing: boolean
}

/** What it does: a command, nothing for now, or its process dies. */
export type Turn = Command | "wait" | "crash" | "gone"
