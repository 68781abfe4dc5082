/**
 * All the chance that there is in a simulated run: small generators, each of its own name, all from one seed.
 *
 * Separate streams keep a run like itself when it is made smaller: one agent fewer leaves the choices of the others alone.
 */
export class Chance {
  #state: number

  constructor(seed: number, ...name: ReadonlyArray<string | number>) {
    let hash = (seed ^ 0x9e3779b9) | 0
    for (const char of name.join("/")) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
    this.#state = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  }

  /** 0 ≤ n < 1: mulberry32. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer of `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** True with this probability. Draws a number in any case, so that a rate of 0 changes nothing else. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<A>(list: ReadonlyArray<A>): A | undefined {
    return list[Math.floor(this.next() * list.length)]
  }

  /** One of a list that is known to hold something. */
  among<A>(first: A, ...rest: ReadonlyArray<A>): A {
    return this.pick([first, ...rest]) ?? first
  }

  /** One of the names, by weight; the first where nothing weighs. */
  weighted<A extends string>(names: ReadonlyArray<A>, weights: Readonly<Record<A, number>>): A | undefined {
    let rest = this.next() * names.reduce((sum, name) => sum + weights[name], 0)
    for (const name of names) {
      rest -= weights[name]
      if (rest < 0) return name
    }
    return names[0]
  }
}
