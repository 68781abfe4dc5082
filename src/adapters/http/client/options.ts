/** The options of a remote client, checked when it is made. No message repeats a key or a URL's password. */
import { fail, type WorkflowError } from "../../../runtime/errors.ts"
import { clientLimits } from "./limits.ts"

export interface ConnectOptions {
  /** Where the server is, such as `https://handrail.example.com`; a path before the API's own is kept. */
  readonly url: string
  /** `hrk_…`. Without one only a server in development mode answers, on loopback. */
  readonly apiKey?: string | undefined
  /** Tokens of sessions that another process opened, so that this one can act for them: `client.sessionToken(id)` gave them. */
  readonly sessionTokens?: ReadonlyArray<string> | undefined
  /** How long a call may take with all its retries. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Retries of a call that the server or the way to it failed: 0 to 20, default 8. What the rules refuse is never repeated. */
  readonly maxRetries?: number | undefined
  /** How long a stream of events may be silent before it is opened anew. Default 40,000; the server comments every 15,000. */
  readonly silenceMs?: number | undefined
  /** In place of the global `fetch`: a proxy, a tracer, a server in the same process. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
}

export interface ClientSettings {
  /** Without a slash at its end. Holds no secret. */
  readonly url: string
  readonly authorization: string | undefined
  readonly sessionTokens: ReadonlyArray<string>
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly silenceMs: number
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
}

const wrong = (path: string, message: string): WorkflowError =>
  fail("invalid_request", message, { errors: [{ path, message }] })

/** What a header can carry as it is. */
const visible = /^[\x21-\x7e]+$/
export const readConnectOptions = (options: ConnectOptions): ClientSettings => {
  if (typeof options !== "object" || options === null) throw wrong("", "connect takes { url, apiKey }.")
  const { apiKey, sessionTokens = [] } = options
  if (apiKey !== undefined && (typeof apiKey !== "string" || !visible.test(apiKey)))
    throw wrong("apiKey", "apiKey is the text of an API key, hrk_…, without spaces.")
  if (
    !Array.isArray(sessionTokens) ||
    !sessionTokens.every((token) => typeof token === "string" && visible.test(token))
  )
    throw wrong("sessionTokens", "sessionTokens are the texts of session tokens, hrs_….")
  return {
    url: urlOf(options.url),
    authorization: apiKey === undefined ? undefined : `Bearer ${apiKey}`,
    sessionTokens,
    timeoutMs: number("timeoutMs", options.timeoutMs ?? clientLimits.timeoutMs, 1, clientLimits.longestTimeoutMs),
    maxRetries: number("maxRetries", options.maxRetries ?? clientLimits.maxRetries, 0, clientLimits.mostRetries),
    silenceMs: number("silenceMs", options.silenceMs ?? clientLimits.silenceMs, 1, clientLimits.longestTimeoutMs),
    // Looked up at each call: whoever replaces the global one later is heard.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
  }
}

const urlOf = (url: unknown): string => {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    throw wrong("url", "url is where the server is, such as http://127.0.0.1:4000.")
  if (parsed.username !== "" || parsed.password !== "")
    throw wrong("url", "url holds a user or a password, which Handrail has no use for: give a key as apiKey.")
  if (parsed.search !== "" || parsed.hash !== "") throw wrong("url", "url ends before any ? or #.")
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`
}

const number = (name: string, value: number, min: number, max: number): number => {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw wrong(name, `${name} is an integer of ${min} to ${max}.`)
}
