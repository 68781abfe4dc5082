/** The process of contractHost.ts, as the run of mutants sees it: started when it is needed, ended when it does not come back. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { ContractRequest } from "./contractHost.ts"
import type { Judgement } from "./judge.ts"
import { testEnvironment } from "./testEnvironment.ts"

/** All sequences of a mutant that survives take seconds; a busy machine makes a minute of them. */
const longestMs = 180_000
/** Each mutant leaves its evaluated source behind in the process: after so many it makes room for a new one. */
const mutantsPerProcess = 32

export class ContractProcess {
  readonly #folder: string
  readonly #changed = new Set<string>()
  #process: ChildProcess | undefined
  #judged = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A file was written: its next judgement must not be of what it held before. */
  changed(path: string): void {
    this.#changed.add(path)
  }

  async judge(): Promise<Judgement> {
    if (this.#judged >= mutantsPerProcess) this.stop()
    this.#process ??= await this.#start()
    this.#judged += 1
    const host = this.#process
    const request: ContractRequest = { changed: [...this.#changed] }
    this.#changed.clear()
    return new Promise((resolve) => {
      const done = (judgement: Judgement): void => {
        clearTimeout(timer)
        host.off("exit", onExit)
        host.off("message", onMessage)
        resolve(judgement)
      }
      const onMessage = (judgement: unknown): void => done(judgement as Judgement)
      const onExit = (code: number | null): void => {
        this.stop()
        done({ _tag: "broken", why: `the process of the model ended with ${code}` })
      }
      const timer = setTimeout(() => {
        this.stop()
        done({ _tag: "timed out", by: "the model", why: "it never came back" })
      }, longestMs)
      host.once("exit", onExit)
      host.once("message", onMessage)
      host.send(request)
    })
  }

  stop(): void {
    this.#process?.kill("SIGKILL")
    this.#process = undefined
    this.#judged = 0
  }

  #start(): Promise<ChildProcess> {
    const host = fork(fileURLToPath(new URL("contractHost.ts", import.meta.url)), [], {
      cwd: this.#folder,
      env: testEnvironment(),
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    })
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void =>
        reject(new Error(`the process of the model did not start: it ended with ${code}`))
      host.once("exit", onExit)
      host.once("message", () => {
        host.off("exit", onExit)
        resolve(host)
      })
    })
  }
}
