/** The bounds of an agent's session in this process. Those of a command are in `machines/bounds.ts`. */
export const limits = {
  /** Characters of a result's JSON that go into the journal as evidence; a larger result is left out. */
  evidenceChars: 16 * 1024,
  /** How long a tool whose signal aborted may take to end before its call is answered without it. */
  abortGraceMs: 1000,
  /** The most that `maxRetries` may be, and what it is where none is given. */
  maxRetries: 5,
  defaultRetries: 2,
  /** The first pause before a retry; each further one is twice as long, up to the longest. */
  backoffMs: 50,
  longestBackoffMs: 2000,
  /** The longest timer of the platform, 24.8 days: a longer one would fire at once. */
  timerMs: 2 ** 31 - 1,
  /** Warnings that this process remembers having given. */
  warnings: 256,
} as const
