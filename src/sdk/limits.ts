/** The bounds of an agent's session in this process. Those of a command are in `machines/bounds.ts`. */
export const limits = {
  /** Characters of a result's JSON that go into the journal as evidence; a larger result is left out. */
  evidenceChars: 16 * 1024,
  /** How long a tool whose signal aborted may take to end before its call is answered without it. */
  abortGraceMs: 1000,
  /** How often an answer may be fed back to its model. */
  maxRetries: 5,
  /** Tries of a command again after trouble with the infrastructure. */
  commandRetries: 2,
  /** Calls without the control plane: the default, and the most that may be chosen. */
  unguardedCalls: 10,
  maxUnguardedCalls: 1000,
  /** Characters of `principal` and `environment`. */
  labelChars: 200,
  /** Admitted calls that wait to be run, in this process. */
  waitingSteps: 1024,
  /** Decisions that a session remembers. */
  decisions: 100,
  /** Tools that the header of narrowed ones names. */
  toolsInHeader: 50,
  /** What a model is presumed to write at most where its request does not say. */
  estimatedOutputTokens: 4096,
  /** The most tokens, and decimal money, that is told in one go. */
  usageTokens: 1e12,
  usageCost: 1e9,
  /** The first pause before a retry; each further one is twice as long, up to the longest. */
  backoffMs: 50,
  longestBackoffMs: 2000,
  /** The longest timer of the platform, 24.8 days: a longer one would fire at once. */
  timerMs: 2 ** 31 - 1,
  /** Warnings that this process remembers having given. */
  warnings: 256,
} as const
