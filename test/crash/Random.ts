/** Chance with a seed: the same seed makes the same choices (mulberry32). */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** 0 ≤ n < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  /** 0 ≤ n < max. */
  below(max: number): number {
    return Math.floor(this.next() * max)
  }
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }
  chance(percent: number): boolean {
    return this.next() * 100 < percent
  }
  pick<T>(list: ReadonlyArray<T>): T | undefined {
    return list[this.below(list.length)]
  }
  /** One of the names, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as Array<[K, number]>
    let left = this.next() * entries.reduce((total, [, weight]) => total + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries[0]?.[0] as K
  }
}
