/** What the server reads of a request and writes of an answer, whichever way it came: through `fetch` or `node:http`. */
import type { EventStream } from "../events/EventStream.ts"

export interface Incoming {
  readonly method: string
  /** Before the question mark, as it was sent. */
  readonly path: string
  /** After it; empty without one. */
  readonly query: string
  /** By lower-case name. */
  header(name: string): string | undefined
  /** The body's bytes, or `tooLarge` as soon as they are more than `max`. Rejects where the caller has gone. */
  body(max: number): Promise<Uint8Array | "tooLarge">
  /** Whether it came over the loopback interface. */
  readonly isLocal: boolean
  /** Aborts when the caller has gone. Made on demand: few requests need one. */
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Null has no body; a stream is written until it ends. */
  readonly body: string | EventStream | null
}
