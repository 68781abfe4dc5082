/**
 * One workflow, run by the rules alone: a state, a clock that only moves, ids that are counted.
 *
 * Deadlines fire at their very moment, before whatever comes after it. The same moves give the same world, always.
 */
import type { Decision, Facts, IdKind, NewIds } from "../../machines/decide/context.ts"
import { decide, decideBirth } from "../../machines/decide/index.ts"
import type { JournalEvent } from "../../machines/events.ts"
import { birth, evolve } from "../../machines/evolve/index.ts"
import { type SessionId, WorkflowId } from "../../machines/ids.ts"
import type { Projection } from "../../machines/projection.ts"
import type { Rules } from "../../machines/rules.ts"
import type { State } from "../../machines/state.ts"
import { Ended } from "./Ended.ts"
import type { CommandMove, Move } from "./moves.ts"

export const workflowId = WorkflowId.make("wf")
const tick = { _tag: "tick", workflowId } as const
/** Deadlines that may fire between two moves: more is a rule that fires one for ever. */
const mostTicks = 10_000

/** The rules that are run. Tests run broken ones. */
export interface Machine {
  readonly decide: typeof decide
  readonly evolve: typeof evolve
}
export const theRules: Machine = { decide, evolve }

/** Who looks on. Nothing that it does changes the world. */
export interface Watcher {
  /** A decision was taken and is not applied yet. `move` is null for a deadline. */
  decided(world: World, state: State, move: CommandMove | null, decision: Decision<unknown>): void
  /** Before and after each event. */
  before(world: World, state: State, event: JournalEvent): void
  after(world: World, state: State, event: JournalEvent): void
  crashed(world: World, state: State, sessionId: SessionId): void
}

const prefixes: Readonly<Record<IdKind, string>> = { session: "s", handoff: "h", step: "t", kill: "k", prepared: "p" }

export class World {
  readonly rules: Rules
  readonly ended = new Ended()
  /** Sessions whose process has died. */
  readonly silent = new Set<SessionId>()
  readonly #machine: Machine
  readonly #watcher: Watcher
  #state: State | undefined
  #now = 0
  #ticks = 0
  #rows: Array<Projection> = []

  constructor(rules: Rules, machine: Machine, watcher: Watcher) {
    this.rules = rules
    this.#machine = machine
    this.#watcher = watcher
  }

  /** Undefined before the workflow is created. */
  get state(): State | undefined {
    return this.#state
  }

  get now(): number {
    return this.#now
  }

  /** Plays one move. Undefined where it does nothing: time only, or the process that sends it is dead. */
  play(move: Move): Decision<unknown> | undefined {
    this.advance(move.at)
    if (move._tag === "wait") return undefined
    if (move._tag === "crash") {
      this.#crash(move.sessionId)
      return undefined
    }
    const { sender, command } = move
    if (sender !== null && this.silent.has(sender)) {
      if (command._tag !== "attach") return undefined
      this.silent.delete(sender)
    }
    return this.#decide(move, command, this.#facts(move.n, sender ?? "operator:someone"))
  }

  /** Lets time pass, and fires what is due on the way. True if something fired. */
  advance(to: number): boolean {
    let fired = 0
    for (;;) {
      const state = this.#state
      const deadline = state?.deadlines.earliest(state)
      if (deadline === undefined || deadline.at > to) break
      if (fired === mostTicks) throw new Error(`${mostTicks} deadlines fired without an end`)
      fired += 1
      this.#ticks += 1
      this.#now = Math.max(this.#now, deadline.at)
      this.#decide(null, tick, this.#facts(`d${this.#ticks}`, "system"))
    }
    this.#now = Math.max(this.#now, to)
    return fired > 0
  }

  #crash(sessionId: SessionId): void {
    const state = this.#state
    if (state?.sessions.get(sessionId)?.status !== "active" || this.silent.has(sessionId)) return
    this.silent.add(sessionId)
    this.#watcher.crashed(this, state, sessionId)
  }

  #facts(n: number | string, actor: string): Facts {
    let count = 0
    return {
      now: this.#now,
      actor,
      id: <K extends IdKind>(kind: K): NewIds[K] => {
        count += 1
        // An id by construction: letters, digits and a dot.
        return `${prefixes[kind]}${n}.${count}` as NewIds[K]
      },
      archive: this.ended,
    }
  }

  #decide(move: CommandMove | null, command: CommandMove["command"] | typeof tick, facts: Facts): Decision<unknown> {
    const state = this.#state
    const decision =
      state === undefined
        ? decideBirth(workflowId, command, this.rules, facts)
        : this.#machine.decide(state, command, facts)
    if (state !== undefined) this.#watcher.decided(this, state, move, decision)
    for (const body of decision.events) {
      const event: JournalEvent = { seq: (this.#state?.seq ?? 0) + 1, at: this.#now, actor: facts.actor, body }
      this.#apply(event)
    }
    return decision
  }

  #apply(event: JournalEvent): void {
    this.#state ??= birth(event, this.rules)
    const state = this.#state
    this.#watcher.before(this, state, event)
    this.#machine.evolve(state, event, this.#rows)
    this.ended.keep(this.#rows)
    this.#rows.length = 0
    this.#watcher.after(this, state, event)
  }
}
