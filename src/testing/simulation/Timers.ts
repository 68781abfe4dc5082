/** What is due later, earliest first, and in the order of asking at one moment. A binary heap; what was called off is skipped. */
interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

const before = (a: Timer, b: Timer): boolean => (a.at === b.at ? a.order < b.order : a.at < b.at)

export class Timers {
  readonly #heap: Array<Timer> = []
  #order = 0

  /** Returns the function that calls it off. */
  add(at: number, run: () => void): () => void {
    this.#order += 1
    const timer: Timer = { at, order: this.#order, run }
    this.#push(timer)
    return () => {
      timer.run = undefined
    }
  }

  /** When the next one is due. */
  next(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.run !== undefined) return top.at
      this.#pop()
    }
    return undefined
  }

  /** Takes the earliest that is due at `now`. */
  take(now: number): (() => void) | undefined {
    const at = this.next()
    if (at === undefined || at > now) return undefined
    const run = this.#heap[0]?.run
    this.#pop()
    return run
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(timer)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || before(above, timer)) break
      heap[index] = above
      index = parent
    }
    heap[index] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      let least = left
      if (right !== undefined && before(right, left)) {
        least = right
        child += 1
      }
      if (!before(least, last)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
  }
}
