/**
 * Checks a history of a whole store: every handoff, every resource and every ledger in it must be linearizable.
 *
 * Each is checked by itself, which is sound: the whole can only be linearizable when its parts are. A part whose search ran out
 * of its budget is told as such; it is neither good nor bad.
 */
import { handoffHistories } from "./handoffHistory.ts"
import { handoffModel } from "./handoffModel.ts"
import { mergeRepeats, type Recorded } from "./history.ts"
import { ledgerHistories } from "./ledgerHistory.ts"
import { ledgerModel } from "./ledgerModel.ts"
import { checkLinearizable, defaultBudget, type Model, type Operation } from "./linearizable.ts"
import { livesOf } from "./lives.ts"
import { resourceHistories } from "./resourceHistory.ts"
import { type ResourceMode, resourceModel } from "./resourceModel.ts"

export interface HistoryRules {
  /** The resources that the definition declares; others are not checked. */
  readonly resources: Readonly<Record<string, ResourceMode>>
  /** The workflow's own limits at its creation; money in decimal. */
  readonly maxCost: number | null
  readonly maxSteps: number | null
  /** Sessions may end by what the history does not show: a `max_duration`, commands that were not recorded. Default false. */
  readonly mayBeKilled?: boolean
  /**
   * Set where `call` and `return` are epoch ms like deadlines: no lease may then run out earlier than this many ms before its
   * deadline.
   */
  readonly slackMs?: number
  /** Configurations that one part may cost; see `checkLinearizable`. */
  readonly budget?: number
}

export interface PartVerdict {
  readonly kind: "handoff" | "resource" | "ledger"
  readonly partition: string
  /** What was found, for people; the shortest prefix that no order explains comes with it. */
  readonly text: string
}
export interface HistoryReport {
  readonly parts: Readonly<Record<PartVerdict["kind"], number>>
  readonly operations: number
  readonly violations: ReadonlyArray<PartVerdict>
  /** Searches that ran out of their budget, and ledgers whose prices are not in the history. */
  readonly undecided: ReadonlyArray<PartVerdict>
}

export const checkHistory = (history: ReadonlyArray<Recorded>, rules: HistoryRules): HistoryReport => {
  const merged = mergeRepeats(history)
  const mayBeKilled = rules.mayBeKilled ?? false
  const { slackMs, budget = defaultBudget } = rules
  const lives = livesOf(merged, mayBeKilled)
  const report = new Report(budget)
  for (const { partition, operations, mayBeKilled: killed } of handoffHistories(merged, mayBeKilled))
    report.check("handoff", partition, handoffModel({ mayBeKilled: killed, slackMs }), operations)
  for (const { partition, name, operations } of resourceHistories(merged)) {
    const mode = rules.resources[name]
    if (mode !== undefined) report.check("resource", partition, resourceModel(mode, lives), operations)
  }
  const micros = (amount: number | null): number | null => (amount === null ? null : Math.round(amount * 1e6))
  const limits = { maxCost: micros(rules.maxCost), maxSteps: rules.maxSteps, lives, slackMs }
  for (const { partition, operations, unpriced } of ledgerHistories(merged))
    if (unpriced) report.leave("ledger", partition, "a call left its price to a contract")
    else report.check("ledger", partition, ledgerModel(limits), operations)
  return report.done
}

/** How many operations of a prefix are worth showing. */
const shown = 12

class Report {
  readonly #budget: number
  readonly #parts = { handoff: 0, resource: 0, ledger: 0 }
  readonly #violations: Array<PartVerdict> = []
  readonly #undecided: Array<PartVerdict> = []
  #operations = 0

  constructor(budget: number) {
    this.#budget = budget
  }

  get done(): HistoryReport {
    return {
      parts: this.#parts,
      operations: this.#operations,
      violations: this.#violations,
      undecided: this.#undecided,
    }
  }

  leave(kind: PartVerdict["kind"], partition: string, text: string): void {
    this.#undecided.push({ kind, partition, text })
  }

  check<S, A>(
    kind: PartVerdict["kind"],
    partition: string,
    model: Model<S, A>,
    operations: ReadonlyArray<Operation<A>>,
  ): void {
    this.#parts[kind] += 1
    this.#operations += operations.length
    const verdict = checkLinearizable(model, operations, this.#budget)
    if (verdict._tag === "budgetExceeded")
      this.leave(
        kind,
        partition,
        `not decided within ${this.#budget} configurations of ${operations.length} operations`,
      )
    if (verdict._tag !== "notLinearizable") return
    const { prefix, last, explained, state } = verdict
    const lines = [
      `no order explains the first ${prefix.length} operations of ${kind} ${partition}; the last to return is`,
      `  ${line(last)}`,
      `${explained.length} of them can be explained; then it is ${JSON.stringify(state)}, and these are left:`,
      ...prefix
        .filter((op) => !explained.includes(op))
        .slice(0, shown)
        .map((op) => `  ${line(op)}`),
      "the last that can be explained:",
      ...explained.slice(-shown).map((op) => `  ${line(op)}`),
    ]
    this.#violations.push({ kind, partition, text: lines.join("\n") })
  }
}

const line = <A>({ process, call, return: returned, action }: Operation<A>): string =>
  `${process} ${call} to ${Number.isFinite(returned) ? returned : "(no answer)"}: ${JSON.stringify(action)}`
