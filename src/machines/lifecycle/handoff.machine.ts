/**
 * The lifecycle of a handoff (semantics.md §4).
 *
 * `meta.refuse` names, state by state, the code with which a command is refused there, so that "what may happen" and "what
 * the caller is told when it may not" stand in one place.
 */
import { setup } from "xstate"
import type { Code } from "../refusals.ts"

export type HandoffEvent =
  | "CLAIM"
  /** The first committed step of the claimant or of a descendant of it. */
  | "PROGRESS"
  | "COMPLETE"
  /** COMPLETE under a rule with `completion: any`. */
  | "COMPLETE_ANY"
  | "FAIL"
  | "RECLAIM"
  /** RECLAIM of the last of `max_attempts` generations. */
  | "RECLAIM_EXHAUSTED"
  /** RECLAIM when the offering session is dead. */
  | "RECLAIM_ORPHANED"
  | "WITHDRAW"
  | "EXPIRE"
  | "KILL"

export interface HandoffMeta {
  readonly refuse: Partial<Record<HandoffEvent, Code>>
}

const closed: HandoffMeta = {
  refuse: {
    CLAIM: "handoff_closed",
    COMPLETE: "handoff_not_in_progress",
    COMPLETE_ANY: "handoff_not_in_progress",
    FAIL: "handoff_closed",
    RECLAIM: "handoff_closed",
    WITHDRAW: "handoff_closed",
  },
}

export const handoffMachine = setup({
  types: { events: {} as { readonly type: HandoffEvent }, meta: {} as HandoffMeta },
}).createMachine({
  id: "handoff",
  initial: "offered",
  states: {
    offered: {
      on: { CLAIM: "claimed", WITHDRAW: "withdrawn", EXPIRE: "expired", KILL: "killed" },
      meta: {
        refuse: {
          COMPLETE: "handoff_not_in_progress",
          COMPLETE_ANY: "handoff_not_in_progress",
          FAIL: "handoff_not_claimed",
          RECLAIM: "handoff_not_claimed",
        },
      },
    },
    claimed: {
      on: {
        PROGRESS: "in_progress",
        COMPLETE_ANY: "completed",
        FAIL: "failed",
        RECLAIM: "offered",
        RECLAIM_EXHAUSTED: "failed",
        RECLAIM_ORPHANED: "killed",
        KILL: "killed",
      },
      meta: {
        refuse: {
          CLAIM: "handoff_already_claimed",
          COMPLETE: "handoff_not_in_progress",
          WITHDRAW: "handoff_already_claimed",
        },
      },
    },
    in_progress: {
      on: { COMPLETE: "completed", COMPLETE_ANY: "completed", FAIL: "failed", KILL: "killed" },
      meta: {
        refuse: { CLAIM: "handoff_already_claimed", RECLAIM: "handoff_in_progress", WITHDRAW: "handoff_in_progress" },
      },
    },
    completed: { type: "final", meta: closed },
    failed: { type: "final", meta: closed },
    withdrawn: { type: "final", meta: closed },
    expired: { type: "final", meta: closed },
    killed: { type: "final", meta: closed },
  },
})
