/**
 * The report of a check: what can happen to a workflow, in plain words, with the shortest history that was found for each.
 *
 * It holds nothing of the machine that it was made on: the same definition, seed and options give the same report, and
 * `JSON.stringify` of it is what `handrail simulate --json` prints. Members are added, never renamed.
 */
import type { LimitName } from "../../machines/definition.ts"

/** How an agent behaves. `good` is what the others are compared with. */
export const behaviours = ["good", "slow", "greedy", "crash", "lie"] as const
export type Behaviour = (typeof behaviours)[number]

/**
 * - `violation`: an invariant of Handrail itself was broken. It must never be, and is a bug in Handrail.
 * - `danger`: the definition lets something wait for ever, spend without bound, or never happen.
 * - `reached`: a limit or a timeout that can be reached. As a rule that is what it is for.
 */
export const levels = ["violation", "danger", "reached"] as const
export type Level = (typeof levels)[number]

export type FindingKind =
  | "invariant"
  | "held"
  | "blocked"
  | "paused"
  | "stuck"
  | "waits"
  | "unwatched"
  | "endless"
  | "overspend"
  | "never"
  | "unused"
  | "incomplete"
  | "limit"
  | "starved"
  | "expires"
  | "times-out"
  | "attempts"

/** One line of a history. */
export interface HistoryLine {
  /** Ms since the workflow's birth. */
  readonly at: number
  readonly text: string
}

export interface Finding {
  /** Stable for a definition: what `--allow` and `--history` name. */
  readonly id: string
  readonly level: Level
  readonly kind: FindingKind
  /** The role, resource, limit or edge (`from>to`) that it is about. */
  readonly subject: string
  /** What can happen, in one or two sentences. */
  readonly text: string
  /** What in the definition would mend it; null where nothing is wrong. */
  readonly fix: string | null
  /** The runs in which it was seen; 0 of what never happens. */
  readonly runs: number
  /** The shortest history that was found; empty for what never happens. */
  readonly history: ReadonlyArray<HistoryLine>
  /** True where it was accepted beforehand (`allow`): it is then in no list but `findings`. */
  readonly allowed: boolean
}

/** How far what was spent went past a limit. Money is decimal. */
export interface Overshoot {
  /** The most that was seen, of the workflow's own limit or of a role's. */
  readonly seen: number
  /**
   * How many calls can be unresolved at once and settle more than they had reserved, by `max_steps`; null where nothing bounds
   * it. What a model turn reports as usage comes on top: it is recorded whatever the limits say.
   */
  readonly calls: number | null
  /** `calls` times the most that one simulated call went past its estimate; null where nothing bounds it. */
  readonly bound: number | null
}

export interface LimitReport {
  /** The workflow's own limit; null without one. */
  readonly limit: number | null
  /** Runs in which something was refused by the limit, of the workflow or of a role. */
  readonly reached: number
  /** Of these, runs in which every agent behaved well. */
  readonly reachedByGood: number
  /** The most that was used and reserved of it at one time. */
  readonly peak: number
  /** Of `maxCost` and `maxTokens`; the other limits can't be overshot, and theirs is all zero. */
  readonly overshoot: Overshoot
}

export interface RoleReport {
  /** Sessions and committed steps, over all runs. */
  readonly sessions: number
  readonly steps: number
  /** Sessions that completed. */
  readonly completed: number
}

export interface Statistics {
  readonly runs: number
  /** Runs in which every agent behaved well. */
  readonly goodRuns: number
  readonly goodRunsCompleted: number
  readonly commands: number
  readonly refused: number
  readonly events: number
  /** How the workflows ended; the others were still open when their run was over. */
  readonly completed: number
  readonly failed: number
  readonly killed: number
  readonly open: number
}

export interface Report {
  /** The name in the definition, and its hash. */
  readonly workflow: string
  readonly hash: string
  readonly seed: number
  readonly findings: ReadonlyArray<Finding>
  /** By level, without what was allowed. */
  readonly violations: ReadonlyArray<Finding>
  readonly dangers: ReadonlyArray<Finding>
  readonly reached: ReadonlyArray<Finding>
  readonly limits: Readonly<Record<LimitName, LimitReport>>
  readonly roles: Readonly<Record<string, RoleReport>>
  readonly statistics: Statistics
}
