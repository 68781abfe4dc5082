/**
 * The ledger: budgets by admission control (semantics.md §7, I2, I3).
 *
 * Every open thing has reserved what it may use before it could use it; a reservation is settled to the real amount, or
 * returned, exactly once. The workflow and each role have one account of the same shape, and the strictest limit wins.
 */
import type { Limits } from "./definition.ts"
import { fromMicros, type Micros } from "./ids.ts"
import { type Refusal, refuse } from "./refusals.ts"
import type { State } from "./state.ts"

/** Counters of one scope. Money in micro-units. */
export interface Account {
  /** Ever created. */
  sessions: number
  activeSessions: number
  /** Committed. */
  stepsUsed: number
  /** Queued, admitted and orphaned. */
  stepsReserved: number
  costUsed: Micros
  costReserved: Micros
  tokensUsed: number
  tokensReserved: number
  openHandoffs: number
}

export const openAccount = (): Account => ({
  sessions: 0,
  activeSessions: 0,
  stepsUsed: 0,
  stepsReserved: 0,
  costUsed: 0,
  costReserved: 0,
  tokensUsed: 0,
  tokensReserved: 0,
  openHandoffs: 0,
})

export const accountOf = (state: State, role: string): Account => {
  const account = state.roleAccounts.get(role)
  if (account === undefined) throw new Error(`the state has no account for role ${role}`)
  return account
}

/** Applies the same change to the workflow's account and to the role's. */
export const post = (state: State, role: string, change: (account: Account) => void): void => {
  change(state.account)
  change(accountOf(state, role))
}

/** The limits on which a command can run out of room, each with where its counters are. */
const counters = {
  maxSessions: (a: Account) => ({ used: a.sessions, reserved: 0 }),
  maxActiveSessions: (a: Account) => ({ used: a.activeSessions, reserved: 0 }),
  maxSteps: (a: Account) => ({ used: a.stepsUsed, reserved: a.stepsReserved }),
  maxCost: (a: Account) => ({ used: a.costUsed, reserved: a.costReserved }),
  maxTokens: (a: Account) => ({ used: a.tokensUsed, reserved: a.tokensReserved }),
  maxOpenHandoffs: (a: Account) => ({ used: a.openHandoffs, reserved: 0 }),
} as const
export type Counted = keyof typeof counters
const counted: ReadonlyArray<Counted> = [
  "maxSessions",
  "maxActiveSessions",
  "maxSteps",
  "maxCost",
  "maxTokens",
  "maxOpenHandoffs",
]

const wireName: Record<keyof Limits, string> = {
  maxSessions: "max_sessions",
  maxActiveSessions: "max_active_sessions",
  maxSteps: "max_steps",
  maxCost: "max_cost",
  maxTokens: "max_tokens",
  maxOpenHandoffs: "max_open_handoffs",
  maxDepth: "max_depth",
  maxDurationMs: "max_duration",
}

const exceeded = (
  name: keyof Limits,
  role: string | null,
  max: number,
  used: number,
  reserved: number,
  requested: number,
): Refusal => {
  const shown = name === "maxCost" ? fromMicros : (n: number) => n
  const facts = {
    limit: wireName[name],
    scope: role === null ? "workflow" : "role",
    ...(role === null ? {} : { role }),
    max: shown(max),
    used: shown(used),
    reserved: shown(reserved),
    requested: shown(requested),
  }
  const whose = role === null ? "The workflow" : `Role ${role}`
  return refuse(
    "limit_exceeded",
    `${whose} has ${facts.limit} ${facts.max}: ${facts.used} used + ${facts.reserved} reserved + ${facts.requested} requested ` +
      "is more. " +
      "Wait until something ends, or ask an operator to raise the limit.",
    facts,
  )
}

/** What a command is about to take or has given back already, on top of an account, before any event is written. */
export interface Pending {
  readonly used: number
  readonly reserved: number
}
const nothing: Pending = { used: 0, reserved: 0 }

/** A refusal where `requested` more would pass the limit of the workflow or of the role. A request of 0 always passes. */
export const checkRoom = (
  state: State,
  role: string,
  name: Counted,
  requested: number,
  pending: Pending = nothing,
): Refusal | undefined => {
  if (requested <= 0) return undefined
  return (
    overdrawn(state.limits, null, state.account, name, requested, pending) ??
    overdrawn(state.roleLimits.get(role), role, accountOf(state, role), name, requested, pending)
  )
}

const overdrawn = (
  limits: Limits | undefined,
  role: string | null,
  account: Account,
  name: Counted,
  requested: number,
  pending: Pending,
): Refusal | undefined => {
  const max = limits?.[name] ?? null
  if (max === null) return undefined
  const counter = counters[name](account)
  const used = counter.used + pending.used
  const reserved = counter.reserved + pending.reserved
  return used + reserved + requested > max ? exceeded(name, role, max, used, reserved, requested) : undefined
}

/** `max_depth` is checked against the depth that a child session would have. */
export const checkDepth = (state: State, role: string, depth: number): Refusal | undefined => {
  const roleMax = state.roleLimits.get(role)?.maxDepth ?? null
  for (const [max, whose] of [
    [state.limits.maxDepth, null],
    [roleMax, role],
  ] as const)
    if (max !== null && depth > max) return exceeded("maxDepth", whose, max, depth - 1, 0, 1)
  return undefined
}

export const limitsCost = (state: State, role: string): boolean =>
  state.limits.maxCost !== null || (state.roleLimits.get(role)?.maxCost ?? null) !== null

/** The share that is left of each limit, 0 to 1: of the workflow or of a role, whichever is less. A limit of 0 has none. */
export const headroom = (state: State): ReadonlyMap<Counted, number> => {
  const shares = new Map<Counted, number>()
  const note = (limits: Limits | undefined, account: Account | undefined): void => {
    for (const name of counted) {
      const max = limits?.[name] ?? 0
      if (max <= 0 || account === undefined) continue
      const { used, reserved } = counters[name](account)
      const share = Math.max(0, (max - used - reserved) / max)
      shares.set(name, Math.min(share, shares.get(name) ?? 1))
    }
  }
  note(state.limits, state.account)
  for (const [role, account] of state.roleAccounts) note(state.roleLimits.get(role), account)
  return shares
}

/** Room left under the strictest of the workflow's and the role's limit; null without one, never below 0. */
export const remaining = (state: State, role: string, name: Counted): number | null => {
  const left = (limits: Limits | undefined, account: Account): number => {
    const max = limits?.[name] ?? null
    if (max === null) return Number.POSITIVE_INFINITY
    const { used, reserved } = counters[name](account)
    return Math.max(0, max - used - reserved)
  }
  const least = Math.min(left(state.limits, state.account), left(state.roleLimits.get(role), accountOf(state, role)))
  return least === Number.POSITIVE_INFINITY ? null : least
}
