/**
 * A survey: what all live workflows of this runtime have open, and how near they are to their limits.
 *
 * Sums and extremes only, never a workflow by its name: the size of the answer does not depend on how many there are. It looks
 * at a few actors at a time and lets commands through in between, so that asking for it never holds them up.
 */
import { Effect } from "effect"
import { type Counted, headroom } from "../machines/ledger.ts"
import type { State } from "../machines/state.ts"
import type { Actor } from "./Actor.ts"
import { limits } from "./limits.ts"

export interface Headroom {
  /** The least share of this limit that an active workflow has left, 0 to 1; 1 where none has the limit. */
  lowest: number
  /** Active workflows with less than a tenth of it left. */
  tight: number
}

export interface Survey {
  /** The requests that wait in the fullest mailbox. */
  deepestMailbox: number
  activeWorkflows: number
  activeSessions: number
  readonly handoffs: Record<"offered" | "claimed", number>
  readonly steps: Record<"awaiting_approval" | "queued" | "admitted" | "orphaned", number>
  /** By limit; of the workflow or of a role, whichever has less left. */
  readonly headroom: Record<Counted, Headroom>
}

const tightShare = 0.1

const untouched = (): Headroom => ({ lowest: 1, tight: 0 })
const empty = (): Survey => ({
  deepestMailbox: 0,
  activeWorkflows: 0,
  activeSessions: 0,
  handoffs: { offered: 0, claimed: 0 },
  steps: { awaiting_approval: 0, queued: 0, admitted: 0, orphaned: 0 },
  headroom: {
    maxSessions: untouched(),
    maxActiveSessions: untouched(),
    maxSteps: untouched(),
    maxCost: untouched(),
    maxTokens: untouched(),
    maxOpenHandoffs: untouched(),
  },
})

const add = (survey: Survey, state: State): void => {
  for (const { status } of state.steps.values()) survey.steps[status] += 1
  for (const { status } of state.handoffs.values()) survey.handoffs[status === "offered" ? "offered" : "claimed"] += 1
  if (state.status !== "active") return
  survey.activeWorkflows += 1
  survey.activeSessions += state.account.activeSessions
  for (const [name, share] of headroom(state)) {
    const figures = survey.headroom[name]
    figures.lowest = Math.min(figures.lowest, share)
    if (share < tightShare) figures.tight += 1
  }
}

export const surveyOf = (actors: () => Iterable<Actor>): Effect.Effect<Survey> =>
  Effect.gen(function* () {
    const survey = empty()
    let seen = 0
    for (const actor of actors()) {
      const { depth, state } = actor.glance()
      survey.deepestMailbox = Math.max(survey.deepestMailbox, depth)
      if (state !== undefined) add(survey, state)
      seen += 1
      if (seen % limits.surveyStride === 0) yield* Effect.yieldNow
    }
    return survey
  })
