/**
 * One handoff as a sequential thing (semantics.md §4): offered, claimed by one session a generation, progressed, ended.
 *
 * What the commands of others do to it (a kill, a parent that ends) comes as an action of its own. A lease may run out by itself,
 * though not before its deadline; that it does not run out too late is not for this model to say: a process that was stopped
 * decides with the time that it had read.
 */
import type { Model } from "./linearizable.ts"

/** Epoch ms after which it may run out; null: there is no lease; undefined: there may be one, nobody knows since when. */
type Lease = number | null | undefined

export interface HandoffState {
  readonly status: string
  readonly generation: number
  readonly claimedBy: string | null
  readonly lease: Lease
  readonly offeredAt: number | null
  /** Who has claimed each generation, the first first. */
  readonly grants: ReadonlyArray<string>
  /** A claim without an answer, by a session that nobody named: what that session did since is not known to be its doing. */
  readonly vague: boolean
}

/** Undefined members were not said: a call without an answer, or a command that leaves it to the workflow. */
export type HandoffAction =
  | { readonly kind: "offer"; readonly offeredAt: number | undefined; readonly lease: Lease }
  | {
      readonly kind: "claim"
      readonly session: string
      readonly generation: number | undefined
      readonly named: number | undefined
      readonly lease: Lease
    }
  | {
      readonly kind: "read"
      readonly status: string
      readonly generation: number | undefined
      /** Undefined where it was not told. */
      readonly claimedBy: string | null | undefined
    }
  /** It was made to end, or offered again, by whoever may: the answer says what it became. */
  | {
      readonly kind: "move"
      readonly from: ReadonlyArray<string>
      readonly to: string | undefined
      readonly generation: number | undefined
      readonly named: number | undefined
      /** The claimant itself acted. */
      readonly by: string | undefined
    }
  /** A step of this session, or of a descendant of it, was committed. */
  | { readonly kind: "progress"; readonly session: string; readonly own: boolean }
  | { readonly kind: "renew"; readonly session: string; readonly lease: Lease }
  /** After it the handoff is not open, by this or by what was before. */
  | { readonly kind: "kill" }

const open = ["offered", "claimed", "in_progress"]
const claimed = ["claimed", "in_progress"]

export interface HandoffRules {
  /** Something that the history does not show may end it: an ancestor with a lease, a `max_duration`. */
  readonly mayBeKilled: boolean
  /** How much the clock of the leases may differ from the one of the history, in ms; undefined: they can't be compared. */
  readonly slackMs: number | undefined
}

const nothing: ReadonlyArray<HandoffState> = []

export const handoffModel = (rules: HandoffRules): Model<HandoffState, HandoffAction> => ({
  init: { status: "none", generation: 0, claimedBy: null, lease: null, offeredAt: null, grants: [], vague: false },
  key: ({ status, generation, claimedBy, lease, offeredAt, grants, vague }) =>
    `${vague ? "vague" : ""} ${status} ${generation} ${claimedBy ?? ""} ${lease ?? ""} ${offeredAt ?? ""} ${grants.join()}`,
  step: (state, action) => {
    switch (action.kind) {
      case "offer":
        return offer(state, action.offeredAt, action.lease)
      case "claim":
        return claim(state, action)
      case "read":
        return reads(named(state, action.claimedBy), action) ? [named(state, action.claimedBy)] : nothing
      case "move":
        return move(named(state, action.by), action)
      case "progress":
        return progress(named(state, action.session), action.session) ?? (action.own ? nothing : [state])
      case "renew":
        return renew(named(state, action.session), action)
      case "kill":
        return [open.includes(state.status) ? ended(state, "killed") : state]
    }
  },
  internal: (state, latest) => {
    const others = [
      ...(rules.mayBeKilled && open.includes(state.status) ? [ended(state, "killed")] : nothing),
      ...(state.vague && claimed.includes(state.status) ? unseen(state) : nothing),
    ]
    const { lease } = state
    const early = rules.slackMs !== undefined && lease !== undefined && lease !== null && latest + rules.slackMs < lease
    if (lease === null || early) return others
    if (state.status === "offered") return [ended(state, "expired"), ...others]
    // The last attempt fails; how many there are is the definition's.
    if (state.status === "claimed") return [again(state), ended(state, "failed"), ...others]
    return others
  },
})

