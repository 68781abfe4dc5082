/**
 * Looks on while one history runs, and says what it sees: limits that refuse, leases that run out, resources that a dead holder
 * keeps, agents whose death nobody would notice, and invariants that do not hold.
 *
 * It judges by the history alone, so the same moves show it the same things when they are played again.
 */
import type { Decision } from "../../machines/decide/context.ts"
import type { EventOf, JournalEvent } from "../../machines/events.ts"
import { resourceKey, type SessionId } from "../../machines/ids.ts"
import { accountOf } from "../../machines/ledger.ts"
import type { Refusal } from "../../machines/refusals.ts"
import type { Handoff, Session, State } from "../../machines/state.ts"
import { boundOfSteps } from "./bounds.ts"
import { Invariants } from "./Invariants.ts"
import type { CommandMove } from "./moves.ts"
import type { FindingKind, Level } from "./report.ts"
import { count, type Totals } from "./Totals.ts"
import type { Watcher, World } from "./World.ts"

export interface Sighting {
  readonly id: string
  readonly level: Level
  readonly kind: FindingKind
  readonly subject: string
  /** Figures and names that its words need. */
  readonly detail: Readonly<Record<string, string | number | null>>
}

/** Tries of one handoff after which it is taken to go on for ever, where nothing in the definition stops it. */
const manyAttempts = 3

export class Watch implements Watcher {
  readonly #totals: Totals
  readonly #seen = new Set<string>()
  readonly #onSighting: (sighting: Sighting) => void
  readonly #invariants: Invariants
  broken = false

  constructor(totals: Totals, onSighting: (sighting: Sighting) => void) {
    this.#totals = totals
    this.#onSighting = onSighting
    this.#invariants = new Invariants((invariant, what) => this.violated(invariant, what))
  }

  violated(invariant: string, what: string): void {
    this.broken = true
    this.#see("violation", "invariant", invariant, { what })
  }

  decided(world: World, state: State, move: CommandMove | null, decision: Decision<unknown>): void {
    if (move === null) return
    this.#totals.commands += 1
    const { command } = move
    if (decision._tag === "refused") {
      this.#totals.refused += 1
      this.#refused(world, state, move, decision.refusal)
    } else if (command._tag === "propose") {
      const [event] = decision.events
      if (event?._tag === "steps.proposed") this.#proposed(world, state, event)
    }
  }

  before(_world: World, state: State, event: JournalEvent): void {
    this.#totals.events += 1
    this.#invariants.before(state, event)
    const { body } = event
    switch (body._tag) {
      case "handoff.expired":
        return this.#edge(state.handoffs.get(body.handoffId), "expires", "reached")
      case "handoff.reclaimed":
        return this.#reclaimed(state, state.handoffs.get(body.handoffId), body)
      case "session.completed": {
        const session = state.sessions.get(body.sessionId)
        if (session !== undefined) this.#totals.role(session.role).completed += 1
        return
      }
      case "steps.resolved":
        return this.#resolving(state, body)
      default:
        return
    }
  }

  after(world: World, state: State, event: JournalEvent): void {
    this.#invariants.after(state)
    const { body } = event
    switch (body._tag) {
      case "workflow.created":
        this.#totals.role(body.role).sessions += 1
        break
      case "handoff.offered": {
        const handoff = state.handoffs.get(body.handoffId)
        if (handoff !== undefined) count(this.#totals.offers, edgeOf(handoff))
        break
      }
      case "handoff.claimed": {
        const handoff = state.handoffs.get(body.handoffId)
        if (handoff === undefined) break
        count(this.#totals.claims, edgeOf(handoff))
        this.#totals.role(handoff.toRole).sessions += 1
        break
      }
      case "steps.resolved":
        this.#overshot(state)
        for (const handoffId of body.progressed ?? []) this.#leftAlone(world, state, state.handoffs.get(handoffId))
        break
      case "usage.settled":
        this.#overshot(state)
        break
      case "killed":
        if (body.reason === "max_duration") this.#see("reached", "limit", "max_duration", { role: null })
        break
      default:
    }
    this.#peaks(state)
  }

  crashed(_world: World, state: State, sessionId: SessionId): void {
    const session = state.sessions.get(sessionId)
    if (session !== undefined) this.#unnoticed(state, session)
  }

  #see(level: Level, kind: FindingKind, subject: string, detail: Sighting["detail"]): void {
    const id = `${kind}:${subject}`
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    this.#onSighting({ id, level, kind, subject, detail })
  }

  #edge(handoff: Handoff | undefined, kind: FindingKind, level: Level): void {
    if (handoff !== undefined) this.#see(level, kind, edgeOf(handoff), { from: handoff.fromRole, to: handoff.toRole })
  }

