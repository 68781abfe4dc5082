/**
 * A fold that believes nothing: every event of one workflow is applied to a state, and what must hold of any state
 * (semantics.md §11) is checked before and after each. It needs no model, so it judges journals of unknown history: of
 * processes that were killed, of several writers at once.
 */
import assert from "node:assert/strict"
import type { Limits } from "../../src/machines/definition.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import type { Account } from "../../src/machines/ledger.ts"
import type { Rules } from "../../src/machines/rules.ts"
import { isLive, type ResourceState, type State } from "../../src/machines/state.ts"

const open = ["offered", "claimed", "in_progress"]
const sum = (numbers: Iterable<number>): number => Array.from(numbers).reduce((total, n) => total + n, 0)

export class FoldChecker {
  readonly #rules: Rules
  state: State | undefined
  /** By handoff and generation. */
  readonly #claimants = new Map<string, string>()
  readonly #sessions = new Set<string>()
  readonly #handoffs = new Map<string, string>()
  readonly #counters = new Map<string, { readonly fence: number; readonly version: number }>()
  readonly #keys = new Map<string, number>()
  /** What settled actuals took beyond what was reserved for them, by role; "" is the workflow. */
  readonly #overCost = new Map<string, number>()
  readonly #overTokens = new Map<string, number>()

  constructor(rules: Rules) {
    this.#rules = rules
  }