const isNameless = (session: string | null): boolean => session?.startsWith("?") === true

/** The claimant, once somebody has seen who it is. */
const named = (state: HandoffState, session: string | null | undefined): HandoffState =>
  isNameless(state.claimedBy) && typeof session === "string" && claimed.includes(state.status)
    ? { ...state, claimedBy: session, grants: state.grants.with(-1, session) }
    : state

/** What a claimant that nobody knew may have done. */
const unseen = (state: HandoffState): ReadonlyArray<HandoffState> => [
  { ...state, status: "in_progress", lease: null },
  ended(state, "completed"),
  ended(state, "failed"),
]

const progress = (state: HandoffState, session: string): ReadonlyArray<HandoffState> | undefined =>
  state.claimedBy === session && claimed.includes(state.status)
    ? [{ ...state, status: "in_progress", lease: null }]
    : undefined

const renew = (
  state: HandoffState,
  { session, lease }: Extract<HandoffAction, { readonly kind: "renew" }>,
): ReadonlyArray<HandoffState> => {
  if (state.claimedBy !== session || !claimed.includes(state.status)) return nothing
  return [state.status === "claimed" ? { ...state, lease } : state]
}

const ended = (state: HandoffState, status: string): HandoffState => ({ ...state, status, lease: null })

/** Offered anew after a reclaim. Its offer lease began then, which nobody was told. */
const again = (state: HandoffState): HandoffState => ({
  ...state,
  status: "offered",
  generation: state.generation + 1,
  claimedBy: null,
  lease: undefined,
  vague: false,
})

const offer = (state: HandoffState, offeredAt: number | undefined, lease: Lease): ReadonlyArray<HandoffState> => {
  if (state.status === "none")
    return [{ ...state, status: "offered", generation: 1, offeredAt: offeredAt ?? null, lease }]
  // The same offer again changes nothing.
  return offeredAt === undefined || state.offeredAt === null || state.offeredAt === offeredAt ? [state] : nothing
}

const claim = (
  state: HandoffState,
  { session, generation, named: meant, lease }: Extract<HandoffAction, { readonly kind: "claim" }>,
): ReadonlyArray<HandoffState> => {
  if (meant !== undefined && generation !== undefined && meant !== generation) return nothing
  // Its winner may ask again.
  if (generation !== undefined && state.grants[generation - 1] === session) return [state]
  if (state.status !== "offered" || (generation ?? state.generation) !== state.generation) return nothing
  if (meant !== undefined && meant !== state.generation) return nothing
  const grants = [...state.grants]
  for (let i = grants.length; i < state.generation; i++) grants.push(i === state.generation - 1 ? session : "")
  return [{ ...state, status: "claimed", claimedBy: session, lease, grants, vague: isNameless(session) }]
}

const reads = (state: HandoffState, seen: Extract<HandoffAction, { readonly kind: "read" }>): boolean => {
  if (seen.status !== state.status) return false
  if (seen.generation !== undefined && seen.generation !== state.generation) return false
  return !claimed.includes(state.status) || seen.claimedBy === undefined || seen.claimedBy === state.claimedBy
}

const move = (
  state: HandoffState,
  { from, to, generation, named: meant, by }: Extract<HandoffAction, { readonly kind: "move" }>,
): ReadonlyArray<HandoffState> => {
  if (!from.includes(state.status)) return nothing
  if (by !== undefined && by !== state.claimedBy) return nothing
  if (meant !== undefined && meant !== state.generation) return nothing
  const outcomes = to === undefined ? ["offered", "failed", "killed"] : [to]
  return outcomes
    .map((status) => (status === "offered" ? again(state) : ended(state, status)))
    .filter((next) => generation === undefined || generation === next.generation)
}
