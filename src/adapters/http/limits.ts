/** The bounds of the HTTP server. Reaching one is a typed answer, never a growing queue. */
import { bounds } from "../../machines/bounds.ts"

export const httpLimits = {
  /** Bytes of a request's body; one more is `payload_too_large`. Room for a command's JSON and what is around it. */
  bodyBytes: 2 * bounds.commandBytes,
  /** Levels of a body's JSON: those of a command, and what wraps it. */
  jsonDepth: bounds.jsonDepth + 8,
  /** How long a request may take before it is answered `overloaded`; a long-poll's wait comes on top. */
  requestMs: 30_000,
  /** How long a client may take to send its headers and body. */
  receiveMs: 30_000,
  /** Longest wait of a long-poll. */
  waitMs: 60_000,
  /** Between two comments on a quiet event stream, so that nothing on the way takes it for dead. */
  heartbeatMs: 15_000,
  /** How long a reader of events may leave what was sent to it unread before it is dropped. */
  slowReaderMs: 15_000,
  /** Event streams at once; one more is `overloaded`. */
  streams: 20_000,
  /** Frames, and their characters, that a busy workflow's readers share; whoever is further behind reads the journal. */
  feedFrames: 1024,
  feedChars: 1024 * 1024,
  /** Readers that are woken in one turn of the event loop. */
  wokenAtOnce: 500,
  /** Characters that one write to a reader holds, beyond its last frame. */
  chunkChars: 64 * 1024,
  /** Commands per second of one key, and how many it may save up. */
  ratePerSecond: 2000,
  rateBurst: 4000,
  /** Keys whose rate is remembered. */
  rateKeys: 10_000,
  /** Verified (and refused) keys that are remembered, and for how long before the store is asked again. */
  keysKept: 10_000,
  keyFreshMs: 2000,
  /** Session tokens that were proven. */
  tokensKept: 20_000,
  /** Tenants whose client is kept. */
  tenants: 1000,
  /** How long a stop waits for what is under way. */
  drainMs: 10_000,
} as const
