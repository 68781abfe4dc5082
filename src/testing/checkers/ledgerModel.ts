/**
 * The ledger of one workflow as a sequential thing (semantics.md §7): money and steps, used and reserved, never past a limit but
 * by what a step had really cost.
 *
 * A refusal names the counters that it was judged by, and a reader sees them too: both are held against the model to the last
 * micro-unit.
 */

import type { Model } from "./linearizable.ts"
import type { Lives } from "./lives.ts"

interface Reserved {
  /** A step's or a prepared request's; of a proposal without an answer a name of ours, with `?`. */
  readonly id: string
  readonly session: string
  readonly cost: number
  /** Of a prepared request; null of a step. */
  readonly until: number | null
  /** Of a step that awaits approval, or may: its time may run out at any moment. */
  readonly fleeting?: boolean
}
export interface LedgerState {
  readonly maxCost: number | null
  readonly maxSteps: number | null
  readonly cost: number
  readonly steps: number
  readonly reserved: ReadonlyArray<Reserved>
}

export interface Counters {
  readonly used: number
  readonly reserved: number
  readonly max: number | null
}
export type LedgerAction =
  | {
      readonly kind: "propose"
      readonly session: string
      readonly calls: ReadonlyArray<{ readonly id: string; readonly cost: number; readonly fleeting: boolean }>
      readonly prepared: string | undefined
      readonly isAnswered: boolean
      readonly usage: number
    }
  /** `exact`: of one call, so that nothing of its own proposal is in the counters. */
  | {
      readonly kind: "refused"
      readonly limit: "max_cost" | "max_steps"
      readonly counters: Counters
      readonly requested: number
      readonly prepared: string | undefined
      readonly usage: number
      readonly exact: boolean
    }
  /** A refused proposal's model turn: it is paid for where its session is known. */
  | { readonly kind: "usage"; readonly cost: number }
  | {
      readonly kind: "prepare"
      readonly id: string
      readonly session: string
      readonly cost: number
      readonly until: number
    }
  | {
      readonly kind: "resolve"
      readonly step: string
      readonly session: string | undefined
      readonly committed: boolean
      /** Late receipts count no step. */
      readonly counts: boolean
      /** Undefined: the estimate of what was committed, nothing of what was aborted. */
      readonly cost: number | undefined
      readonly named: boolean
    }
  | { readonly kind: "raise"; readonly maxCost: number | undefined; readonly maxSteps: number | undefined }
  | { readonly kind: "read"; readonly cost: Counters; readonly steps: Counters }

export interface LedgerRules {
  readonly maxCost: number | null
  readonly maxSteps: number | null
  readonly lives: Lives
  /** How much the clock of the leases may differ from the history's, in ms; undefined: they can't be compared. */
  readonly slackMs: number | undefined
}

const isNameless = (id: string): boolean => id.startsWith("?")

type Next = ReadonlyArray<LedgerState>
const none: Next = []

const reservedCost = ({ reserved }: LedgerState): number => reserved.reduce((total, one) => total + one.cost, 0)
const reservedSteps = ({ reserved }: LedgerState): number => reserved.filter((one) => one.until === null).length

export const ledgerModel = (rules: LedgerRules): Model<LedgerState, LedgerAction> => ({
  init: { maxCost: rules.maxCost, maxSteps: rules.maxSteps, cost: 0, steps: 0, reserved: [] },
  key: ({ maxCost, maxSteps, cost, steps, reserved }) =>
    `${maxCost} ${maxSteps} ${cost} ${steps} ${reserved.map((one) => `${one.id}:${one.cost}`).join()}`,
  step: (state, action) => {
    switch (action.kind) {
      case "propose": {
        const admitted = propose(state, action)
        // What was never answered may also have been refused, and a refusal settles its usage all the same.
        const settled = action.isAnswered || action.usage === 0 ? [] : [{ ...state, cost: state.cost + action.usage }]
        return [...admitted, ...settled]
      }
      case "refused":
        return refused(state, action)
      case "usage":
        return [{ ...state, cost: state.cost + action.cost }, state]
      case "prepare": {
        const { id, session, cost, until } = action
        return fits(state.maxCost, state.cost + reservedCost(state), cost)
          ? [reserve(state, { id, session, cost, until })]
          : none
      }
      case "resolve":
        return resolve(state, action)
      case "raise": {
        const { maxCost = state.maxCost, maxSteps = state.maxSteps } = action
        const raised = (state.maxCost ?? 0) <= (maxCost ?? 0) && (state.maxSteps ?? 0) <= (maxSteps ?? 0)
        return raised ? [{ ...state, maxCost, maxSteps }] : none
      }
      case "read":
        return same(action.cost, state.cost, reservedCost(state), state.maxCost) &&
          same(action.steps, state.steps, reservedSteps(state), state.maxSteps)
          ? [state]
          : none
    }
  },
  lazy: true,
  internal: (state, latest) =>
    state.reserved.flatMap((one, index) => {
      const without = { ...state, reserved: state.reserved.toSpliced(index, 1) }
      if (one.until !== null) {
        const expired = rules.slackMs === undefined || latest + rules.slackMs >= one.until
        return expired || rules.lives.mayEnd(one.session) ? [without] : []
      }
      // A queued step goes with its session for nothing; an orphan that is released may have cost what was thought.
      if (!rules.lives.mayDie(one.session)) return one.fleeting === true ? [without] : []
      return one.cost === 0 ? [without] : [without, { ...without, cost: state.cost + one.cost }]
    }),
})

