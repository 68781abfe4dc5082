/** The parent's side of a working process: starts it, reads what it says, stops and kills it. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Line, linesOf } from "./lines.ts"

interface Opening {
  /** `sqlite:PATH` or `postgres://…#schema`. */
  readonly store: string
  readonly seed: number
  readonly prefix: string
  /** SQLite's. */
  readonly foldAppends?: number
  readonly idleMs?: number
  readonly busyTimeoutMs?: number
  /** Postgres'. */
  readonly timeoutMs?: number
}
export type AgentTask = Opening &
  (
    | { readonly kind: "load"; readonly workflows: number; readonly lanes: number; readonly commands: number }
    | { readonly kind: "obey" }
    | {
        readonly kind: "race"
        readonly race: string
        readonly lanes: number
        readonly commands: number
        readonly perWorkflow: number
        readonly restMs: number
      }
  )

export interface KillAt {
  readonly point: string
  /** At which time that it is reached, from 1. */
  readonly nth: number
}
const entry = fileURLToPath(new URL("./agent.ts", import.meta.url))
const points = new URL("./points.mjs", import.meta.url).href

export class AgentProcess {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  /** What was said and is not a whole line yet. */
  #rest = ""
  #errors = ""
  #reached = ""
  readonly #lines: Array<Line> = []
  #waiting: Array<{ readonly met: () => boolean; readonly resolve: () => void }> = []
  #isOver = false
  code: number | null = null
  signal: NodeJS.Signals | null = null

  /** With `killAt` it knows its points (points.mjs), and ends at that one. */
  constructor(task: AgentTask, killAt?: KillAt | "nowhere") {
    const at = killAt === undefined || killAt === "nowhere" ? "" : `${killAt.point}#${killAt.nth}`
    const known =
      killAt === undefined
        ? {}
        : {
            NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import ${points}`,
            ...(at === "" ? {} : { HANDRAIL_KILL_AT: at }),
          }
    this.#process = spawn(process.execPath, ["--import", "tsx", entry, JSON.stringify(task)], {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: { ...process.env, ...known },
    })
    // A child that was killed can't read any more; that is no news.
    this.#process.stdin?.on("error", () => {})
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#rest += text
      const end = this.#rest.lastIndexOf("\n") + 1
      if (end === 0) return
      this.#lines.push(...linesOf(this.#rest.slice(0, end)))
      this.#rest = this.#rest.slice(end)
      this.#look()
    })
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text
    })
    this.#process.stdio[3]?.on("data", (text: Buffer) => {
      this.#reached += text.toString()
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

  get pid(): number {
    return this.#process.pid ?? 0
  }
  /** All that it has said so far, whole lines only. */
  get lines(): ReadonlyArray<Line> {
    return this.#lines
  }
  get count(): number {
    return this.#lines.length
  }
  get errors(): string {
    return this.#errors
  }
  get isOver(): boolean {
    return this.#isOver
  }
  /** Points that it has come by, how often where it ended by itself, and the one at which it was killed. */
  get points(): {
    readonly reached: ReadonlyArray<string>
    readonly passed: ReadonlyMap<string, number>
    readonly killedAt: string | undefined
  } {
    const lines = this.#reached.split("\n")
    const named = (prefix: string) =>
      lines.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []))
    const passed = named("passed ").map((line): [string, number] => {
      const [times = "", ...name] = line.split(" ")
      return [name.join(" "), Number(times)]
    })
    return { reached: named("reached "), passed: new Map(passed), killedAt: named("killed at ")[0] }
  }

  tell(line = "go"): void {
    this.#process.stdin?.write(`${line}\n`)
  }
  send(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves once it has said that many lines, or has ended. */
  async said(count: number): Promise<void> {
    await this.#until(() => this.count >= count)
  }
  /** Resolves once it has said such a line; throws if it ends without. */
  async says(is: (line: Line) => boolean): Promise<Line> {
    await this.#until(() => this.#lines.some(is))
    const line = this.#lines.find(is)
    if (line === undefined) throw new Error(`the process ended (${this.code ?? this.signal}): ${this.#errors}`)
    return line
  }
  /** Resolves once it has said more, has ended, or that time has passed. */
  async saysMore(ms: number): Promise<void> {
    const { count } = this
    let timer: NodeJS.Timeout | undefined
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([this.said(count + 1), passed])
    clearTimeout(timer)
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
