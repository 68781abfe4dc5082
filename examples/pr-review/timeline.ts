/**
 * Lines in the order of time, whichever of several sources they come from.
 *
 * The journal's events are read a moment after they happened, the reports of a process come by a pipe; shown as they arrive, an
 * effect may stand above its cause. So each line waits a little for older ones, and then goes out by its time.
 */

export interface TimelineOptions {
  /** How long a line waits. What comes later than that is shown late. */
  readonly waitMs: number
  readonly now: () => number
  /** Calls back after so many milliseconds; returns the function that stops it. */
  readonly after: (ms: number, then: () => void) => () => void
}

interface Entry {
  readonly at: number
  readonly show: () => void
}

const clock: TimelineOptions = {
  waitMs: 120,
  now: Date.now,
  after: (ms, then) => {
    const timer = setTimeout(then, ms)
    return () => clearTimeout(timer)
  },
}

export class Timeline {
  readonly #options: TimelineOptions
  /** By time; those of the same moment in the order in which they came. */
  #entries: Entry[] = []
  #stop: (() => void) | undefined

  constructor(options: TimelineOptions = clock) {
    this.#options = options
  }

  add(at: number, show: () => void): void {
    const before = this.#entries.findLastIndex((entry) => entry.at <= at)
    this.#entries.splice(before + 1, 0, { at, show })
    this.#stop ??= this.#options.after(this.#options.waitMs, () => this.#due())
  }

  /** Shows all that waits. */
  flush(): void {
    this.#stop?.()
    this.#stop = undefined
    const entries = this.#entries
    this.#entries = []
    for (const { show } of entries) show()
  }

  #due(): void {
    this.#stop = undefined
    const { after, now, waitMs } = this.#options
    const until = now() - waitMs
    while (this.#entries[0] !== undefined && this.#entries[0].at <= until) this.#entries.shift()?.show()
    const [next] = this.#entries
    if (next !== undefined) this.#stop = after(Math.max(1, next.at - until), () => this.#due())
  }
}
