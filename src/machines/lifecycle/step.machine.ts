/**
 * The lifecycle of a step: one state-bearing tool call (semantics.md §5).
 *
 * A step starts awaiting approval when its tool's contract asks for a person; else queued when a `serial_only` resource makes
 * it wait, else admitted. One that is approved is queued, and admitted in the same event if it heads its queues. `orphaned` is
 * an admitted step whose session died: its effect may or may not have happened, so it is unresolved until somebody says.
 */
import { setup } from "xstate"
import type { Code } from "../refusals.ts"

export type StepEvent =
  | "APPROVE"
  | "REJECT"
  | "ADMIT"
  | "COMMIT"
  | "ABORT"
  | "REPORT_UNKNOWN"
  | "ORPHAN"
  | "SETTLE_LATE"

export interface StepMeta {
  readonly refuse: Partial<Record<StepEvent, Code>>
}

const resolved: StepMeta = {
  refuse: {
    COMMIT: "step_already_resolved",
    ABORT: "step_already_resolved",
    REPORT_UNKNOWN: "step_already_resolved",
    APPROVE: "step_not_awaiting_approval",
    REJECT: "step_not_awaiting_approval",
  },
}
const undecidable = { APPROVE: "step_not_awaiting_approval", REJECT: "step_not_awaiting_approval" } as const

export const stepMachine = setup({
  types: { events: {} as { readonly type: StepEvent }, meta: {} as StepMeta },
}).createMachine({
  id: "step",
  initial: "awaiting_approval",
  states: {
    awaiting_approval: {
      on: { APPROVE: "queued", REJECT: "aborted", ABORT: "aborted" },
      meta: { refuse: { COMMIT: "step_awaiting_approval", REPORT_UNKNOWN: "step_awaiting_approval" } },
    },
    queued: {
      on: { ADMIT: "admitted", ABORT: "aborted" },
      meta: { refuse: { ...undecidable, COMMIT: "step_queued", REPORT_UNKNOWN: "step_queued" } },
    },
    admitted: {
      on: { COMMIT: "committed", ABORT: "aborted", REPORT_UNKNOWN: "admitted", ORPHAN: "orphaned" },
      meta: { refuse: undecidable },
    },
    orphaned: { on: { SETTLE_LATE: "late" }, meta: { refuse: undecidable } },
    committed: { type: "final", meta: resolved },
    aborted: { type: "final", meta: resolved },
    late: { type: "final", meta: resolved },
  },
})
