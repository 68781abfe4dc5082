/**
 * A token bucket for each key, in bounded memory: the buckets that were not used for longest are forgotten, which is to say
 * full.
 */
import { httpLimits } from "../limits.ts"

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export class RateLimiter {
  readonly #rate: Rate
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** 0 where the request may pass, otherwise the milliseconds until one may. */
  take(keyId: string, now: number): number {
    const { perSecond, burst } = this.#rate
    const bucket = this.#buckets.get(keyId) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000)
    bucket.at = now
    this.#keep(keyId, bucket)
    if (bucket.tokens < 1) return Math.max(1, Math.ceil(((1 - bucket.tokens) * 1000) / perSecond))
    bucket.tokens -= 1
    return 0
  }

  /** The latest used stands last. */
  #keep(keyId: string, bucket: { tokens: number; at: number }): void {
    this.#buckets.delete(keyId)
    this.#buckets.set(keyId, bucket)
    if (this.#buckets.size <= httpLimits.rateKeys) return
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      break
    }
  }
}
