/**
 * The bound of everything that a command or a workflow may hold. Each has a typed error at the limit.
 *
 * These are the bounds of the rules; those of queues, pages and connections are in `runtime/limits.ts`.
 */
export const bounds = {
  callsPerProposal: 64,
  receiptsPerCommand: 256,
  resourcesPerCall: 16,
  artifactsPerHandoff: 64,
  /** Bytes of one command's JSON: a summary, the arguments of a proposal, a result. */
  commandBytes: 1024 * 1024,
  /** Levels that a command's JSON may be nested: what walks it by recursion must never run out of stack. */
  jsonDepth: 128,
  /** How long a step awaits approval where its contract says no time: a day, so that it is found the next morning. */
  approvalTimeoutMs: 24 * 3600 * 1000,
  /** Free resources whose counters stay in memory; older ones are read back from the store when they are named again. */
  idleResources: 1024,
  /** Sessions, handoffs and steps that a kill receipt lists by id; the counts are always exact. */
  receiptItems: 20_000,
} as const
