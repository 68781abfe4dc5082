/**
 * The answers of commands with an idempotency key that an actor remembers (I8).
 *
 * Bounded: the oldest are forgotten, and from then on an unknown key has to be looked up in the store. A workflow that was born
 * in this actor has no other answers than these, so its keys cost nothing until then.
 */
import type { AnswerRow } from "../machines/projection.ts"
import { limits } from "./limits.ts"

export class AnswerCache {
  readonly #rows = new Map<string, AnswerRow>()
  #complete = false

  /** Nothing was ever answered before: what isn't here doesn't exist. */
  startsEmpty(): void {
    this.#complete = true
  }

  get(key: string): AnswerRow | undefined {
    return this.#rows.get(key)
  }

  /** Whether `get` says all there is to say about a key. */
  knows(key: string): boolean {
    return this.#complete || this.#rows.has(key)
  }

  remember(row: AnswerRow): void {
    this.#rows.set(row.key, row)
    if (this.#rows.size <= limits.answersKept) return
    for (const oldest of this.#rows.keys()) {
      this.#rows.delete(oldest)
      break
    }
    this.#complete = false
  }
}
