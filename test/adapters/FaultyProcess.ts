/** The parent's side of faultyWriter.mjs: a SQLite writer in a process of its own, as the conformance kit wants it. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { unavailable } from "../../src/adapters/kysely/errors.ts"
import { packGroup, type WriterOptions, type WriterReply } from "../../src/adapters/kysely/messages.ts"
import type { Append } from "../../src/runtime/Journal.ts"
import type { FaultyWriter, StoreFault, Strike, WriteOutcome } from "../../src/testing/index.ts"

interface Line {
  readonly opened?: true
  readonly armed?: true
  readonly struck?: true
  readonly thawed?: true
  readonly reply?: WriterReply
}
const died: WriteOutcome = { _tag: "died" }

export class FaultyProcess implements FaultyWriter {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #isOver = false
  #isFrozen = false
  #ids = 0
  /** What is asked is answered in order; a process that is gone answers nothing. */
  readonly #waiting: Array<(line: Line | undefined) => void> = []
  #struck: () => void = () => {}

  private constructor() {
    const entry = fileURLToPath(new URL("./faultyWriter.mjs", import.meta.url))
    this.#process = spawn(process.execPath, [entry], { stdio: ["pipe", "pipe", "inherit"] })
    const { stdin, stdout } = this.#process
    if (stdin === null || stdout === null) throw new Error("the process has no pipes")
    // A process that is gone can't read any more; its end is told below.
    stdin.on("error", () => {})
    createInterface({ input: stdout }).on("line", (text) => {
      const line: Line = JSON.parse(text)
      if (line.struck === true) this.#struck()
      else if (line.thawed === true) this.#isFrozen = false
      else this.#waiting.shift()?.(line)
    })
    this.#ended = new Promise((resolve) => {
      this.#process.on("close", () => {
        this.#isOver = true
        this.#struck()
        for (const waiting of this.#waiting.splice(0)) waiting(undefined)
        resolve()
      })
    })
  }

  static async open(options: WriterOptions): Promise<FaultyProcess> {
    const writer = new FaultyProcess()
    const line = await writer.#ask({ kind: "open", options })
    if (line?.opened !== true) throw new Error("the writer's process ended before it had opened the file")
    return writer
  }

  async append(group: ReadonlyArray<Append>): Promise<WriteOutcome> {
    const line = await this.#ask({ kind: "group", group: packGroup(++this.#ids, group) })
    if (line?.reply === undefined) return died
    const { failure, results } = line.reply
    if (failure !== null) return { _tag: "refused", error: unavailable(failure) }
    return { _tag: "answered", results: results ?? group.map(() => ({ _tag: "appended" as const })) }
  }

  async arm(fault: StoreFault): Promise<Strike> {
    const strike = {
      struck: false,
      strikes: new Promise<void>((resolve) => {
        this.#struck = () => {
          strike.struck = true
          this.#isFrozen = fault.kind === "freeze"
          resolve()
        }
      }),
      disarm: async () => {
        this.#struck = () => {}
        await this.#ask({ kind: "arm" })
      },
    }
    await this.#ask({ kind: "arm", fault })
    return strike
  }

  thaw(): void {
    // Its own signal to stop may come after the first of these: it says that it is about to stand still before it does.
    if (this.#isOver || !this.#isFrozen) return
    this.#process.kill("SIGCONT")
    setTimeout(() => this.thaw(), 5)
  }
  async kill(): Promise<void> {
    this.#struck = () => {}
    this.#process.kill("SIGKILL")
    await this.#ended
  }
  async close(): Promise<void> {
    this.#struck = () => {}
    this.thaw()
    this.#send({ kind: "close" })
    await this.#ended
  }

  #ask(message: object): Promise<Line | undefined> {
    if (this.#isOver) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#send(message)
    })
  }
  #send(message: object): void {
    this.#process.stdin?.write(`${JSON.stringify(message)}\n`)
  }
}
