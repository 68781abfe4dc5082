/** What the generated sequences reach: commands, refusal codes and states, counted over all runs. */
import type { Command } from "../../machines/commands.ts"
import { killState } from "./endings.ts"
import type { Verdict, World } from "./state.ts"

export class Statistics {
  readonly succeeded = new Map<string, number>()
  readonly refused = new Map<string, number>()
  readonly codes = new Map<string, number>()
  readonly states = new Map<string, number>()

  count(command: Command, verdict: Verdict, world: World): void {
    add(verdict.ok ? this.succeeded : this.refused, command._tag)
    if (!verdict.ok) add(this.codes, verdict.code)
    if (verdict.ok && verdict.replayed) add(this.states, "answer replayed")
    if (!verdict.ok && verdict.facts.recorded === true) add(this.states, "late receipt recorded")
    for (const state of statesOf(world)) add(this.states, state)
  }

  get share(): number {
    const [yes, no] = [total(this.succeeded), total(this.refused)]
    return yes / Math.max(1, yes + no)
  }

  toString(): string {
    const tags = [...new Set([...this.succeeded.keys(), ...this.refused.keys()])].sort()
    return [
      `commands: ${total(this.succeeded) + total(this.refused)}, ${(this.share * 100).toFixed(1)} % succeed`,
      ...tags.map((tag) => `  ${tag}: ${this.succeeded.get(tag) ?? 0} ok, ${this.refused.get(tag) ?? 0} refused`),
      `codes: ${list(this.codes)}`,
      `states: ${list(this.states)}`,
    ].join("\n")
  }
}

const add = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)
const list = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, n]) => `${name} ${n}`)
    .join(", ")

/** The states that something in this world is in. */
const statesOf = (world: World): ReadonlySet<string> =>
  new Set([
    ...world.workflows.map((one) => `workflow ${one.status}`),
    ...world.sessions.map((one) => `session ${one.status}`),
    ...world.handoffs.map((one) => `handoff ${one.status}`),
    ...world.handoffs.filter((one) => one.generation > 1).map(() => "handoff reclaimed"),
    ...world.steps.map((one) => `step ${one.status}`),
    ...world.steps.filter((one) => one.unknown).map((one) => `step ${one.status} unknown`),
    ...world.prepared.map((one) => `prepared ${one.status}`),
    ...world.kills.map((one) => `kill ${one.scope} ${killState(world, one)}`),
    ...world.kills.map((one) => `kill by ${one.cause}`),
    ...world.resources.filter((one) => one.heir !== null).map(() => "ownership deferred"),
  ])

/** Every refusal that the rules themselves can give (the rest are answers of transports, stores and compilers). */
export const ruleCodes = [
  "workflow_exists",
  "workflow_killed",
  "workflow_not_active",
  "session_exists",
  "session_killed",
  "session_not_active",
  "role_not_root",
  "handoff_not_permitted",
  "handoff_exists",
  "handoff_already_claimed",
  "handoff_closed",
  "handoff_in_progress",
  "handoff_not_claimed",
  "handoff_not_in_progress",
  "handoffs_open",
  "descendants_active",
  "invalid_summary",
  "role_mismatch",
  "parent_mismatch",
  "stale_generation",
  "limit_exceeded",
  "limits_only_raise",
  "cost_unknown",
  "resource_unknown",
  "resource_pending",
  "resource_owned",
  "resource_busy",
  "resource_not_owned",
  "steps_unresolved",
  "step_queued",
  "step_awaiting_approval",
  "step_not_awaiting_approval",
  "step_already_resolved",
  "stale_fence",
  "prepared_request_invalid",
  "invalid_request",
  "forbidden",
  "workflow_not_found",
  "session_not_found",
  "handoff_not_found",
  "step_not_found",
  "version_mismatch",
  "idempotency_mismatch",
] as const

export const allStates = [
  ...["active", "completed", "failed", "killed"].flatMap((one) => [`workflow ${one}`, `session ${one}`]),
  ...["offered", "claimed", "in_progress", "completed", "failed", "withdrawn", "expired", "killed", "reclaimed"].map(
    (one) => `handoff ${one}`,
  ),
  ...[
    "awaiting_approval",
    "queued",
    "admitted",
    "committed",
    "aborted",
    "orphaned",
    "late",
    "admitted unknown",
    "orphaned unknown",
  ].map((one) => `step ${one}`),
  ...["open", "used", "returned"].map((one) => `prepared ${one}`),
  ...["session", "subtree", "workflow"].flatMap((one) => [`kill ${one} fenced`, `kill ${one} quiescent`]),
  ...["command", "max_duration", "reclaim", "fail"].map((one) => `kill by ${one}`),
  "ownership deferred",
  "answer replayed",
  "late receipt recorded",
] as const
