/** The latest decisions of a session, and whoever wants to hear of each. */
import { limits } from "../limits.ts"
import type { Decision } from "./Decision.ts"

export class DecisionLog {
  readonly #onDecision: ((decision: Decision) => void) | undefined
  readonly #latest: Array<Decision> = []
  #turns = 0

  constructor(onDecision: ((decision: Decision) => void) | undefined) {
    this.#onDecision = onDecision
  }

  /** Oldest first. */
  get latest(): ReadonlyArray<Decision> {
    return [...this.#latest]
  }

  add(made: Omit<Decision, "turn" | "at">): void {
    this.#turns += 1
    const decision: Decision = { turn: this.#turns, at: Date.now(), ...made }
    if (this.#latest.length >= limits.decisions) this.#latest.shift()
    this.#latest.push(decision)
    try {
      const heard: unknown = this.#onDecision?.(decision)
      // An async listener is one too, and its rejection must not end the process.
      if (heard instanceof Promise) heard.catch(() => {})
    } catch {
      // Whoever listens can't change what was decided, nor keep it from being done.
    }
  }
}
