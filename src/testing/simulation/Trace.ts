/**
 * What happened in a run, one line a transition: virtual time, node, agent, command → verdict, events.
 *
 * The last lines are kept; all of them are digested, so that two runs can be told to be the same to the byte.
 */
import { createHash } from "node:crypto"
import type { World } from "./World.ts"

export class Trace {
  readonly #world: World
  readonly #keep: number
  readonly #digest = createHash("sha256")
  #lines: Array<string> = []
  #dropped = 0
  readonly #counts = new Map<string, number>()

  constructor(world: World, keep: number) {
    this.#world = world
    this.#keep = keep
  }

  line(text: string): void {
    const us = this.#world.elapsedUs
    const line = `${Math.floor(us / 1000)}.${String(us % 1000).padStart(3, "0")} ${text}`
    this.#digest.update(line)
    this.#digest.update("\n")
    this.#lines.push(line)
    if (this.#lines.length < 2 * this.#keep) return
    this.#dropped += this.#lines.length - this.#keep
    this.#lines = this.#lines.slice(-this.#keep)
  }

  /** Counts something that happened, for whoever asks whether the runs reach what they should. */
  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** The last lines, and how many came before them. */
  get lines(): ReadonlyArray<string> {
    const lines = this.#lines.slice(-this.#keep)
    const dropped = this.#dropped + this.#lines.length - lines.length
    return dropped === 0 ? lines : [`… ${dropped} lines before`, ...lines]
  }

  /** sha256 of every line. Ask once, at the end. */
  digest(): string {
    return this.#digest.digest("hex")
  }
}
