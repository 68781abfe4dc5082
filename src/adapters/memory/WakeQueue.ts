/**
 * The workflows that have a deadline, earliest first: a binary heap in which outdated items are passed over when they
 * surface. Every change only pushes, so the hot path pays a logarithm and no search.
 */
export interface Sleeper {
  /** Null while nothing is due; compared with the item's own time to tell whether the item is outdated. */
  wakeAt: number | null
  readonly key: string
}
interface Item<A extends Sleeper> {
  readonly at: number
  readonly sleeper: A
}

export class WakeQueue<A extends Sleeper> {
  #heap: Array<Item<A>> = []
  #live = 0

  set(sleeper: A, at: number | null): void {
    if (sleeper.wakeAt === at) return
    if (sleeper.wakeAt !== null) this.#live--
    sleeper.wakeAt = at
    if (at === null) return
    this.#live++
    this.#push({ at, sleeper })
    if (this.#heap.length > 2 * this.#live + 1024) this.#rebuild()
  }

  earliest(): number | null {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.sleeper.wakeAt === top.at) return top.at
      this.#pop()
    }
    return null
  }

  /** At most `limit` sleepers with `wakeAt` ≤ `now`, by (wakeAt, key). */
  due(now: number, limit: number): Array<A> {
    const items: Array<Item<A>> = []
    const seen = new Set<A>()
    const last = (): number | undefined => items[limit - 1]?.at
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      const bound = last()
      if (bound !== undefined && top.at > bound) break
      this.#pop()
      if (top.sleeper.wakeAt !== top.at || seen.has(top.sleeper)) continue
      seen.add(top.sleeper)
      items.push(top)
    }
    for (const item of items) this.#push(item)
    return items
      .sort((a, b) => a.at - b.at || (a.sleeper.key < b.sleeper.key ? -1 : 1))
      .slice(0, limit)
      .map((item) => item.sleeper)
  }

  #rebuild(): void {
    const items = this.#heap.filter((item) => item.sleeper.wakeAt === item.at)
    this.#heap = []
    const seen = new Set<A>()
    for (const item of items) {
      if (seen.has(item.sleeper)) continue
      seen.add(item.sleeper)
      this.#push(item)
    }
  }

  #push(item: Item<A>): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Item<A>
      if (above.at <= item.at) break
      heap[at] = above
      at = parent
    }
    heap[at] = item
  }

  #pop(): void {
    const heap = this.#heap
    const item = heap.pop()
    if (item === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && right.at < left.at) child++
      const below = heap[child] as Item<A>
      if (below.at >= item.at) break
      heap[at] = below
      at = child
    }
    heap[at] = item
  }
}
