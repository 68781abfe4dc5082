/** The process of contractHost.ts, as the run of mutants sees it: started when it is needed, ended when it does not come back. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { ContractRequest } from "./contractHost.ts"
import type { Judgement } from "./judge.ts"
import { testEnvironment } from "./testEnvironment.ts"

/** All sequences of a mutant that survives take seconds; a busy machine makes a minute of them. */
const longestMs = 180_000

export class ContractProcess {
  readonly #folder: string
  readonly #changed = new Set<string>()
  #process: ChildProcess | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A file was written: its next judgement must not be of what it held before. */
  changed(path: string): void {
    this.#changed.add(path)
  }

  async judge(): Promise<Judgement> {
    this.#process ??= await this.#start()
    const host = this.#process
    const request: ContractRequest = { changed: [...this.#changed] }
    this.#changed.clear()
    return new Promise((resolve) => {
      const done = (judgement: Judgement): void => {
        clearTimeout(timer)
        host.removeAllListeners()
        resolve(judgement)
      }
      const timer = setTimeout(() => {
        this.stop()
        done({ _tag: "timed out", by: "the model", why: "it never came back" })
      }, longestMs)
      host.once("exit", (code) => {
        this.#process = undefined
        done({ _tag: "broken", why: `the process of the model ended with ${code}` })
      })
      host.once("message", (judgement) => done(judgement as Judgement))
      host.send(request)
    })
  }

  stop(): void {
    this.#process?.kill("SIGKILL")
    this.#process = undefined
  }

  #start(): Promise<ChildProcess> {
    const host = fork(fileURLToPath(new URL("contractHost.ts", import.meta.url)), [], {
      cwd: this.#folder,
      env: testEnvironment(),
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    })
    return new Promise((resolve, reject) => {
      host.once("exit", (code) => reject(new Error(`the process of the model did not start: it ended with ${code}`)))
      host.once("message", () => {
        host.removeAllListeners()
        resolve(host)
      })
    })
  }
}
