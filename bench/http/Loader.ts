/**
 * A process that loads the server, seen from the benchmark: what a client costs is not taken from the event loop that answers
 * it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Order, Report } from "./protocol.ts"

/** What takes this much longer than it was to take does not come any more. */
const patienceMs = 60_000
const script = fileURLToPath(new URL("main.ts", import.meta.url))

type Of<K extends Report["kind"]> = Extract<Report, { readonly kind: K }>

export class Loader {
  readonly #child: ChildProcess

  constructor() {
    // With the loader of TypeScript that this process was started with.
    this.#child = fork(script, { execArgv: process.execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] })
  }

  /** Sends an order and waits for the report of it; `during` is told of what comes before. */
  ask<K extends Report["kind"]>(
    order: Order,
    kind: K,
    options: { readonly ms: number; readonly during?: (report: Report) => void },
  ): Promise<Of<K>> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        child.off("message", told)
        child.off("exit", ended)
        then()
      }
      const fail = (why: string): void => settle(() => reject(new Error(`the load: ${why}`)))
      const isAnswer = (report: Report): report is Of<K> => report.kind === kind
      const told = (report: Report): void => {
        if (isAnswer(report)) settle(() => resolve(report))
        else if (report.kind === "failed") fail(report.error)
        else options.during?.(report)
      }
      const ended = (code: number | null): void => fail(`its process ended (${code ?? "killed"})`)
      const timer = setTimeout(() => fail("no report came"), options.ms + patienceMs)
      child.on("message", told)
      child.on("exit", ended)
      if (!child.connected) return fail("its process has ended")
      child.send(order)
    })
  }

  /** Killed rather than asked: nothing in it is wanted any more. */
  close(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      child.once("exit", () => resolve())
      child.kill("SIGKILL")
    })
  }
}
