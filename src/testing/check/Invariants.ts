/**
 * What must hold of any workflow whatever its agents do (semantics.md §11), checked around every event of a run.
 *
 * It trusts none of the rules that it judges: it counts for itself what was claimed, created and overspent. The first thing
 * that does not hold is reported; a run ends there, because what follows from a broken state means nothing.
 */
import type { Limits } from "../../machines/definition.ts"
import type { JournalEvent } from "../../machines/events.ts"
import type { Account } from "../../machines/ledger.ts"
import { isLive, type ResourceState, type State, type Step } from "../../machines/state.ts"

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I10" | "I11"

/** `what` is the invariant in plain words, with what was found. */
export type ReportBroken = (invariant: Invariant, what: string) => void

interface Over {
  cost: number
  tokens: number
}

export class Invariants {
  readonly #report: ReportBroken
  /** By handoff and generation. */
  readonly #claimants = new Set<string>()
  readonly #handoffs = new Map<string, string>()
  readonly #counters = new Map<string, { fence: number; version: number }>()
  /** What settled actuals took beyond what was reserved for them, by role; "" is the workflow. */
  readonly #over = new Map<string, Over>()
  #sessions = 0

  constructor(report: ReportBroken) {
    this.#report = report
  }

  before(state: State, { body }: JournalEvent): void {
    switch (body._tag) {
      case "workflow.created":
        this.#sessions += 1
        return
      case "handoff.claimed": {
        const name = `${body.handoffId} ${body.generation}`
        if (this.#claimants.has(name)) this.#report("I1", "one generation of a handoff was claimed twice")
        this.#claimants.add(name)
        this.#sessions += 1
        if (state.sessions.has(body.sessionId)) this.#report("I10", "a session was created twice")
        const handoff = state.handoffs.get(body.handoffId)
        if (handoff?.status !== "offered") this.#report("I1", "a handoff was claimed that is not on offer")
        if (!isLive(state, handoff?.fromSessionId ?? null)) this.#report("I5", "a session was born to a dead parent")
        return
      }
      case "usage.settled":
        this.#overspent(body.role, body.usage.cost, body.usage.inputTokens + body.usage.outputTokens)
        return
      case "steps.resolved":
        if (body.late !== true) this.#alive(state, body.sessionId, body._tag)
        for (const { stepId, outcome, cost, tokens } of body.steps) {
          const step = state.steps.get(stepId)
          if (step === undefined) return this.#report("I3", "a step was settled that is not open")
          if (outcome !== "unknown") this.#overspent(step.role, cost - step.cost, tokens - step.tokens)
        }
        return
      case "steps.proposed": {
        this.#alive(state, body.sessionId, body._tag)
        const role = state.sessions.get(body.sessionId)?.role
        if (body.usage !== undefined && role !== undefined)
          this.#overspent(role, body.usage.cost, body.usage.inputTokens + body.usage.outputTokens)
        return
      }
      case "handoff.offered":
      case "step.approved":
      case "budget.reserved":
      case "lease.renewed":
      case "resources.released":
      case "session.completed":
      case "session.failed":
        this.#alive(state, body.sessionId, body._tag)
        return
      default:
        return
    }
  }

  after(state: State): void {
    this.#limits(state.account, state.limits, "", "the workflow")
    for (const [role, account] of state.roleAccounts) {
      const limits = state.roleLimits.get(role)
      if (limits !== undefined) this.#limits(account, limits, role, role)
    }
    this.#reservations(state)
    for (const [key, resource] of state.resources) this.#resource(state, key, resource)
    this.#handoffsMoved(state)
    this.#population(state)
    for (const step of state.steps.values())
      if (step.status === "queued" && !waits(state, step)) this.#report("I11", "a step is queued behind nobody")
  }

  #alive(state: State, sessionId: string, tag: string): void {
    if (state.sessions.get(sessionId as never)?.status !== "active")
      this.#report("I5", `${tag} was written for a session that does not live`)
  }