  #reclaimed(state: State, handoff: Handoff | undefined, body: EventOf<"handoff.reclaimed">): void {
    if (handoff === undefined) return
    if (body.reason === "claim_timeout" || body.reason === "max_attempts") this.#edge(handoff, "times-out", "reached")
    if (body.status === "failed") this.#edge(handoff, "attempts", "reached")
    if (body.status !== "offered" || body.generation <= manyAttempts) return
    const { limits, rules } = state
    const bounded =
      rules.edge(handoff.fromRole, handoff.toRole)?.maxAttempts !== null ||
      limits.maxSessions !== null ||
      limits.maxDurationMs !== null ||
      (rules.role(handoff.toRole)?.limits.maxSessions ?? null) !== null
    if (!bounded) this.#edge(handoff, "endless", "danger")
  }

  // ---- refusals ----

  #refused(world: World, state: State, { command }: CommandMove, { code, facts }: Refusal): void {
    const role = roleConcerned(state, command)
    if (code === "limit_exceeded") {
      const limit = String(facts.limit)
      const ofRole = typeof facts.role === "string" ? facts.role : null
      const subject = ofRole === null ? limit : `${ofRole}.${limit}`
      this.#see("reached", "limit", subject, { limit, role: ofRole })
      if (role === undefined) return
      this.#totals.refusal(role, subject)
      if (ofRole === null && isUntouched(state, role) && isUsedUp(state, limit))
        this.#see("reached", "starved", `${role}.${limit}`, { role, limit })
      return
    }
    if (role !== undefined) this.#totals.refusal(role, code)
    if (typeof facts.resource === "string" && typeof facts.key === "string")
      this.#waiting(world, state, resourceKey({ name: facts.resource, key: facts.key }))
  }

  // ---- waiting for the dead ----

  #proposed(world: World, state: State, event: EventOf<"steps.proposed">): void {
    for (const step of event.steps)
      if (step.status === "queued") for (const ref of step.resources) this.#waiting(world, state, resourceKey(ref))
    const session = state.sessions.get(event.sessionId)
    if (session === undefined) return
    this.#overspending(state, null)
    this.#overspending(state, session.role)
  }

  /** Somebody wants a resource and does not get it: from whom, and does the wait end? */
  #waiting(world: World, state: State, key: string): void {
    const resource = state.resources.get(key)
    if (resource === undefined) return
    const { name } = resource.rule
    for (const stepId of resource.steps) {
      const step = state.steps.get(stepId)
      if (step?.status === "orphaned") {
        const detail = {
          role: step.role,
          tool: step.tool,
          mode: resource.rule.mode,
          other: holdsOn(state, step.resources, name),
        }
        if (step.deadline === null) this.#see("danger", "held", name, detail)
        else this.#see("reached", "paused", name, { ...detail, ms: step.deadline - world.now })
        return
      }
      if (step?.status === "admitted" && this.#keptBySilent(world, state, name, step.sessionId)) return
    }
    if (resource.owner !== null) this.#keptBySilent(world, state, name, resource.owner)
  }

  #keptBySilent(world: World, state: State, name: string, sessionId: SessionId): boolean {
    const session = state.sessions.get(sessionId)
    if (session?.status !== "active" || !world.silent.has(sessionId) || isLeased(state, session)) return false
    const level = state.deadline === null ? "danger" : "reached"
    this.#see(level, "blocked", name, { role: session.role, mode: state.rules.resource(name)?.mode ?? "" })
    return true
  }

  /** A handoff made progress, so that its lease is gone: its claimant may be dead already. */
  #leftAlone(world: World, state: State, handoff: Handoff | undefined): void {
    const session = handoff?.sessionId == null ? undefined : state.sessions.get(handoff.sessionId)
    if (session !== undefined && world.silent.has(session.sessionId)) this.#unnoticed(state, session)
  }

  /** The process of a living session is dead: does anything but `max_duration` or an operator ever end the session? */
  #unnoticed(state: State, session: Session): void {
    if (isLeased(state, session)) return
    const handoff = session.handoffId === null ? undefined : state.handoffs.get(session.handoffId)
    const root = handoff === undefined ? 1 : 0
    if (handoff?.status === "claimed") this.#edge(handoff, "unwatched", "danger")
    else if (state.deadline === null) this.#see("danger", "stuck", session.role, { role: session.role, root })
    else this.#see("reached", "waits", session.role, { role: session.role, root })
  }

  // ---- money ----

  /** A call is admitted although the budget is gone: it claims to cost nothing. */
  #overspending(state: State, role: string | null): void {
    const limits = role === null ? state.limits : state.roleLimits.get(role)
    const account = role === null ? state.account : accountOf(state, role)
    const see = (limit: string, max: number | null | undefined, used: number): void => {
      if (max === null || max === undefined || used < max) return
      const calls = boundOfSteps(state.rules.definition, role)
      const level = calls === null ? "danger" : "reached"
      this.#see(level, "overspend", role === null ? limit : `${role}.${limit}`, { limit, role, calls })
    }
    see("max_cost", limits?.maxCost, account.costUsed)
    see("max_tokens", limits?.maxTokens, account.tokensUsed)
  }

  #resolving(state: State, body: EventOf<"steps.resolved">): void {
    const totals = this.#totals
    for (const item of body.steps) {
      const step = state.steps.get(item.stepId)
      if (step === undefined || item.outcome === "unknown") continue
      totals.overrunCost = Math.max(totals.overrunCost, item.cost - step.cost)
      totals.overrunTokens = Math.max(totals.overrunTokens, item.tokens - step.tokens)
      if (item.outcome === "committed" && body.late !== true) totals.role(step.role).steps += 1
    }
  }

  #overshot(state: State): void {
    const totals = this.#totals
    const look = (account: State["account"], limits: State["limits"]): void => {
      if (limits.maxCost !== null)
        totals.overshootCost = Math.max(totals.overshootCost, account.costUsed + account.costReserved - limits.maxCost)
      if (limits.maxTokens !== null)
        totals.overshootTokens = Math.max(
          totals.overshootTokens,
          account.tokensUsed + account.tokensReserved - limits.maxTokens,
        )
    }
    look(state.account, state.limits)
    for (const [role, limits] of state.roleLimits) look(accountOf(state, role), limits)
  }

  #peaks({ account }: State): void {
    const totals = this.#totals
    totals.peak("maxSessions", account.sessions)
    totals.peak("maxActiveSessions", account.activeSessions)
    totals.peak("maxSteps", account.stepsUsed + account.stepsReserved)
    totals.peak("maxCost", account.costUsed + account.costReserved)
    totals.peak("maxTokens", account.tokensUsed + account.tokensReserved)
    totals.peak("maxOpenHandoffs", account.openHandoffs)
  }
}

