/**
 * The lifecycle of a step: one state-bearing tool call (semantics.md §5).
 *
 * A step starts queued when a `serial_only` resource makes it wait, else admitted. `orphaned` is an admitted step whose
 * session died: its effect may or may not have happened, so it is unresolved until somebody says.
 */
import { setup } from "xstate"
import type { Code } from "../refusals.ts"

export type StepEvent = "ADMIT" | "COMMIT" | "ABORT" | "REPORT_UNKNOWN" | "ORPHAN" | "SETTLE_LATE"

export interface StepMeta {
  readonly refuse: Partial<Record<StepEvent, Code>>
}

const resolved: StepMeta = {
  refuse: { COMMIT: "step_already_resolved", ABORT: "step_already_resolved", REPORT_UNKNOWN: "step_already_resolved" },
}

export const stepMachine = setup({
  types: { events: {} as { readonly type: StepEvent }, meta: {} as StepMeta },
}).createMachine({
  id: "step",
  initial: "queued",
  states: {
    queued: {
      on: { ADMIT: "admitted", ABORT: "aborted" },
      meta: { refuse: { COMMIT: "step_queued", REPORT_UNKNOWN: "step_queued" } },
    },
    admitted: { on: { COMMIT: "committed", ABORT: "aborted", REPORT_UNKNOWN: "admitted", ORPHAN: "orphaned" } },
    orphaned: { on: { SETTLE_LATE: "late" } },
    committed: { type: "final", meta: resolved },
    aborted: { type: "final", meta: resolved },
    late: { type: "final", meta: resolved },
  },
})