  #overspent(role: string, cost: number, tokens: number): void {
    if (cost <= 0 && tokens <= 0) return
    for (const scope of ["", role]) {
      const over = this.#over.get(scope)
      if (over === undefined) this.#over.set(scope, { cost: Math.max(0, cost), tokens: Math.max(0, tokens) })
      else {
        over.cost += Math.max(0, cost)
        over.tokens += Math.max(0, tokens)
      }
    }
  }

  #limits(account: Account, limits: Limits, scope: string, whose: string): void {
    const past = (name: string, used: number, max: number | null, over: number): void => {
      if (max !== null && used > max + over) this.#report("I2", `${name} of ${whose} is ${used} of ${max}`)
    }
    const over = this.#over.get(scope)
    past("max_sessions", account.sessions, limits.maxSessions, 0)
    past("max_active_sessions", account.activeSessions, limits.maxActiveSessions, 0)
    past("max_steps", account.stepsUsed + account.stepsReserved, limits.maxSteps, 0)
    past("max_open_handoffs", account.openHandoffs, limits.maxOpenHandoffs, 0)
    past("max_cost (micro-units)", account.costUsed + account.costReserved, limits.maxCost, over?.cost ?? 0)
    past("max_tokens", account.tokensUsed + account.tokensReserved, limits.maxTokens, over?.tokens ?? 0)
  }

  #reservations(state: State): void {
    let steps = 0
    let cost = 0
    let tokens = 0
    const byRole = new Map<string, number>()
    for (const step of state.steps.values()) {
      steps += 1
      cost += step.cost
      tokens += step.tokens
      byRole.set(step.role, (byRole.get(step.role) ?? 0) + step.cost)
    }
    for (const prepared of state.prepared.values()) {
      cost += prepared.cost
      tokens += prepared.tokens
      byRole.set(prepared.role, (byRole.get(prepared.role) ?? 0) + prepared.cost)
    }
    const { account } = state
    if (account.stepsReserved !== steps || account.costReserved !== cost || account.tokensReserved !== tokens)
      this.#report("I3", "the reservations of the workflow are not those of its open steps and preflights")
    for (const [role, one] of state.roleAccounts)
      if (one.costReserved !== (byRole.get(role) ?? 0))
        this.#report("I3", `the reservations of ${role} are not those of its open steps and preflights`)
  }

  #resource(state: State, key: string, resource: ResourceState): void {
    const { mode, name } = resource.rule
    let place = 0
    for (const id of resource.steps) {
      const step = state.steps.get(id)
      if (step === undefined) this.#report("I4", `a step on ${name} is not open`)
      else if (mode === "exclusive_pending" && place > 0) this.#report("I4", `${name} is held by two steps`)
      else if (mode === "single_writer" && step.sessionId !== resource.owner)
        this.#report("I4", `a step on ${name} is not its owner's`)
      else if (mode === "serial_only" && place > 0 && (step.status === "admitted" || step.status === "orphaned"))
        this.#report("I4", `two steps run on ${name} at a time`)
      place += 1
    }
    const was = this.#counters.get(key)
    if (was === undefined) this.#counters.set(key, { fence: resource.fence, version: resource.version })
    else {
      if (resource.fence < was.fence || resource.version < was.version)
        this.#report("I4", `fence or version of ${name} went back`)
      was.fence = resource.fence
      was.version = resource.version
    }
  }

  #handoffsMoved(state: State): void {
    for (const [id, handoff] of state.handoffs) {
      const was = this.#handoffs.get(id)
      if (was === "ended") this.#report("I6", "an ended handoff came back")
      if (was === "in_progress" && handoff.status !== "in_progress") this.#report("I6", "a handoff lost its progress")
      if (was !== handoff.status) this.#handoffs.set(id, handoff.status)
    }
    if (this.#handoffs.size === state.handoffs.size) return
    for (const [id, was] of this.#handoffs)
      if (was !== "ended" && !state.handoffs.has(id as never)) this.#handoffs.set(id, "ended")
  }

  #population(state: State): void {
    let active = 0
    for (const session of state.sessions.values()) {
      if (session.status !== "active") continue
      active += 1
      for (let above = session.parentSessionId; above !== null; ) {
        const parent = state.sessions.get(above)
        if (parent?.status === "completed") this.#report("I10", "a session outlives its completed parent")
        above = parent?.parentSessionId ?? null
      }
    }
    if (state.account.sessions !== this.#sessions) this.#report("I10", "the count of sessions is wrong")
    if (state.account.activeSessions !== active) this.#report("I10", "the count of active sessions is wrong")
    if (state.account.openHandoffs !== state.handoffs.size) this.#report("I10", "the count of handoffs is wrong")
    if (state.status !== "active" && active + state.handoffs.size > 0)
      this.#report("I10", "something lives on in a workflow that has ended")
  }
}

/** Whether another step is before it on one of its serial resources. */
const waits = (state: State, step: Step): boolean =>
  step.resources.some((key) => {
    const resource = state.resources.get(key)
    return resource?.rule.mode === "serial_only" && resource.steps.values().next().value !== step.stepId
  })
