/**
 * How an error of the governor crosses a provider's client. A client wraps whatever its fetch throws, and tries again; an answer
 * that says `x-should-retry: false` it turns into an error of its own, by a method that can be replaced. So the error crosses as
 * such an answer, and comes out as it was.
 */
import { randomUUID } from "node:crypto"
import { maxRefusals } from "./limits.ts"

const header = "x-handrail-refusal"

export class Refusals {
  readonly #errors = new Map<string, unknown>()
  readonly #known = new WeakSet<object>()

  /** The answer that stands for this error. */
  response(error: unknown): Response {
    this.know(error)
    const id = randomUUID()
    this.#errors.set(id, error)
    for (const oldest of this.#errors.keys()) {
      if (this.#errors.size <= maxRefusals) break
      this.#errors.delete(oldest)
    }
    return new Response(null, { status: 400, headers: { "x-should-retry": "false", [header]: id } })
  }

  /** An error that is to reach the caller as it is, by whichever way. */
  know(error: unknown): void {
    if (typeof error === "object" && error !== null) this.#known.add(error)
  }

  isKnown(error: unknown): boolean {
    return typeof error === "object" && error !== null && this.#known.has(error)
  }

  /** The error that an answer with these headers stands for, once; undefined where it is the provider's own. */
  take(headers: unknown): { readonly error: unknown } | undefined {
    const id = headers instanceof Headers ? headers.get(header) : null
    if (id === null || !this.#errors.has(id)) return undefined
    const error = this.#errors.get(id)
    this.#errors.delete(id)
    return { error }
  }
}
