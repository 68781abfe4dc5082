/** Chance with a seed: the same seed makes the same choices on every machine (mulberry32). */
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

  /** 0 ≤ n < max, whole. */
  below(max: number): number {
    return Math.floor(this.next() * max)
  }

  /** min ≤ n ≤ max, whole. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  chance(percent: number): boolean {
    return this.next() * 100 < percent
  }

  pick<T>(list: ReadonlyArray<T>): T | undefined {
    return list[this.below(list.length)]
  }
}

/** The seed of one run of many: neighbours share nothing, and a run can be played again without the ones before it. */
export const seedOf = (seed: number, run: number): number => {
  let mixed = Math.imul((seed >>> 0) ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(run + 1, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return (mixed ^ (mixed >>> 13)) >>> 0
}
