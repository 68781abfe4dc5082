/**
 * What was taken out of answers that the provider itself keeps. It still knows the calls, and refuses to go on from such an
 * answer before each of them has a result: so the next request brings one. Bounded; the oldest is forgotten.
 */
import type { JsonObject } from "./json.ts"
import { maxWithheld } from "./limits.ts"

export class Withheld {
  readonly #results = new Map<string, ReadonlyArray<JsonObject>>()
  readonly #orphans = new Set<string>()
  /** True once anything was taken out at all: until then no history needs mending. */
  any = false

  /** `results`: what to tell the provider for each call, in its own format, when `key` (an answer, a conversation) goes on. */
  note(key: string, results: ReadonlyArray<JsonObject>): void {
    this.#results.set(key, [...(this.#results.get(key) ?? []), ...results])
    forgetOldest(this.#results)
  }

  results(key: string): ReadonlyArray<JsonObject> {
    return this.#results.get(key) ?? []
  }

  /** They were told: a conversation has them now. */
  told(key: string): void {
    this.#results.delete(key)
  }

  /** The id of a thought that led only to what was taken out: the provider does not take it back alone. */
  orphan(id: string): void {
    this.#orphans.add(id)
    forgetOldest(this.#orphans)
  }

  isOrphan(id: string): boolean {
    return this.#orphans.has(id)
  }
}

const forgetOldest = (kept: Map<string, unknown> | Set<string>): void => {
  if (kept.size <= maxWithheld) return
  for (const key of kept.keys()) {
    kept.delete(key)
    return
  }
}
