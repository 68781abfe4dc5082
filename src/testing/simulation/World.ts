/**
 * The world of a simulated run: virtual time, and one queue of everything that could run next.
 *
 * One seed decides which of the ready tasks runs, how long it takes, and where a fiber loses its turn. Nothing else moves: time
 * passes only here, so a run that takes a minute of virtual time takes milliseconds, and the same seed makes the same run.
 * Promises are the one thing with an order of their own, a fixed one: whenever a client may have settled some, they run out
 * before the next task.
 */
import type { Chance } from "./Chance.ts"
import { Host } from "./Host.ts"
import { Timers } from "./Timers.ts"

interface Task {
  /** Whose task it is; undefined for the world's own. */
  readonly host: Host | undefined
  readonly run: () => void
}

/** Microseconds at which every run begins: a plausible epoch, so that nothing is near 0. */
const dawn = 1_700_000_000_000_000

/** From this priority on a task waits for others (`Governance` polls so while it closes): it runs when nothing else can. */
const idlePriority = 2

/** Tasks after which a run is given up: it never gets there unless something spins. */
const mostSteps = 5_000_000

class Stalled extends Error {
  constructor() {
    super(`more than ${mostSteps} tasks ran, and there was no end`)
    this.name = "Stalled"
  }
}

export interface WorldOptions {
  readonly chance: Chance
  /** Microseconds that a task takes at most. */
  readonly stepUs: number
  /** How often a fiber loses its turn at a point where it could. */
  readonly yieldRate: number
}

export class World {
  readonly #chance: Chance
  readonly #stepUs: number
  readonly #yieldRate: number
  readonly #timers = new Timers()
  readonly #ready: Array<Task> = []
  readonly #idle: Array<Task> = []
  #now = dawn
  #promises = false
  #violation: unknown
  steps = 0

  constructor(options: WorldOptions) {
    this.#chance = options.chance
    this.#stepUs = options.stepUs
    this.#yieldRate = options.yieldRate
  }

  /** Epoch ms. */
  get now(): number {
    return Math.floor(this.#now / 1000)
  }

  /** Microseconds since the run began. */
  get elapsedUs(): number {
    return this.#now - dawn
  }

  /** A place where fibers run: a node, or all agents together. */
  host(name: string): Host {
    return new Host(name, this)
  }

  shouldYield(): boolean {
    return this.#yieldRate > 0 && this.#chance.chance(this.#yieldRate)
  }

  /** Promises may have been settled: they are to run out before the next task. */
  settled(): void {
    this.#promises = true
  }

  /** Ends the run: the first thing that must not be is what `until` throws. */
  violated(violation: unknown): void {
    this.#violation ??= violation
  }

  schedule(host: Host | undefined, run: () => void, priority = 0): void {
    if (priority >= idlePriority) this.#idle.push({ host, run })
    else this.#ready.push({ host, run })
  }

  /** Runs something later, as a task of `host`. Returns the function that calls it off. */
  after(us: number, host: Host | undefined, run: () => void): () => void {
    return this.#timers.add(this.#now + Math.max(0, Math.round(us)), () => this.schedule(host, run))
  }

  /**
   * Lets the run go on until `done`, at most for so much virtual time. False when the time was up or nothing was left.
   * Throws what was reported as violated, and what a task threw.
   */
  async until(done: () => boolean, withinMs: number): Promise<boolean> {
    const end = this.#now + withinMs * 1000
    for (;;) {
      if (this.#promises) {
        this.#promises = false
        await promisesRanOut()
      }
      if (this.#violation !== undefined) throw this.#violation
      if (done()) return true
      if (this.#now >= end || !this.#turn(end)) return false
    }
  }

  /** Runs tasks until promises have to. False when nothing is left to happen before `end`. */
  #turn(end: number): boolean {
    this.#fire()
    while (this.#ready.length > 0) {
      this.#step(this.#ready)
      if (this.#promises || this.#violation !== undefined || this.#now >= end) return true
      this.#fire()
    }
    // Whoever only waits for others looks once at each moment at which something happens.
    for (let waiting = this.#idle.length; waiting > 0; waiting--) this.#step(this.#idle)
    if (this.#promises || this.#ready.length > 0) return true
    const next = this.#timers.next()
    if (next === undefined || next > end) {
      this.#now = Math.max(this.#now, end)
      return false
    }
    this.#now = Math.max(this.#now, next)
    return true
  }

  #fire(): void {
    for (let due = this.#timers.take(this.#now); due !== undefined; due = this.#timers.take(this.#now)) due()
  }

  #step(tasks: Array<Task>): void {
    this.steps += 1
    if (this.steps > mostSteps) throw new Stalled()
    const index = tasks.length === 1 ? 0 : this.#chance.between(0, tasks.length - 1)
    const task = tasks[index]
    const last = tasks.pop()
    if (last !== undefined && index < tasks.length) tasks[index] = last
    if (task === undefined) return
    if (this.#stepUs > 0) this.#now += this.#chance.between(0, this.#stepUs)
    try {
      if (task.host === undefined) task.run()
      else task.host.run(task.run)
    } catch (thrown) {
      this.violated(thrown)
    }
  }
}

/** A turn of the event loop comes after every promise that can be settled by then. It is no timer: it waits for nothing. */
const promisesRanOut = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
