/** The parent's side of a working process: starts it, reads what it says, stops and kills it. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Line, linesOf } from "./lines.ts"

interface Opening {
  readonly filename: string
  readonly seed: number
  readonly prefix: string
  readonly foldAppends?: number
  readonly idleMs?: number
  readonly busyTimeoutMs?: number
}
export type AgentTask = Opening &
  (
    | { readonly kind: "load"; readonly workflows: number; readonly lanes: number; readonly commands: number }
    | { readonly kind: "obey" }
  )

export class AgentProcess {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #text = ""
  #errors = ""
  #count = 0
  #waiting: Array<{ readonly met: () => boolean; readonly resolve: () => void }> = []
  #isOver = false
  code: number | null = null
  signal: NodeJS.Signals | null = null

  constructor(task: AgentTask) {
    const entry = fileURLToPath(new URL("./agent.ts", import.meta.url))
    this.#process = spawn(process.execPath, ["--import", "tsx", entry, JSON.stringify(task)], {
      stdio: ["pipe", "pipe", "pipe"],
    })
    // A child that was killed can't read any more; that is no news.
    this.#process.stdin?.on("error", () => {})
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text
      for (const character of text) if (character === "\n") this.#count += 1
      this.#look()
    })
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text
    })
    this.#ended = new Promise((resolve) => {
      this.#process.on("close", (code, signal) => {
        this.#isOver = true
        this.code = code
        this.signal = signal
        this.#look()
        resolve()
      })
    })
  }

  /** All that it has said so far, whole lines only. */
  get lines(): ReadonlyArray<Line> {
    return linesOf(this.#text)
  }
  get count(): number {
    return this.#count
  }
  get errors(): string {
    return this.#errors
  }
  get isOver(): boolean {
    return this.#isOver
  }

  tell(line = "go"): void {
    this.#process.stdin?.write(`${line}\n`)
  }
  send(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves once it has said that many lines, or has ended. */
  async said(count: number): Promise<void> {
    await this.#until(() => this.#count >= count)
  }
  /** Resolves once it has said such a line; throws if it ends without. */
  async says(is: (line: Line) => boolean): Promise<Line> {
    await this.#until(() => this.lines.some(is))
    const line = this.lines.find(is)
    if (line === undefined) throw new Error(`the process ended (${this.code ?? this.signal}): ${this.#errors}`)
    return line
  }
  /** Resolves once it has ended and all that it said was read. */
  ended(): Promise<void> {
    return this.#ended
  }
  async kill(): Promise<void> {
    this.send("SIGKILL")
    await this.#ended
  }

  #until(met: () => boolean): Promise<void> {
    if (met() || this.#isOver) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ met, resolve }))
  }
  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      if (this.#isOver || one.met()) one.resolve()
      else this.#waiting.push(one)
    }
  }
}
