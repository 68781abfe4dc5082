/**
 * What the runtime counts and measures. No label ever holds an id: the series are those of commands, codes and operations.
 *
 * Per command: two readings of the clock, one look-up by the command's name, and four additions.
 */
import type { CommandName } from "../../machines/commands.ts"
import type { Code } from "../../machines/refusals.ts"
import type { WorkflowError } from "../../runtime/errors.ts"
import type { Append, Appended, StorageError } from "../../runtime/Journal.ts"
import { type Count, Counter, type Distribution, type Family, Histogram } from "./exposition.ts"

/** Seconds: from a rule in memory to a store that hangs. */
export const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const powersOfTwo = (most: number): ReadonlyArray<number> =>
  Array.from({ length: Math.log2(most) + 1 }, (_, exponent) => 2 ** exponent)

/** `refused`: by the workflow's rules or for what was asked. `failed`: overload, the store, or a bug. */
export type Verdict = "accepted" | "refused" | "failed"
export const verdictOf = (error: WorkflowError | undefined): Verdict =>
  error === undefined ? "accepted" : error.status >= 500 ? "failed" : "refused"

export interface CommandCells extends Record<Verdict, Count> {
  readonly duration: Distribution
}

export class RuntimeMetrics {
  readonly #commands = new Counter(
    "handrail_commands_total",
    "Commands answered, by command and verdict (accepted, refused, failed).",
    ["command", "verdict"],
  )
  readonly #refusals = new Counter(
    "handrail_refusals_total",
    "Commands that were refused or failed, by the code of the error.",
    ["code"],
  )
  readonly #durations = new Histogram(
    "handrail_command_duration_seconds",
    "From the submission of a command to its durable answer.",
    seconds,
    ["command"],
  )
  readonly #queries = new Counter("handrail_queries_total", "Questions to live workflows, by verdict.", ["verdict"])
  readonly #depths = new Histogram(
    "handrail_mailbox_depth",
    "Requests that had waited for a workflow when it began to decide them.",
    powersOfTwo(4096),
  )
  readonly #redecided = new Counter(
    "handrail_commands_redecided_total",
    "Requests decided again because another writer was faster.",
  )
  readonly #groups = new Histogram(
    "handrail_commit_group_size",
    "Workflows whose batches went into one transaction.",
    powersOfTwo(256),
  )
  readonly #batches = new Histogram(
    "handrail_commit_batch_events",
    "Events that one transaction wrote for one workflow.",
    [0, ...powersOfTwo(1024)],
  )
  readonly #events = new Counter("handrail_events_total", "Events that became durable.")
  readonly #conflicts = new Counter(
    "handrail_commit_conflicts_total",
    "Batches that the store refused: conflict, another writer was faster; exists, an id is taken.",
    ["kind"],
  )
  readonly #storage = new Histogram(
    "handrail_storage_duration_seconds",
    "Calls of the store, by operation; append is a commit.",
    seconds,
    ["operation"],
  )
  readonly #failures = new Counter(
    "handrail_storage_failures_total",
    "Calls of the store that failed, by operation and reason.",
    ["operation", "reason"],
  )

  readonly #byCommand = new Map<CommandName, CommandCells>()
  readonly #byCode = new Map<Code, Count>()
  readonly depth = this.#depths.cell()
  readonly redecided = this.#redecided.cell()
  readonly #groupSize = this.#groups.cell()
  readonly #batchEvents = this.#batches.cell()
  readonly #eventCount = this.#events.cell()
  readonly #queryCells = {
    accepted: this.#queries.cell("accepted"),
    refused: this.#queries.cell("refused"),
    failed: this.#queries.cell("failed"),
  }
  readonly #conflictCells = {
    conflict: this.#conflicts.cell("conflict"),
    exists: this.#conflicts.cell("exists"),
  }

  get families(): ReadonlyArray<Family> {
    return [
      this.#commands,
      this.#refusals,
      this.#durations,
      this.#queries,
      this.#depths,
      this.#redecided,
      this.#groups,
      this.#batches,
      this.#events,
      this.#conflicts,
      this.#storage,
      this.#failures,
    ]
  }

  command(name: CommandName): CommandCells {
    const known = this.#byCommand.get(name)
    if (known !== undefined) return known
    const cells = {
      accepted: this.#commands.cell(name, "accepted"),
      refused: this.#commands.cell(name, "refused"),
      failed: this.#commands.cell(name, "failed"),
      duration: this.#durations.cell(name),
    }
    this.#byCommand.set(name, cells)
    return cells
  }

  refusal(code: Code): void {
    const known = this.#byCode.get(code) ?? this.#refusals.cell(code)
    this.#byCode.set(code, known)
    known.value += 1
  }

  query(verdict: Verdict): void {
    this.#queryCells[verdict].value += 1
  }

  appended(group: ReadonlyArray<Append>, results: ReadonlyArray<Appended>): void {
    this.#groupSize.observe(group.length)
    for (const [index, { entries }] of group.entries()) {
      const result = results[index]
      if (result === undefined) continue
      if (result._tag !== "appended") {
        this.#conflictCells[result._tag].value += 1
        continue
      }
      this.#batchEvents.observe(entries.length)
      this.#eventCount.value += entries.length
    }
  }

  stored(operation: string, tookSeconds: number, error: StorageError | "defect" | undefined): void {
    this.#storage.cell(operation).observe(tookSeconds)
    if (error === undefined) return
    const reason = error === "defect" ? error : error._tag === "StorageCorrupt" ? "corrupt" : error.reason
    this.#failures.cell(operation, reason).value += 1
  }
}
