/**
 * A host: the process in which a node runs, as its fibers see it. Their scheduler, their clock and their chance.
 *
 * It can freeze, so that nothing in it runs while the world goes on, thaw, and die: whatever was going on in it is gone, and what
 * it asked for is answered to nobody. Its clock may be wrong; how long a sleep takes is measured by the world.
 */
import { Clock, Context, Duration, Effect, Logger, Random, Scheduler } from "effect"
import { Chance } from "./Chance.ts"
import type { World } from "./World.ts"

export class Host implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly name: string
  readonly executionMode = "async"
  readonly #world: World
  #held: Array<() => void> | undefined
  #alive = true
  /** Milliseconds by which its clock is ahead. */
  skewMs = 0

  constructor(name: string, world: World) {
    this.name = name
    this.#world = world
  }

  // ---- being a process ----

  get isAlive(): boolean {
    return this.#alive
  }
  get isFrozen(): boolean {
    return this.#held !== undefined
  }

  /** Runs a task now, keeps it for later where the host is frozen, and forgets it where it is dead. */
  run(task: () => void): void {
    if (!this.#alive) return
    if (this.#held === undefined) task()
    else this.#held.push(task)
  }

  freeze(): void {
    this.#held ??= []
  }

  thaw(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const task of held) this.#world.schedule(this, task)
  }

  die(): void {
    this.#alive = false
    this.#held = undefined
  }

  // ---- being a scheduler ----

  shouldYield(): boolean {
    return this.#world.shouldYield()
  }
  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }
  scheduleTask(task: () => void, priority: number): void {
    if (this.#alive) this.#world.schedule(this, task, priority)
  }
  /** Nobody may jump the queue. */
  flush(): void {}

  // ---- being a machine ----

  get now(): number {
    return this.#world.now + this.skewMs
  }

  /** The services with which fibers run here. What they log is told to `log`. */
  context(seed: number, log: (level: string, message: string) => void): Context.Context<never> {
    const chance = new Chance(seed, "host", this.name)
    const random: Random.Random = {
      nextIntUnsafe: () => Math.floor((chance.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER),
      nextDoubleUnsafe: chance.next,
    }
    const logger = Logger.make<unknown, void>(({ logLevel, message, cause }) =>
      log(logLevel, `${[message].flat().map(text).join(" ")} ${cause.reasons.map(text).join(" ")}`.trim()),
    )
    return Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this),
      Context.add(Clock.Clock, this.#clock()),
      Context.add(Random.Random, random),
      Context.add(Logger.CurrentLoggers, new Set([logger])),
    )
  }

  #clock(): Clock.Clock {
    const nanos = (): bigint => BigInt(this.now) * 1_000_000n
    const monotonic = (): bigint => BigInt(this.#world.elapsedUs) * 1000n
    return {
      currentTimeMillisUnsafe: () => this.now,
      currentTimeMillis: Effect.sync(() => this.now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const ms = Duration.toMillis(duration)
          if (!Number.isFinite(ms)) return
          const stop = this.#world.after(ms * 1000, this, () => resume(Effect.void))
          return Effect.sync(stop)
        }),
    }
  }
}

const text = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return value.message
  return JSON.stringify(value) ?? String(value)
}
