/**
 * Budgets, counted from scratch (semantics.md §7): a workflow's, or those of one of its roles.
 */
import type { LimitName, Limits } from "../../machines/definition.ts"
import { isOpen, isUnresolved, sessionById, workflowById } from "./queries.ts"
import { refuse, type World } from "./state.ts"

export interface Counter {
  readonly used: number
  readonly reserved: number
}
export interface Ledger {
  readonly sessions: Counter
  readonly activeSessions: Counter
  readonly steps: Counter
  readonly cost: Counter
  readonly tokens: Counter
  readonly openHandoffs: Counter
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, n) => total + n, 0)

/** The counters of a workflow (`role` null) or of one role in it. */
export const ledgerOf = (world: World, workflowId: string, role: string | null): Ledger => {
  const here = <T extends { readonly workflowId: string }>(things: ReadonlyArray<T>) =>
    things.filter((thing) => thing.workflowId === workflowId)
  const roleOfSession = (id: string) => sessionById(world, id)?.role
  const sessions = here(world.sessions).filter((session) => role === null || session.role === role)
  const steps = here(world.steps).filter((step) => role === null || roleOfSession(step.sessionId) === role)
  const prepared = here(world.prepared)
    .filter((one) => one.status === "open")
    .filter((one) => role === null || roleOfSession(one.sessionId) === role)
  const entries = here(world.entries).filter((entry) => role === null || entry.role === role)
  const handoffs = here(world.handoffs).filter((handoff) => role === null || handoff.toRole === role)

  const counted = steps.filter(
    (step) =>
      step.status === "committed" ||
      (world.fault === "a late commit counts as a step" && step.status === "late" && step.outcome === "committed"),
  )
  const reserving = steps.filter(
    (step) => isUnresolved(step) || (world.fault === "an abort keeps its reservation" && step.status === "aborted"),
  )
  return {
    sessions: { used: sessions.length, reserved: 0 },
    activeSessions: { used: sessions.filter((session) => session.status === "active").length, reserved: 0 },
    steps: { used: counted.length, reserved: steps.filter(isUnresolved).length },
    cost: {
      used: sum(entries.map((entry) => entry.cost)),
      reserved: sum([...reserving, ...prepared].map((one) => one.cost)),
    },
    tokens: {
      used: sum(entries.map((entry) => entry.tokens)),
      reserved: sum([...reserving, ...prepared].map((one) => one.tokens)),
    },
    openHandoffs: { used: handoffs.filter(isOpen).length, reserved: 0 },
  }
}

/** Which counter a limit is about; `maxDepth` and `maxDurationMs` are not counters. */
const counterOf: Partial<Record<LimitName, keyof Ledger>> = {
  maxSessions: "sessions",
  maxActiveSessions: "activeSessions",
  maxSteps: "steps",
  maxCost: "cost",
  maxTokens: "tokens",
  maxOpenHandoffs: "openHandoffs",
}

export const limitsOf = (world: World, workflowId: string, role: string | null): Limits | undefined => {
  const workflow = workflowById(world, workflowId)
  return role === null ? workflow?.limits : workflow?.roleLimits[role]
}

/**
 * Refuses what would take used + reserved past the limit of the workflow, then of the role. Nothing asks for nothing.
 */
export const needRoom = (world: World, workflowId: string, role: string, limit: LimitName, requested: number): void => {
  const counter = counterOf[limit]
  if (counter === undefined || requested === 0) return
  for (const scope of world.fault === "role limits are ignored" ? [null] : [null, role]) {
    const max = limitsOf(world, workflowId, scope)?.[limit] ?? null
    const { used, reserved } = ledgerOf(world, workflowId, scope)[counter]
    if (max !== null && used + reserved + requested > max)
      refuse("limit_exceeded", { limit, max, used, reserved, requested })
  }
}

export const needDepth = (world: World, workflowId: string, role: string, depth: number): void => {
  for (const scope of [null, role]) {
    const max = limitsOf(world, workflowId, scope)?.maxDepth ?? null
    if (max !== null && depth > max) refuse("limit_exceeded", { limit: "maxDepth", max, requested: depth })
  }
}
