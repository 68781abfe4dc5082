/**
 * The one reader that a session has of its workflow's events.
 *
 * Each event goes first to `onEvent`, which is awaited, and then to whoever waits. After trouble with the infrastructure it
 * reads on from the last event that was handled, for as long as it takes: a session that is deaf can't hear of its kill. An
 * error that no retry mends is handed to `onBroken`, once.
 */
import type { JournalEvent } from "../../machines/events.ts"
import { isInfrastructure } from "../../runtime/errors.ts"
import { backoffMs, pause } from "./retry.ts"

export interface FeedSource {
  /** Events after a sequence, live, until `signal` aborts. */
  readonly read: (after: number, signal: AbortSignal) => AsyncIterable<JournalEvent>
  readonly onEvent: (event: JournalEvent) => Promise<void>
  /** The stream ended by itself (undefined) or failed for good. */
  readonly onBroken: (error: unknown) => void
}

type Listener = (event: JournalEvent) => void

export class EventFeed {
  readonly #source: FeedSource
  readonly #stop = new AbortController()
  readonly #listeners = new Set<Listener>()
  #isRunning = false

  constructor(source: FeedSource) {
    this.#source = source
  }

  start(after: number): void {
    if (this.#isRunning || this.#stop.signal.aborted) return
    this.#isRunning = true
    void this.#run(after)
  }

  stop(): void {
    this.#stop.abort()
    this.#listeners.clear()
  }

  /** Calls back with each event from now on. Returns the function that stops it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #run(from: number): Promise<void> {
    const stop = this.#stop.signal
    let after = from
    let failures = 0
    while (!stop.aborted) {
      try {
        for await (const event of this.#source.read(after, stop)) {
          await this.#source.onEvent(event)
          for (const listener of [...this.#listeners]) listener(event)
          after = event.seq
          failures = 0
        }
        if (!stop.aborted) this.#source.onBroken(undefined)
        return
      } catch (error) {
        if (stop.aborted) return
        if (!isInfrastructure(error)) return this.#source.onBroken(error)
        await pause(backoffMs(failures))
        // Beyond that the pause no longer grows.
        failures = Math.min(failures + 1, 16)
      }
    }
  }
}
