/**
 * The lifecycle of a workflow (semantics.md §2). No context and no guards: which event it is, is decided before it is sent.
 */
import { setup } from "xstate"

export type WorkflowEvent = "ROOT_COMPLETED" | "ROOT_FAILED" | "KILLED" | "LAST_SESSION_ENDED"

export const workflowMachine = setup({ types: { events: {} as { readonly type: WorkflowEvent } } }).createMachine({
  id: "workflow",
  initial: "active",
  states: {
    active: {
      on: {
        ROOT_COMPLETED: "completed",
        ROOT_FAILED: "failed",
        KILLED: "killed",
        /** The root had been killed alone; the last session that outlived it has ended. */
        LAST_SESSION_ENDED: "killed",
      },
    },
    completed: { type: "final" },
    failed: { type: "final" },
    killed: { type: "final" },
  },
})
