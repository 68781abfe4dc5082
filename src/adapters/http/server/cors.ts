/** Calls from pages of other origins: refused by every browser unless the origin is listed here. */
import type { Incoming, Reply } from "./Request.ts"

export interface Cors {
  /** Such as `https://console.example.com`; `*` is any. */
  readonly origins: ReadonlyArray<string>
}

export const corsHeaders = ({ origins }: Cors, incoming: Incoming): Readonly<Record<string, string>> => {
  const origin = incoming.header("origin")
  if (origin === undefined || !(origins.includes("*") || origins.includes(origin))) return { vary: "Origin" }
  return {
    "access-control-allow-origin": origins.includes("*") ? "*" : origin,
    "access-control-expose-headers": "Handrail-Seq, Retry-After",
    vary: "Origin",
  }
}

export const isPreflight = (incoming: Incoming): boolean =>
  incoming.method === "OPTIONS" && incoming.header("access-control-request-method") !== undefined

/** `corsHeaders` adds whether the origin may. */
export const preflight = (): Reply => ({
  status: 204,
  headers: {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers":
      "Authorization, Content-Type, Handrail-Session, Idempotency-Key, Last-Event-ID, Traceparent",
    "access-control-max-age": "600",
  },
  body: null,
})
