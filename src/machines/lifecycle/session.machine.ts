/** The lifecycle of a session: one agent at work in one role (semantics.md §3). Every end is final. */
import { setup } from "xstate"

export type SessionEvent = "COMPLETE" | "FAIL" | "KILL"

export const sessionMachine = setup({ types: { events: {} as { readonly type: SessionEvent } } }).createMachine({
  id: "session",
  initial: "active",
  states: {
    active: { on: { COMPLETE: "completed", FAIL: "failed", KILL: "killed" } },
    completed: { type: "final" },
    failed: { type: "final" },
    killed: { type: "final" },
  },
})
