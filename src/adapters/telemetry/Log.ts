/**
 * Structured logs: one line of JSON an event, with the ids of what it is about.
 *
 * Fields are chosen here, one by one: no argument, summary, result, header, key, or word of a caller can get into a line, and
 * of an error only its class and the place in the code. What repeats itself is written once in a while, with how often it was
 * left out.
 */
import { Cause, type Layer, Logger, type LogLevel, References } from "effect"

const levels = ["debug", "info", "warn", "error"] as const
export type Level = (typeof levels)[number]

export interface Fields {
  readonly tenant?: string | undefined
  readonly workflowId?: string | undefined
  readonly sessionId?: string | undefined
  readonly command?: string | undefined
  readonly verdict?: string | undefined
  readonly code?: string | undefined
  /** As the journal says it: a session, or `operator:<name>`. */
  readonly actor?: string | undefined
  readonly operation?: string | undefined
  readonly reason?: string | undefined
  readonly method?: string | undefined
  readonly route?: string | undefined
  readonly status?: number | undefined
  readonly keyId?: string | undefined
  readonly durationMs?: number | undefined
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  /** The class of an error, and where it was thrown. */
  readonly error?: string | undefined
  readonly at?: string | undefined
  /** How often the same was left out since it was last written. */
  readonly repeated?: number | undefined
}

export interface Entry extends Fields {
  readonly time: string
  readonly level: Level
  readonly message: string
}

export interface LogOptions {
  /** Default `info`. */
  readonly level?: Level
  /** One line, without its end, and what it says. Must not throw. Default: standard error. */
  readonly write?: (line: string, entry: Entry) => void
  /** Whether requests and the server's defects are told too: not where a host tells them itself. Default true. */
  readonly requests?: boolean
  /** Epoch ms; for tests. */
  readonly now?: () => number
}

/** What repeats itself is written this often. */
const repeatMs = 10_000
/** Kinds of repetition that are told apart; more share one. */
const mostRepeats = 256

export class Log {
  readonly #least: number
  readonly #write: (line: string, entry: Entry) => void
  readonly tellsRequests: boolean
  readonly #now: () => number
  readonly #repeats = new Map<string, { until: number; left: number }>()

  constructor({ level = "info", write, requests = true, now = Date.now }: LogOptions = {}) {
    this.tellsRequests = requests
    this.#least = levels.indexOf(level)
    this.#write = write ?? ((line) => process.stderr.write(`${line}\n`))
    this.#now = now
  }

  /** Whether a line of this level is written: ask before a costly one is made. */
  wants(level: Level): boolean {
    return levels.indexOf(level) >= this.#least
  }

  line(level: Level, message: string, fields: Fields): void {
    if (!this.wants(level)) return
    const entry = { time: new Date(this.#now()).toISOString(), level, message, ...fields }
    this.#write(JSON.stringify(entry), entry)
  }

  /** The same, for what may happen thousands of times a second: of one `kind` a line every ten seconds. */
  seldom(kind: string, level: Level, message: string, fields: Fields): void {
    if (!this.wants(level)) return
    const key = this.#repeats.size >= mostRepeats && !this.#repeats.has(kind) ? "other" : kind
    const known = this.#repeats.get(key)
    const now = this.#now()
    if (known !== undefined && now < known.until) {
      known.left += 1
      return
    }
    this.#repeats.set(key, { until: now + repeatMs, left: 0 })
    const left = known?.left ?? 0
    this.line(level, message, left === 0 ? fields : { ...fields, repeated: left })
  }

  /** Effect's logger in this form, in the place of whatever logs by default. */
  get layer(): Layer.Layer<never> {
    return Logger.layer([
      Logger.make(({ logLevel, message, cause, fiber }) => {
        const annotations = fiber.getRef(References.CurrentLogAnnotations)
        const text = (name: string): string | undefined => {
          const value = annotations[name]
          return typeof value === "string" ? value : undefined
        }
        this.line(levelOf(logLevel), wordsOf(message), {
          tenant: text("tenant"),
          workflowId: text("workflowId"),
          sessionId: text("sessionId"),
          ...thrown(cause.reasons.length > 0 ? Cause.squash(cause) : firstError(message)),
        })
      }),
    ])
  }
}

/** The class of an error and the first place of its stack: enough to find it, and nothing of what it was about. */
export const thrown = (error: unknown): Pick<Fields, "error" | "at"> => {
  if (error === undefined) return {}
  if (!(error instanceof Error)) return { error: typeof error }
  const at = /\n\s+at (?:.*[( ])?(?:file:\/\/)?([^()\s]+:\d+:\d+)\)?/.exec(error.stack ?? "")?.[1]
  return { error: error.name, ...(at === undefined ? {} : { at: at.split("/").slice(-3).join("/") }) }
}

/** Our own words; an object that was logged beside them is left out. */
const wordsOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message]).filter((part) => typeof part === "string").join(": ")
const firstError = (message: unknown): unknown =>
  Array.isArray(message) ? message.find((part) => part instanceof Error) : undefined

const levelOf = (level: LogLevel.LogLevel): Level =>
  level === "Fatal" || level === "Error" ? "error" : level === "Warn" ? "warn" : level === "Info" ? "info" : "debug"