  /** Throws an assertion that names the invariant. */
  add(event: JournalEvent): void {
    assert.equal(event.seq, (this.state?.seq ?? 0) + 1, "I9: no gap and no duplicate in seq")
    const state = this.state ?? birth(event, this.#rules)
    this.state = state
    this.#before(state, event)
    evolve(state, event)
    this.#after(state, event)
  }

  #before(state: State, { body, seq, key, at }: JournalEvent): void {
    const before = key === undefined ? undefined : this.#keys.get(key)
    assert.ok(before === undefined || at === before, `I8: the key ${key} changed the state twice, again at ${seq}`)
    if (key !== undefined) this.#keys.set(key, at)
    if (body._tag === "workflow.created") return void this.#sessions.add(body.sessionId)
    if (body._tag === "handoff.claimed") {
      const name = `${body.handoffId} ${body.generation}`
      assert.equal(this.#claimants.get(name), undefined, `I1: ${name} was claimed before`)
      this.#claimants.set(name, body.sessionId)
      const parent = state.handoffs.get(body.handoffId)?.fromSessionId ?? null
      assert.ok(isLive(state, parent), `I5: ${body.sessionId} was born to ${parent}, which does not live`)
      assert.ok(!this.#sessions.has(body.sessionId), `${body.sessionId} was created twice`)
      this.#sessions.add(body.sessionId)
    }
    const mayBeDead =
      body._tag === "killed" ||
      body._tag === "handoff.reclaimed" ||
      body._tag === "handoff.claimed" ||
      body._tag === "usage.settled" ||
      (body._tag === "steps.resolved" && body.late === true)
    if ("sessionId" in body && !mayBeDead)
      assert.ok(isLive(state, body.sessionId), `I5: ${body._tag} at ${seq} by ${body.sessionId}, which does not live`)
    if (body._tag === "steps.resolved")
      for (const { stepId, cost, tokens, outcome } of body.steps) {
        const step = state.steps.get(stepId)
        assert.ok(step !== undefined, `I3: ${stepId} is settled at ${seq}, and is not open`)
        if (outcome === "unknown") continue
        this.#over(step.role, Math.max(0, cost - step.cost), Math.max(0, tokens - step.tokens))
      }
    const usage = "usage" in body ? body.usage : undefined
    if (usage !== undefined && "sessionId" in body) {
      const role = body._tag === "usage.settled" ? body.role : (state.sessions.get(body.sessionId as never)?.role ?? "")
      this.#over(role, usage.cost, usage.inputTokens + usage.outputTokens)
    }
  }

  #over(role: string, cost: number, tokens: number): void {
    for (const scope of ["", role]) {
      this.#overCost.set(scope, (this.#overCost.get(scope) ?? 0) + cost)
      this.#overTokens.set(scope, (this.#overTokens.get(scope) ?? 0) + tokens)
    }
  }

  #after(state: State, { seq, body }: JournalEvent): void {
    this.#limits(state.account, state.limits, "", seq)
    this.#reservations(state, state.account, () => true, "the workflow", seq)
    for (const [role, account] of state.roleAccounts) {
      const limits = state.roleLimits.get(role)
      if (limits !== undefined) this.#limits(account, limits, role, seq)
      this.#reservations(state, account, (one) => one.role === role, role, seq)
    }
    for (const [key, resource] of state.resources) this.#resource(state, key, resource, seq)
    this.#handoffsMoved(state, seq)
    assert.equal(state.account.sessions, this.#sessions.size, `I10: sessions ever created, after ${seq}`)
    const active = Array.from(state.sessions.values()).filter((session) => session.status === "active")
    assert.equal(state.account.activeSessions, active.length, `I10: active sessions after ${seq}`)
    assert.equal(state.account.openHandoffs, state.handoffs.size, `I10: open handoffs after ${seq}`)
    for (const session of active)
      for (let above = session.parentSessionId; above !== null; ) {
        const parent = state.sessions.get(above)
        assert.notEqual(parent?.status, "completed", `I10: ${session.sessionId} outlives ${above}, after ${seq}`)
        above = parent?.parentSessionId ?? null
      }
    if (state.status !== "active")
      assert.deepEqual([active.length, state.handoffs.size], [0, 0], `I10: nothing lives in an ended workflow (${seq})`)
    for (const step of state.steps.values()) {
      if (step.status !== "queued") continue
      const waits = step.resources.some((key) => {
        const resource = state.resources.get(key)
        return resource?.rule.mode === "serial_only" && resource.steps.values().next().value !== step.stepId
      })
      assert.ok(waits, `I11: ${step.stepId} is queued behind nobody, after ${body._tag} at ${seq}`)
    }
  }

  #limits(account: Account, limits: Limits, scope: string, seq: number): void {
    const within = (used: number, max: number | null, name: string, over = 0) =>
      assert.ok(
        max === null || used <= max + over,
        `I2: ${name} of ${scope || "the workflow"} is ${used} of ${max}, after ${seq}`,
      )
    within(account.sessions, limits.maxSessions, "sessions")
    within(account.activeSessions, limits.maxActiveSessions, "active sessions")
    within(account.stepsUsed + account.stepsReserved, limits.maxSteps, "steps")
    within(account.openHandoffs, limits.maxOpenHandoffs, "open handoffs")
    within(account.costUsed + account.costReserved, limits.maxCost, "cost", this.#overCost.get(scope) ?? 0)
    within(account.tokensUsed + account.tokensReserved, limits.maxTokens, "tokens", this.#overTokens.get(scope) ?? 0)
  }

  #reservations(
    state: State,
    account: Account,
    mine: (one: { readonly role: string }) => boolean,
    scope: string,
    seq: number,
  ): void {
    const steps = Array.from(state.steps.values()).filter(mine)
    const reserved = [...steps, ...Array.from(state.prepared.values()).filter(mine)]
    const label = (name: string) => `I3: reserved ${name} of ${scope} after ${seq}`
    assert.equal(account.stepsReserved, steps.length, label("steps"))
    assert.equal(account.costReserved, sum(reserved.map((one) => one.cost)), label("cost"))
    assert.equal(account.tokensReserved, sum(reserved.map((one) => one.tokens)), label("tokens"))
  }

  #resource(state: State, key: string, resource: ResourceState, seq: number): void {
    const label = `I4: ${resource.ref.name} ${resource.ref.key} after ${seq}`
    const steps = Array.from(resource.steps, (id) => state.steps.get(id))
    assert.ok(!steps.includes(undefined), `${label}: its steps are open`)
    if (resource.rule.mode === "exclusive_pending") assert.ok(steps.length <= 1, `${label}: one holder`)
    if (resource.rule.mode === "single_writer")
      for (const step of steps) assert.equal(step?.sessionId, resource.owner, `${label}: its steps are its owner's`)
    else assert.equal(resource.owner, null, `${label}: nobody owns it`)
    if (resource.rule.mode === "serial_only")
      for (const step of steps.slice(1))
        assert.ok(step?.status === "queued" || step?.status === "awaiting_approval", `${label}: one runs at a time`)
    const was = this.#counters.get(key) ?? { fence: 0, version: 0 }
    const { fence, version } = resource
    assert.ok(fence >= was.fence && version >= was.version, `${label}: fence and version only grow`)
    this.#counters.set(key, { fence, version })
  }

  #handoffsMoved(state: State, seq: number): void {
    for (const [id, handoff] of state.handoffs) {
      const was = this.#handoffs.get(id) ?? "offered"
      assert.ok(open.includes(was), `I6: ${id} came back from ${was}, at ${seq}`)
      if (was === "in_progress") assert.equal(handoff.status, "in_progress", `I6: ${id} went backwards at ${seq}`)
      this.#handoffs.set(id, handoff.status)
    }
    for (const [id, was] of this.#handoffs)
      if (open.includes(was) && !state.handoffs.has(id as never)) this.#handoffs.set(id, "ended")
  }
}

/** Folds a whole journal; throws the first assertion. */
export const checkFold = (rules: Rules, events: ReadonlyArray<JournalEvent>): State | undefined => {
  const checker = new FoldChecker(rules)
  for (const event of events) checker.add(event)
  return checker.state
}
