/**
 * A server of the run's store, as an OS process of its own: `handrail serve`, as anybody would start it.
 *
 * Two keys are made in the store before: the agents' may only act for sessions whose token it holds, the operator's may step in.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Access } from "./orders.ts"

const handrail = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url))

/** How long it may take to answer, and to end. */
const startMs = 60_000
const stopMs = 15_000

export class ServerProcess {
  readonly agents: Access
  readonly operator: Access
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(child: ChildProcess, ended: Promise<unknown>, agents: Access, operator: Access) {
    this.#child = child
    this.#ended = ended
    this.agents = agents
    this.operator = operator
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Resolves once it answers. Rejects with what it has to say where it does not. */
  static async start(store: string): Promise<ServerProcess> {
    const { agentKey, operatorKey } = await makeKeys(store)
    const args = [handrail, "serve", "--store", `sqlite:${store}`, "--port", "0"]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    const leave = (): void => void child.kill("SIGKILL")
    process.once("exit", leave)
    const said: string[] = []
    createInterface({ input: child.stderr }).on("line", (line) => said.push(line))
    const ended = new Promise<string>((resolve) => {
      const end = (how: string): void => {
        process.off("exit", leave)
        resolve(how)
      }
      child.once("error", (error) => end(error.message))
      child.once("close", (code, signal) => end(signal ?? `code ${code}`))
    })
    const listening = new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const url = /^listening on (http:\S+)$/.exec(line)?.[1]
        if (url !== undefined) resolve(url)
      })
    })
    const failed = Promise.race([ended, sleep(startMs, "silence", { ref: false })]).then((how) => {
      child.kill("SIGKILL")
      throw new ServerError(`The server ended with ${how} before it answered. ${said.slice(-5).join(" ")}`.trim())
    })
    const url = await Promise.race([listening, failed])
    failed.catch(() => {})
    return new ServerProcess(child, ended, { url, apiKey: agentKey }, { url, apiKey: operatorKey })
  }

  /** Ends it: politely, and then not. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM")
    await Promise.race([this.#ended, sleep(stopMs, undefined, { ref: false })])
    this.#child.kill("SIGKILL")
    await this.#ended
  }
}

/** The message is for whoever started the demo. */
export class ServerError extends Error {
  override readonly name = "ServerError"
}

const makeKeys = async (store: string) => {
  const { KeyRing, openSqliteKeys } = await import("handrail/http")
  const keys = await openSqliteKeys(store)
  try {
    const ring = new KeyRing(keys)
    const agents = await ring.create({ name: "agents", scopes: ["agent"] })
    const operator = await ring.create({ name: "demo", scopes: ["read", "operator"] })
    return { agentKey: agents.key, operatorKey: operator.key }
  } finally {
    await keys.close()
  }
}
