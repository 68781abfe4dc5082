/**
 * The committer: one transaction for the batches of many actors (architecture.md, "The write path").
 *
 * Actors enlist when they have a batch. A group goes to the journal as soon as it has room; while one is being written the
 * next is gathered, so that the fsync of one and the rules of the other overlap. An actor is never in two groups at once, so
 * no batch can be written before the one that it was decided on.
 */
import { type Effect, Exit, type Fiber } from "effect"
import type { Actor } from "./Actor.ts"
import type { Append, Journal, StorageError } from "./Journal.ts"
import { StorageUnavailable } from "./Journal.ts"
import { limits } from "./limits.ts"
import type { TelemetryService } from "./Telemetry.ts"

export interface CommitterOptions {
  readonly journal: Journal["Service"]
  /** Runs an effect with the runtime's own clock and scheduler. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Runs the task after the actors that are due to run have run. */
  readonly scheduleAfterActors: (task: () => void) => void
  readonly onGroup?: (size: number) => void
  readonly telemetry?: TelemetryService | undefined
}

export class Committer {
  readonly #options: CommitterOptions
  #enlisted = new Set<Actor>()
  #inFlight = 0
  #scheduled = false
  #whenIdle: Array<() => void> = []

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  enlist(actor: Actor): void {
    this.#enlisted.add(actor)
    this.#schedule()
  }

  /** Calls back once nothing is enlisted or in flight. */
  whenIdle(then: () => void): void {
    if (this.#isIdle) then()
    else this.#whenIdle.push(then)
  }

  get #isIdle(): boolean {
    return this.#inFlight === 0 && this.#enlisted.size === 0
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= limits.groupsInFlight) return
    this.#scheduled = true
    this.#options.scheduleAfterActors(this.#turn)
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#write()
    // A defect may have left an actor with nothing to write: then no group comes back to tell whoever waits.
    this.#tellIdle()
  }

  #write(): void {
    let split = this.#inFlight === 0 && this.#enlisted.size >= limits.splitGroup
    while (this.#inFlight < limits.groupsInFlight && this.#enlisted.size > 0) {
      // Callers that wait for their answers all come back at once. In one group the journal would idle while they are
      // answered and decided, and they would idle while it writes; in two, each half works while the other waits.
      const waiting = this.#enlisted.size
      const size = Math.min(limits.group, split ? Math.ceil(waiting / 2) : waiting)
      split = false
      const actors: Array<Actor> = []
      const group: Array<Append> = []
      for (const actor of this.#enlisted) {
        if (group.length >= size) break
        this.#enlisted.delete(actor)
        const append = actor.takeAppend()
        if (append === undefined) continue
        actors.push(actor)
        group.push(append)
      }
      if (group.length === 0) break
      this.#inFlight += 1
      this.#options.onGroup?.(group.length)
      const { journal, run, telemetry } = this.#options
      const append = journal.append(group)
      const watched = telemetry?.group(append, () => actors.flatMap((actor) => actor.watches())) ?? append
      run(watched).addObserver((exit) => this.#written(actors, exit))
    }
  }

  #tellIdle(): void {
    if (!this.#isIdle) return
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const then of waiting) then()
  }

  #written(
    actors: ReadonlyArray<Actor>,
    exit: Exit.Exit<ReadonlyArray<Parameters<Actor["appended"]>[0]>, StorageError>,
  ): void {
    this.#inFlight -= 1
    // The next group goes first: the journal works on it while the answers of this one are given.
    if (this.#enlisted.size > 0) this.#write()
    for (const [index, actor] of actors.entries()) {
      const result = Exit.isSuccess(exit) ? exit.value[index] : undefined
      if (result !== undefined) actor.appended(result)
      else actor.appendFailed(failureOf(exit))
    }
    this.#tellIdle()
  }
}

const failureOf = (exit: Exit.Exit<unknown, StorageError>): StorageError => {
  const error = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
  return error?._tag === "Some"
    ? error.value
    : new StorageUnavailable({ detail: "The store failed in a way that it should not.", reason: "defect" })
}
