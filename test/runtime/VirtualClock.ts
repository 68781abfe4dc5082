/** A clock that stands until a test moves it; sleeps end when it passes their time. */
import { Duration, Effect } from "effect"

export class VirtualClock {
  now: number
  #sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []

  constructor(now = 1_000_000) {
    this.now = now
  }

  currentTimeMillisUnsafe = (): number => this.now
  currentTimeNanosUnsafe = (): bigint => BigInt(Math.floor(this.now)) * 1_000_000n
  currentTimeMillis = Effect.sync(() => this.now)
  currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      this.#sleepers.push(sleeper)
      return Effect.sync(() => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
      })
    })

  /** Moves time in small steps, letting what was woken run in between. */
  async advance(ms: number, stepMs = 250): Promise<void> {
    const until = this.now + ms
    while (this.now < until) {
      this.now = Math.min(until, this.now + stepMs)
      const due = this.#sleepers.filter((sleeper) => sleeper.at <= this.now)
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.at > this.now)
      for (const sleeper of due) sleeper.wake()
      for (let turn = 0; turn < 5; turn++) await new Promise<void>((next) => setImmediate(next))
    }
  }
}
