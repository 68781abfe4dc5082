/** The bounds of a remote client. Those of a command are in `machines/bounds.ts`, those of the server in `../limits.ts`. */
export const clientLimits = {
  /** How long a call may take with all its tries, and the most that may be asked for. */
  timeoutMs: 30_000,
  longestTimeoutMs: 24 * 60 * 60_000,
  /** Tries of a call that fit into its time, each as long as it may take. */
  triesPerTimeout: 3,
  /** Retries of a call, and the most that may be asked for. */
  maxRetries: 8,
  mostRetries: 20,
  /** The first pause before a retry; each further one is twice as long, up to the longest. */
  backoffMs: 50,
  longestBackoffMs: 2000,
  /** How long a stream of events may be silent before it is taken for dead: two comments of the server, and some. */
  silenceMs: 40_000,
  /** The longest pause that a server can ask a reader of events for. */
  longestHintMs: 10_000,
  /** Times in a row that a stream may begin with a gap. */
  gaps: 3,
  /** Characters of an answer, and of one event: more is `payload_too_large`. */
  answerChars: 64 * 1024 * 1024,
  eventChars: 16 * 1024 * 1024,
  /** Session tokens that are kept, the latest used. */
  tokens: 10_000,
} as const