const fits = (max: number | null, taken: number, more: number): boolean =>
  more <= 0 || max === null || taken + more <= max
const same = (seen: Counters, used: number, reserved: number, max: number | null): boolean =>
  seen.used === used && seen.reserved === reserved && seen.max === max

/** By id, so that equal states have equal keys whatever the order in which they came about. */
const reserve = (state: LedgerState, one: Reserved): LedgerState => ({
  ...state,
  reserved: [...state.reserved, one].sort((a, b) => (a.id < b.id ? -1 : 1)),
})

const release = (state: LedgerState, id: string | undefined): LedgerState =>
  id === undefined ? state : { ...state, reserved: state.reserved.filter((one) => one.id !== id) }

const propose = (state: LedgerState, action: Extract<LedgerAction, { readonly kind: "propose" }>): Next => {
  const { session, prepared } = action
  if (prepared === undefined) return admit(state, action)
  // What is prepared can be used once, by name; one whose preflight had no answer is there without one.
  const named = state.reserved.filter((one) => one.id === prepared)
  const nameless = state.reserved.filter((one) => one.until !== null && isNameless(one.id) && one.session === session)
  return (named.length > 0 ? named : nameless).flatMap((one) => admit(release(state, one.id), action))
}

const admit = (
  state: LedgerState,
  { session, calls, usage }: Extract<LedgerAction, { readonly kind: "propose" }>,
): Next => {
  let next: LedgerState = { ...state, cost: state.cost + usage }
  for (const { id, cost, fleeting } of calls) {
    if (!fits(next.maxCost, next.cost + reservedCost(next), cost)) return none
    if (!fits(next.maxSteps, next.steps + reservedSteps(next), 1)) return none
    next = reserve(next, { id, session, cost, until: null, fleeting })
  }
  return [next]
}

const refused = (
  state: LedgerState,
  { limit, counters, requested, prepared, usage, exact }: Extract<LedgerAction, { readonly kind: "refused" }>,
): Next => {
  const before = release(state, prepared)
  const money = limit === "max_cost"
  const used = money ? before.cost + usage : before.steps
  const reserved = money ? reservedCost(before) : reservedSteps(before)
  const max = money ? before.maxCost : before.maxSteps
  const right = counters.used === used && counters.max === max && (exact ? counters.reserved === reserved : true)
  const over = max !== null && counters.used + counters.reserved + requested > max && counters.reserved >= reserved
  return right && over ? [{ ...state, cost: state.cost + usage }] : none
}

const resolve = (state: LedgerState, action: Extract<LedgerAction, { readonly kind: "resolve" }>): Next => {
  const { step, session, named } = action
  const at = state.reserved.findIndex((one) => one.id === step)
  // A late receipt may have come after the orphan was released, which settled it.
  if (at >= 0) return action.counts ? [settled(state, at, action)] : [settled(state, at, action), state]
  // A receipt that repeats what is known changes nothing.
  if (named) return [state]
  const nameless = state.reserved.flatMap((one, index) =>
    one.until === null && isNameless(one.id) && (session === undefined || one.session === session) ? [index] : [],
  )
  return [...nameless.map((index) => settled(state, index, action)), state]
}

const settled = (
  state: LedgerState,
  at: number,
  { committed, counts, cost }: Extract<LedgerAction, { readonly kind: "resolve" }>,
): LedgerState => {
  const estimate = state.reserved[at]?.cost ?? 0
  return {
    ...state,
    cost: state.cost + (cost ?? (committed ? estimate : 0)),
    steps: state.steps + (committed && counts ? 1 : 0),
    reserved: state.reserved.toSpliced(at, 1),
  }
}
