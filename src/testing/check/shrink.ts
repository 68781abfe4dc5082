/**
 * Makes a history shorter while it still shows the same thing: leaves moves out, takes calls out of proposals, takes waiting
 * away.
 *
 * Greedy and bounded: what is left can't lose any single move, unless the bound on tries was met first.
 */
import type { Command } from "../../machines/commands.ts"
import type { Rules } from "../../machines/rules.ts"
import { checkBounds } from "./bounds.ts"
import type { Move } from "./moves.ts"
import { Totals } from "./Totals.ts"
import { type Sighting, Watch } from "./Watch.ts"
import { type Machine, type Watcher, World } from "./World.ts"

export interface Shrunk {
  readonly moves: ReadonlyArray<Move>
  /** As it was seen on the shorter history: its figures may differ. */
  readonly sighting: Sighting
}

export const shrink = (rules: Rules, machine: Machine, moves: ReadonlyArray<Move>, sighting: Sighting): Shrunk =>
  new Shrinker(rules, machine, { moves, sighting }).run()

class Shrinker {
  readonly #rules: Rules
  readonly #machine: Machine
  #best: Shrunk
  #tries = 0

  constructor(rules: Rules, machine: Machine, first: Shrunk) {
    this.#rules = rules
    this.#machine = machine
    this.#best = first
  }

  run(): Shrunk {
    this.#try(this.#best.moves)
    this.#leaveOut()
    this.#withoutTies()
    this.#fewerCalls()
    for (let before = Number.POSITIVE_INFINITY; this.#best.moves.length < before; ) {
      before = this.#best.moves.length
      this.#leaveOut()
    }
    for (let round = 0; round < 3; round += 1) this.#hurry()
    this.#leaveOut()
    return this.#best
  }

  /** Leaves out ever smaller parts, from the end, where most follows from what is before it. */
  #leaveOut(): void {
    for (let size = Math.ceil(this.#best.moves.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let end = this.#best.moves.length; end > 1; end -= size) {
        const { moves } = this.#best
        const from = Math.max(1, end - size)
        if (from < moves.length) this.#try([...moves.slice(0, from), ...moves.slice(end)])
      }
  }

  /** Takes calls out of proposals, one after another. */
  #fewerCalls(): void {
    for (let index = 0; index < this.#best.moves.length; index += 1)
      for (let call = 63; call >= 0; call -= 1) {
        const move = this.#best.moves[index]
        if (move?._tag !== "command" || move.command._tag !== "propose") break
        const { command } = move
        if (command.calls.length < 2) break
        if (call >= command.calls.length) continue
        const calls = command.calls.toSpliced(call, 1)
        this.#try(this.#best.moves.with(index, { ...move, command: { ...command, calls } }))
      }
  }

  /** Takes out of commands what ties them to others: tokens, versions, reservations. Those others can then be left out. */
  #withoutTies(): void {
    for (const [index, move] of this.#best.moves.entries()) {
      if (move._tag !== "command") continue
      const command = untied(move.command)
      if (command !== undefined) this.#try(this.#best.moves.with(index, { ...move, command }))
    }
  }

  /** Lets moves follow at once, or right after the deadline that they wait for. */
  #hurry(): void {
    for (let index = 1; index < this.#best.moves.length; index += 1) {
      const { moves } = this.#best
      const before = moves[index - 1]?.at ?? 0
      const at = moves[index]?.at ?? before
      if (at === before) continue
      const times = [before, ...this.#deadlinesOf(moves).filter((time) => time > before && time < at)]
      for (const time of times) if (this.#try(earlier(moves, index, at - time))) break
    }
  }

  /** Keeps a history where it shows the same; it is cut where it does. */
  #try(moves: ReadonlyArray<Move>): boolean {
    if (this.#tries >= checkBounds.shrinkTries) return false
    this.#tries += 1
    let seen: Sighting | undefined
    const watch = new Watch(new Totals(), (sighting) => {
      if (sighting.id === this.#best.sighting.id) seen ??= sighting
    })
    const world = new World(this.#rules, this.#machine, watch)
    let played = 0
    try {
      for (const move of moves) {
        played += 1
        world.play(move)
        if (seen !== undefined || watch.broken) break
      }
    } catch (error) {
      watch.violated("rules", error instanceof Error ? error.message : String(error))
    }
    if (seen === undefined) return false
    this.#best = { moves: moves.slice(0, played), sighting: seen }
    return true
  }

  #deadlinesOf(moves: ReadonlyArray<Move>): ReadonlyArray<number> {
    const times: Array<number> = []
    const silent = (): void => {}
    const watcher: Watcher = {
      decided: (world, _state, move) => {
        if (move === null) times.push(world.now)
      },
      before: silent,
      after: silent,
      crashed: silent,
    }
    const world = new World(this.#rules, this.#machine, watcher)
    try {
      for (const move of moves) world.play(move)
    } catch {
      // A rule that throws: what fired before it is known.
    }
    return times
  }
}

/** The command alone; undefined where nothing ties it. */
const untied = (command: Command): Command | undefined => {
  if (command._tag === "receipt" && command.receipts.some(({ fences }) => fences !== undefined))
    return { ...command, receipts: command.receipts.map(({ fences: _token, ...item }) => item) }
  if (command._tag !== "propose") return undefined
  const { _tag, sessionId, calls, preparedRequestId, usage } = command
  return preparedRequestId === undefined && usage === undefined ? undefined : { _tag, sessionId, calls }
}

const earlier = (moves: ReadonlyArray<Move>, from: number, ms: number): ReadonlyArray<Move> =>
  moves.map((move, index) => (index < from ? move : { ...move, at: move.at - ms }))
