/** The faults of a run: decided by the seed, counted, and over once enough of them have happened or the world is healed. */
import type { Chance } from "./Chance.ts"
import type { Swarm } from "./swarm.ts"
import type { Trace } from "./Trace.ts"

export type Fault = "none" | "before" | "after"

/** The longest that the store stands still, in microseconds. What it holds up then, nothing heals before it is over. */
export const longestStallUs = 3_000_000

export class Faults {
  readonly #chance: Chance
  readonly #swarm: Swarm
  readonly #trace: Trace
  #left: number
  #healed = false

  constructor(chance: Chance, swarm: Swarm, trace: Trace) {
    this.#chance = chance
    this.#swarm = swarm
    this.#trace = trace
    this.#left = swarm.faults
  }

  /** From now on nothing goes wrong. */
  heal(): void {
    this.#healed = true
  }

  get isHealed(): boolean {
    return this.#healed
  }

  /** Takes one fault from what is left; false when none is. */
  allow(kind: string): boolean {
    if (this.#healed || this.#left <= 0) return false
    this.#left -= 1
    this.#trace.count(`fault ${kind}`)
    return true
  }

  ofWrite(): Fault {
    const draw = this.#chance.next()
    const { failBefore, failAfter } = this.#swarm
    if (draw < failBefore) return this.allow("write fails") ? "before" : "none"
    if (draw < failBefore + failAfter) return this.allow("answer of a write lost") ? "after" : "none"
    return "none"
  }

  ofRead(): Fault {
    return this.#chance.chance(this.#swarm.failRead) && this.allow("read fails") ? "before" : "none"
  }

  /** Microseconds that a message takes one way. */
  latency(): number {
    const [low, high] = this.#swarm.latencyUs
    const usual = this.#chance.between(low, high)
    const stalled = this.#chance.between(100_000, longestStallUs)
    const stalls = this.#chance.chance(this.#swarm.stallRate)
    if (this.#healed) return Math.min(usual, 2000)
    return stalls && this.allow("store stalls") ? stalled : usual
  }

  /** Microseconds by which a hint of the store is late. */
  hint(): number {
    const late = this.#chance.between(0, this.#swarm.hintMs * 1000)
    return this.#healed ? Math.min(late, 100_000) : late
  }

  /** Whether a request that a dying node had sent gets to the store all the same. */
  survives(): boolean {
    return this.#chance.chance(0.5)
  }
}
