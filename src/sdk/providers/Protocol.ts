/**
 * A provider's wire protocol: how a request is read and rewritten, and how an answer is read, stripped and fed back, whole or
 * as a stream. A protocol knows no rule: which calls stay is told to it.
 */
import type { ModelAnswer, ModelRequest, ModelUsage, Turn } from "../governor/Turn.ts"
import type { JsonObject } from "./json.ts"
import type { Withheld } from "./Withheld.ts"

/** What a turn asks of a request: tools that go, a notice that comes. */
export type Change = Pick<Turn, "removed" | "notice">

export interface Protocol {
  request(body: JsonObject, chars: number, attempt: number): ModelRequest
  /** The body as it is to be sent; the very same object where nothing changes. */
  rewrite(body: JsonObject, change: Change, withheld: Withheld): JsonObject
  /** Undefined where it is no answer of this protocol. Its calls have ids that differ, even where the provider's do not. */
  answer(whole: JsonObject): ModelAnswer | undefined
  /** Takes calls out of the answer, in place, and mends what they leave behind. */
  strip(whole: JsonObject, removed: ReadonlyMap<string, string>, withheld: Withheld): void
  /** The body that feeds an answer back; undefined where the protocol has no words for that. */
  again(body: JsonObject, whole: JsonObject, feedback: ReadonlyMap<string, string>): JsonObject | undefined
  /** The provider took the request: what it was told in `rewrite` it knows. */
  accepted?(body: JsonObject, withheld: Withheld): void
  gate(body: JsonObject): StreamGate
}

/** An event of a stream, with its bytes as they came: they go on unchanged wherever nothing is taken out. */
export interface StreamEvent {
  readonly bytes: Uint8Array
  readonly event: string | undefined
  /** Undefined for a comment. */
  readonly data: string | undefined
  /** The data as JSON, where it is an object. */
  readonly json: JsonObject | undefined
}

/** Takes bytes that may flow. */
export type Out = (bytes: Uint8Array) => void

/** `flows`: go on. `judge`: the answer is complete, and this event its end. `failed`: the provider gave up; nothing is judged. */
export type Taken = "flows" | "judge" | "failed"

/** One stream: text passes, calls are held until it is told which stay. */
export interface StreamGate {
  take(event: StreamEvent, out: Out): Taken
  /** The stream is over. `judge`: complete all the same. `cut`: a call is held that is not whole. `open`: no call is held. */
  ended(): "judge" | "cut" | "open"
  answer(): ModelAnswer
  /** What is known of the usage so far. */
  usage(): ModelUsage | undefined
  /** The answer as it would have come without a stream. */
  whole(): JsonObject
  /** Bytes that it keeps. */
  kept(): number
  /** Lets go what is held, less these calls. */
  release(removed: ReadonlyMap<string, string>, out: Out, withheld: Withheld): void
  /** Forgets the held calls; what comes next is another answer, which goes on where the text of this one ended. */
  restart(): void
}
