/** The bound of everything that the runtime queues, keeps or pages. Each has a typed error at the limit. */
export const limits = {
  /** Commands that wait for one workflow; one more is `overloaded`. */
  mailbox: 4096,
  /** Commands that wait in the whole runtime. */
  waiting: 65_536,
  /** Workflows whose batches go into one transaction. */
  group: 256,
  /** From so many on, what waits for an idle journal is split in two groups, so that writing and deciding can take turns. */
  splitGroup: 32,
  /** Transactions that the journal works on at once: while one is written, the next is gathered. */
  groupsInFlight: 2,
  /** Times that one command is decided again because another writer was faster, before it is `overloaded`. */
  conflictRetries: 64,
  /** Events after which a snapshot is due; more where more is open, so that its cost stays a constant share. */
  snapshotEvery: 256,
  /** Answers with an idempotency key that an actor remembers; older ones are read back. */
  answersKept: 1024,
  /** Live actors; beyond it idle ones are put away early. */
  actors: 100_000,
  /** An actor that did nothing for this long is put away. */
  idleMs: 60_000,
  sweepMs: 10_000,
  /** Live workflows that a survey looks at before it lets commands through. */
  surveyStride: 256,
  /** Events that one read of the journal returns. */
  eventPage: 256,
  /** Rows that one page of a listing may hold. */
  page: 1000,
  /** Compiled definitions that are kept. */
  definitions: 256,
  /** Sessions whose workflow is remembered without asking the store. */
  locations: 100_000,
  /** Shortest sleep between two looks at the deadlines of live actors: each looks at all of them. */
  deadlineTickMs: 10,
  /** Longest sleep between two looks at the deadlines of workflows that have no live actor. */
  deadlinePollMs: 1000,
  /** How long a deadline of a workflow that no actor here holds may be overdue before this runtime fires it. */
  deadlineGraceMs: 250,
  /** Workflows that one look may wake. */
  dueWorkflows: 256,
  /** How long `close` waits for what was accepted. */
  closeMs: 10_000,
} as const
