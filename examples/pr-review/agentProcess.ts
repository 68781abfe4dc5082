/** One agent as an OS process of its own: started, listened to, given permissions, and stopped. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Access, Assignment, Report, Said } from "./orders.ts"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface AgentEvents {
  /** `at` is when it said so, in epoch ms. */
  readonly onReport: (report: Report, agent: AgentProcess, at: number) => void
  readonly onExit: (exit: Exit, agent: AgentProcess) => void
  /** What it wrote to standard error, line by line. */
  readonly onError: (line: string, agent: AgentProcess) => void
}

/** Rules that are not enforced are reported by the agent, once and in one line. */
const quiet = "--disable-warning=HANDRAIL_UNENFORCED"

const start = fileURLToPath(new URL("./agents/start.mjs", import.meta.url))

export class AgentProcess {
  readonly assignment: Assignment
  readonly reports: Report[] = []
  /** Resolves when the process has ended and all that it said was heard. Never rejects. */
  readonly ended: Promise<Exit>
  exit: Exit | undefined
  readonly #child: ChildProcess

  /** With access to a server it finds it in its environment: arguments are for everybody on the machine to see. */
  constructor(assignment: Assignment, access: Access | undefined, { onError, onExit, onReport }: AgentEvents) {
    this.assignment = assignment
    const args = [quiet, start, assignment.role, JSON.stringify(assignment)]
    const found = access === undefined ? {} : { HANDRAIL_URL: access.url, HANDRAIL_API_KEY: access.apiKey }
    const env = { ...process.env, HANDRAIL_URL: undefined, HANDRAIL_API_KEY: undefined, ...found }
    const child = spawn(process.execPath, args, { env, stdio: ["pipe", "pipe", "pipe"] })
    this.#child = child
    // A process that is gone can't be written to; its exit says all that there is to say.
    child.stdin.on("error", () => {})
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { at, report }: Said = JSON.parse(line)
      this.reports.push(report)
      onReport(report, this, at)
    })
    createInterface({ input: child.stderr }).on("line", (line) => onError(line, this))
    this.ended = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        if (this.exit !== undefined) return
        this.exit = exit
        onExit(exit, this)
        resolve(exit)
      }
      child.once("error", (error) => {
        onError(error.message, this)
        end({ code: null, signal: null })
      })
      child.once("close", (code, signal) => end({ code, signal }))
    })
  }

  get name(): string {
    return this.assignment.agent
  }
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** What it reported of this kind, if it did. */
  report<K extends Report["kind"]>(kind: K): Extract<Report, { readonly kind: K }> | undefined {
    return this.reports.find((report): report is Extract<Report, { readonly kind: K }> => report.kind === kind)
  }

  /** Gives the permission that it waits for. */
  go(): void {
    this.#child.stdin?.write("go\n")
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}
