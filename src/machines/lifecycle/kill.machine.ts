/**
 * The lifecycle of a kill cascade (semantics.md §8).
 *
 * From its one event on, everything in its scope is fenced: no write of a killed session is accepted. It is quiescent once
 * the outcome of every step that was admitted before it is known.
 */
import { setup } from "xstate"

export type KillEvent = "ORPHANS_RESOLVED"

export const killMachine = setup({ types: { events: {} as { readonly type: KillEvent } } }).createMachine({
  id: "kill",
  initial: "fenced",
  states: {
    fenced: { on: { ORPHANS_RESOLVED: "quiescent" } },
    quiescent: { type: "final" },
  },
})