const edgeOf = (handoff: { readonly fromRole: string; readonly toRole: string }): string =>
  `${handoff.fromRole}>${handoff.toRole}`

/** Whether a claim lease, of its own or of an ancestor's handoff, ends the session when its process is dead. */
const isLeased = (state: State, session: Session): boolean => {
  for (let at: Session | undefined = session; at !== undefined && at.handoffId !== null; ) {
    const handoff = state.handoffs.get(at.handoffId)
    if (handoff?.status === "claimed" && handoff.deadline !== null) return true
    at = at.parentSessionId === null ? undefined : state.sessions.get(at.parentSessionId)
  }
  return false
}

/** Another resource of the step that says `hold`, where this one would be released. */
const holdsOn = (state: State, keys: ReadonlyArray<string>, name: string): string | null => {
  if (state.rules.resource(name)?.unresolved === "hold") return null
  for (const key of keys) {
    const rule = state.resources.get(key)?.rule
    if (rule?.unresolved === "hold") return rule.name
  }
  return null
}

/** The role that a refused command was meant for. */
const roleConcerned = (state: State, command: CommandMove["command"]): string | undefined => {
  switch (command._tag) {
    case "offer":
      return command.toRole
    case "claim":
      return state.handoffs.get(command.handoffId)?.toRole
    case "propose":
    case "preflight":
    case "complete":
      return state.sessions.get(command.sessionId)?.role
    default:
      return undefined
  }
}

/** Nothing was ever done or reserved in the role. */
const isUntouched = (state: State, role: string): boolean => {
  const account = state.roleAccounts.get(role)
  return (
    account !== undefined &&
    account.stepsUsed + account.stepsReserved + account.costUsed + account.costReserved + account.tokensUsed === 0
  )
}

/** Whether nearly all of a limit that never comes back is taken: by others, where it starves a role that has done nothing. */
const isUsedUp = ({ account, limits }: State, limit: string): boolean => {
  const gone = (used: number, max: number | null): boolean => max !== null && used >= 0.9 * max
  switch (limit) {
    case "max_sessions":
      return gone(account.sessions, limits.maxSessions)
    case "max_steps":
      return gone(account.stepsUsed + account.stepsReserved, limits.maxSteps)
    case "max_cost":
      return gone(account.costUsed + account.costReserved, limits.maxCost)
    case "max_tokens":
      return gone(account.tokensUsed + account.tokensReserved, limits.maxTokens)
    default:
      return false
  }
}
