/** A progress bar on standard error: only on a terminal, and only where it takes long enough for somebody to wonder. */
import type { Terminal } from "./Terminal.ts"

const patienceMs = 400
const everyMs = 100
const width = 30

export class Progress {
  readonly #terminal: Terminal
  readonly #now: () => number
  readonly #start: number
  #last = 0
  #shown = false

  /** `now` is in ms, from anywhere. */
  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
    this.#start = now()
  }

  show(done: number, all: number): void {
    const now = this.#now()
    if (now - this.#start < patienceMs || now - this.#last < everyMs) return
    this.#last = now
    this.#shown = true
    const share = all === 0 ? 1 : done / all
    const full = Math.round(share * width)
    const left = share > 0 ? Math.ceil(((now - this.#start) * (1 - share)) / share / 1000) : 0
    const bar = `${"█".repeat(full)}${"░".repeat(width - full)}`
    const runs = `${done.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} runs`
    this.#terminal.progress(`${bar} ${runs}, ${left} s left`)
  }

  /** Takes the bar away. */
  done(): void {
    if (this.#shown) this.#terminal.progress("")
    this.#shown = false
  }
}
