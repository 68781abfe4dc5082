/**
 * What `serve` says while it runs, on standard error: sentences for people, or one JSON object a line for programs.
 *
 * Nothing of a request but what `Observation` has is logged, so no key, token or body gets here. As text only what somebody
 * should see is told: start, stop and what the server failed at; as JSON every request is.
 */
import type { Observation } from "../adapters/http/server/HttpApp.ts"
import type { Entry } from "../adapters/telemetry/Log.ts"
import type { LogForm } from "./serveSettings.ts"
import { printable } from "./Terminal.ts"

type Level = "info" | "warn" | "error"

export interface ServeLogOptions {
  readonly form: LogForm
  readonly write: (line: string) => void
  /** Epoch ms. */
  readonly now?: () => number
}

export class ServeLog {
  readonly #form: LogForm
  readonly #write: (line: string) => void
  readonly #now: () => number

  constructor({ form, write, now = Date.now }: ServeLogOptions) {
    this.#form = form
    this.#write = write
    this.#now = now
  }

  /** Something about the server itself. */
  note(
    level: Level,
    event: string,
    text: string,
    facts: Readonly<Record<string, string | number | boolean>> = {},
  ): void {
    if (this.#form === "json") this.#json(level, { event, message: text, ...facts })
    else if (this.#form === "text") this.#write(`handrail: ${printable(text)}`)
  }

  /** What the runtime says of itself, such as a store that fails: a line of its own log, or as text what is wrong. */
  runtime(line: string, { level, message, operation, code, reason }: Entry): void {
    if (this.#form === "json") this.#write(line)
    else if (this.#form === "text" && (level === "warn" || level === "error")) {
      const why = [operation, code, reason].filter((part) => part !== undefined).join(" ")
      this.#write(`handrail: ${printable(why === "" ? message : `${message}: ${why}`)}`)
    }
  }

  request(seen: Observation): void {
    const failed = seen.status >= 500
    if (this.#form === "json") {
      const { operation, method, status, code, tenant, keyId, actor, workflowId, sessionId, traceparent } = seen
      this.#json(failed ? "error" : "info", {
        event: "request",
        operation,
        method,
        status,
        code,
        tenant,
        keyId,
        actor,
        workflowId,
        sessionId,
        traceparent,
        durationMs: Math.round(seen.durationMs * 1000) / 1000,
      })
    } else if (this.#form === "text" && failed)
      this.#write(
        `handrail: ${seen.method} ${seen.operation ?? "of no route"} was answered with ${seen.status} ${seen.code ?? ""}`,
      )
  }

  /** A bug: with where it came from, which holds no input. */
  defect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (this.#form === "json") this.#json("error", { event: "defect", message: text })
    else if (this.#form === "text") this.#write(`handrail: a bug: ${text}`)
  }

  #json(level: Level, facts: Readonly<Record<string, unknown>>): void {
    this.#write(JSON.stringify({ time: new Date(this.#now()).toISOString(), level, ...facts }))
  }
}
