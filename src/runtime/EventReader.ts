/**
 * A reader of one workflow's events, from any sequence on: what is stored first, then what comes (semantics.md §10).
 *
 * It holds no buffer: it reads a page of the journal when its consumer asks, and otherwise waits for a hint that there may be
 * more. So a slow consumer costs nothing, events of other processes arrive in the same way as our own, and what was read is
 * always durable. To resume, open one after the last sequence that was handled.
 */
import { Cause, Effect } from "effect"
import type { JournalEvent } from "../machines/events.ts"
import type { WorkflowError } from "./errors.ts"
import type { Entry } from "./Journal.ts"

export interface EventSource {
  readonly after: number
  /** Entries after a sequence, at most a page. */
  read(after: number): Effect.Effect<ReadonlyArray<Entry>, WorkflowError>
  /** Calls back when there may be more; returns the function that stops it. */
  listen(notify: () => void): () => void
}

export class EventReader {
  readonly #source: EventSource
  readonly #stop: () => void
  #after: number
  #hinted = true
  #closed = false
  #waiting: (() => void) | undefined
  readonly #closers: Array<() => void> = []

  constructor(source: EventSource) {
    this.#source = source
    this.#after = source.after
    this.#stop = source.listen(() => {
      this.#hinted = true
      this.#wake()
    })
  }

  /** The last sequence that was handed out. */
  get after(): number {
    return this.#after
  }

  /** The next events, at least one; fails with `Cause.Done` once the reader is closed. One caller at a time. */
  readonly pull: Effect.Effect<readonly [JournalEvent, ...Array<JournalEvent>], WorkflowError | Cause.Done> =
    Effect.suspend(() => {
      if (this.#closed) return Cause.done()
      if (!this.#hinted) return Effect.andThen(this.#hint, this.pull)
      this.#hinted = false
      return Effect.flatMap(this.#source.read(this.#after), (entries) => {
        const [first, ...rest] = entries.map((entry) => JSON.parse(entry.text) as JournalEvent)
        if (first === undefined) return this.pull
        this.#hinted = true
        this.#after = rest.at(-1)?.seq ?? first.seq
        return Effect.succeed([first, ...rest] as const)
      })
    })

  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stop()
    this.#wake()
    for (const then of this.#closers) then()
  }

  onClose(then: () => void): void {
    this.#closers.push(then)
  }

  readonly #hint = Effect.callback<void>((resume) => {
    if (this.#hinted || this.#closed) return resume(Effect.void)
    this.#waiting = () => resume(Effect.void)
  })

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }
}
