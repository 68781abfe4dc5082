/**
 * Calls over the exchange: tries, again and again where that may help, until the call's time is over.
 *
 * Only trouble with the server or the way to it is tried again, never a refusal by the workflow's rules; and always the very same
 * request, with the same idempotency key, so that a command changes state at most once however often it was sent (I8).
 */
import { closedError, isInfrastructure } from "../../../runtime/errors.ts"
import { Exchange, type Outgoing } from "./Exchange.ts"
import { concluded } from "./failures.ts"
import { clientLimits } from "./limits.ts"
import type { ClientSettings } from "./options.ts"

export class Transport {
  readonly exchange: Exchange
  readonly #settings: ClientSettings
  readonly #pauses = new Set<() => void>()

  constructor(settings: ClientSettings) {
    this.#settings = settings
    this.exchange = new Exchange(settings)
  }

  close(): void {
    this.exchange.close()
    for (const end of this.#pauses) end()
  }

  /** Answers with the JSON of a success, or rejects with a `WorkflowError`. */
  async call(outgoing: Outgoing): Promise<unknown> {
    const { timeoutMs, maxRetries } = this.#settings
    const key = outgoing.headers["idempotency-key"]
    const until = performance.now() + timeoutMs
    let mayBeDone = false
    for (let failures = 0; ; failures++) {
      const left = until - performance.now()
      const result = await this.exchange.answer(outgoing, Math.max(1, Math.min(left, this.tryMs)))
      if (result._tag === "answered") return result.value
      if (result._tag === "ended") throw closedError()
      const waitMs = pauseMs(failures, result.retryAfterMs)
      const isOver = failures >= maxRetries || performance.now() + waitMs >= until
      if (isOver || !isInfrastructure(result.error)) throw concluded(result, mayBeDone, key)
      mayBeDone ||= result.mayBeDone
      await this.pause(waitMs)
    }
  }

  get tryMs(): number {
    return Math.ceil(this.#settings.timeoutMs / clientLimits.triesPerTimeout)
  }

  /** Ends early when the client is closed or `signal` aborts: look then. */
  pause(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.exchange.isClosed || signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#pauses.delete(end)
        signal?.removeEventListener("abort", end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#pauses.add(end)
      signal?.addEventListener("abort", end, { once: true })
    })
  }
}

/** Half of it is chance, so that clients that failed together do not come back together; never earlier than the server asks. */
export const pauseMs = (failures: number, askedMs = 0): number => {
  const doubled = Math.min(clientLimits.longestBackoffMs, clientLimits.backoffMs * 2 ** failures)
  return Math.max(doubled * (0.5 + Math.random() / 2), askedMs * (1 + Math.random() / 4))
}
