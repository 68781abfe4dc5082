/** Tells a history, move by move, as a person would: who does what, what is refused and why, what time does by itself. */
import type { Call } from "../../machines/commands.ts"
import type { Decision } from "../../machines/decide/context.ts"
import type { EventBody, EventOf, NewStep } from "../../machines/events.ts"
import { fromMicros, type ResourceRef, type SessionId, type StepId } from "../../machines/ids.ts"
import { codes, type Refusal } from "../../machines/refusals.ts"
import type { Rules } from "../../machines/rules.ts"
import type { State } from "../../machines/state.ts"
import { durationText } from "./durations.ts"
import type { CommandMove, Move } from "./moves.ts"
import type { HistoryLine } from "./report.ts"
import { type Machine, type Watcher, World } from "./World.ts"

export const tell = (rules: Rules, machine: Machine, moves: ReadonlyArray<Move>): ReadonlyArray<HistoryLine> => {
  const narrator = new Narrator()
  const world = new World(rules, machine, narrator)
  try {
    for (const move of moves) world.play(move)
  } catch (error) {
    narrator.lines.push({ at: world.now, text: `the rules fail: ${error instanceof Error ? error.message : error}` })
  }
  return narrator.lines
}

class Narrator implements Watcher {
  readonly lines: Array<HistoryLine> = []
  /** Sessions by id: `code-scanner`, and `code-scanner 2` for the second of the role. */
  readonly #names = new Map<SessionId, string>()
  readonly #counts = new Map<string, number>()

  decided(world: World, state: State, move: CommandMove | null, decision: Decision<unknown>): void {
    const say = (text: string): void => void this.lines.push({ at: world.now, text })
    if (move === null) {
      for (const body of decision.events) say(this.#byTime(state, body))
      return
    }
    const [event] = decision.events
    if (decision._tag === "refused") {
      const late = event?._tag === "steps.resolved" ? " (what it reports is recorded all the same)" : ""
      say(`${this.#attempt(state, move)}: refused, ${this.#why(state, decision.refusal)}${late}`)
    } else if (event === undefined)
      say(`${this.#attempt(state, move)}${move.command._tag === "attach" ? "" : ": nothing changes"}`)
    // A birth is told once the newborn has its name.
    else if (event._tag !== "handoff.claimed") say(this.#done(state, move, event))
  }

  before(): void {}

  after(world: World, state: State, { body }: { readonly body: EventBody }): void {
    if (body._tag === "workflow.created") {
      const name = this.#born(body.sessionId, body.role)
      this.lines.push({ at: world.now, text: `${name} creates the workflow` })
    } else if (body._tag === "handoff.claimed") {
      const role = state.sessions.get(body.sessionId)?.role ?? "somebody"
      const again = body.generation > 1 ? ` (try ${body.generation})` : ""
      this.lines.push({ at: world.now, text: `${this.#born(body.sessionId, role)} claims the work${again}` })
    }
  }

  crashed(world: World, _state: State, sessionId: SessionId): void {
    this.lines.push({ at: world.now, text: `${this.#name(sessionId)} crashes` })
  }

  #born(sessionId: SessionId, role: string): string {
    const count = (this.#counts.get(role) ?? 0) + 1
    this.#counts.set(role, count)
    const name = count === 1 ? role : `${role} ${count}`
    this.#names.set(sessionId, name)
    return name
  }

  #name(sessionId: SessionId | null): string {
    return sessionId === null ? "an operator" : (this.#names.get(sessionId) ?? "a stranger")
  }

  // ---- what was carried out ----

  #done(state: State, move: CommandMove, event: EventBody): string {
    const who = this.#name(move.sender)
    switch (event._tag) {
      case "handoff.offered":
        return `${who} offers work to ${event.toRole}${event.resources.length > 0 ? `, with ${listed(event.resources)}` : ""}`
      case "steps.proposed":
        return `${who} ${together(event.steps.map(stepText))}`
      case "step.approved":
        return `a person approves ${toolOf(state, event.stepId)} of ${this.#name(event.sessionId)}`
      case "steps.resolved":
        return event.rejected === true
          ? `a person refuses ${this.#toolsOf(state, event)} of ${this.#name(event.sessionId)}`
          : `${who} ${this.#resolved(state, event)}`
      case "budget.reserved":
        return `${who} reserves ${fromMicros(event.cost)} for a model turn`
      case "session.completed":
        return move.sender === null
          ? `an operator completes the work of ${this.#name(event.sessionId)}`
          : `${who} completes${ends(event)}`
      case "session.failed":
        return move.sender === null
          ? `an operator fails the work of ${this.#name(event.sessionId)}`
          : `${who} gives up${ends(event)}`
      case "handoff.reclaimed":
        return `${who} takes the work back from ${this.#name(event.sessionId)}${afterReclaim(state, event)}`
      case "handoff.withdrawn":
        return `${who} withdraws its offer to ${state.handoffs.get(event.handoffId)?.toRole}`
      case "killed":
        return `${who} kills ${event.sessionId === null ? "the workflow" : this.#name(event.sessionId)}${ends(event)}`
      default:
        return this.#attempt(state, move)
    }
  }

  #resolved(state: State, event: EventOf<"steps.resolved">): string {
    return event.steps
      .map(({ stepId, outcome, cost }) => {
        const step = state.steps.get(stepId)
        const tool = step?.tool ?? "a call"
        if (outcome === "unknown") return `does not know what became of ${tool}`
        if (outcome === "aborted") return `says that ${tool} had no effect`
        const estimate = step?.cost ?? cost
        const price = cost > estimate ? `, which cost ${fromMicros(cost)} instead of ${fromMicros(estimate)}` : ""
        return `${event.late === true ? "reports too late that it committed" : "commits"} ${tool}${price}`
      })
      .join(", and ")
  }

  // ---- what was only tried ----

  #attempt(state: State, { command, sender }: CommandMove): string {
    const who = this.#name(sender)
    switch (command._tag) {
      case "createRoot":
        return `${command.role} creates the workflow`
      case "attach":
        return `${who} comes back`
      case "offer":
        return `${who} offers work to ${command.toRole}`
      case "claim":
        return sender === null
          ? `a process claims the work for ${command.role}`
          : `${who} claims work for ${command.role} that is not its own`
      case "propose":
        return `${who} wants to call ${together(command.calls.map(callText))}`
      case "receipt":
        return `${who} reports ${together(command.receipts.map((item) => `${toolOf(state, item.stepId)} as ${item.outcome}`))}`
      case "preflight":
        return `${who} wants to reserve money for a model turn`
      case "complete":
        return `${who} completes`
      case "fail":
        return `${who} gives up`
      case "heartbeat":
        return `${who} renews its lease`
      case "release":
        return `${who} lets go of ${listed(command.resources)}`
      case "resolveStep":
        return `an operator resolves ${toolOf(state, command.stepId)} as ${command.outcome}`
      case "approveStep":
        return `a person approves ${toolOf(state, command.stepId)}`
      case "rejectStep":
        return `a person refuses ${toolOf(state, command.stepId)}`
      case "reclaim":
        return `${who} takes work back`
      case "withdraw":
        return `${who} withdraws an offer`
      case "completeHandoff":
      case "failHandoff":
        return `an operator ends a handoff`
      case "kill":
        return `${who} kills ${command.scope === "workflow" ? "the workflow" : this.#name(command.sessionId ?? null)}`
      case "raiseLimits":
        return "an operator raises limits"
      case "tick":
        return "time passes"
    }
  }

  #why(state: State, { code, facts }: Refusal): string {
    if (code === "limit_exceeded") {
      const whose = facts.role === undefined ? "" : ` of ${facts.role}`
      return `${facts.limit}${whose} is ${facts.max} (${facts.used} used, ${facts.reserved} reserved, ${facts.requested} wanted)`
    }
    if (typeof facts.resource === "string" && typeof facts.key === "string") {
      const key = `${facts.resource}\u0000${facts.key}`
      const resource = state.resources.get(key)
      const holder = resource?.owner ?? holderOf(state, resource?.steps)
      const alive = holder !== undefined && state.sessions.get(holder)?.status === "active"
      if (holder !== undefined)
        return `${facts.resource} ${facts.key} is held by ${alive ? "" : "the dead "}${this.#name(holder)}`
    }
    return `${codes[code].title.toLowerCase()} (${code})`
  }

  #toolsOf(state: State, { steps }: EventOf<"steps.resolved">): string {
    return together(steps.map(({ stepId }) => toolOf(state, stepId)))
  }

  // ---- what time does ----

  #byTime(state: State, body: EventBody): string {
    const { rules } = state
    switch (body._tag) {
      case "handoff.expired": {
        const handoff = state.handoffs.get(body.handoffId)
        const edge = handoff === undefined ? undefined : rules.edge(handoff.fromRole, handoff.toRole)
        const timeout = durationText(edge?.offerTimeoutMs ?? 0)
        return `the offer to ${handoff?.toRole} expires: nobody claimed it within offer_timeout (${timeout})`
      }
      case "handoff.reclaimed": {
        const handoff = state.handoffs.get(body.handoffId)
        const edge = handoff === undefined ? undefined : rules.edge(handoff.fromRole, handoff.toRole)
        const timeout = durationText(edge?.claimTimeoutMs ?? 0)
        return `the claim of ${this.#name(body.sessionId)} runs out (claim_timeout ${timeout})${afterReclaim(state, body)}`
      }
      case "killed":
        return `max_duration (${durationText(state.limits.maxDurationMs ?? 0)}) is over: the workflow is killed`
      case "budget.returned":
        return "a reservation runs out and returns"
      case "steps.resolved":
        if (body.rejected === true)
          return `nobody has approved ${this.#toolsOf(state, body)} of ${this.#name(body.sessionId)} in time: it is aborted`
        return `${this.#toolsOf(state, body)} of the dead ${this.#name(body.sessionId)} is given up (pending_timeout)`
      default:
        return body._tag
    }
  }
}

const ends = (event: { readonly ends?: string }): string =>
  event.ends === undefined ? "" : `, and the workflow has ${event.ends === "killed" ? "been killed" : event.ends}`

const afterReclaim = (state: State, event: EventOf<"handoff.reclaimed">): string => {
  if (event.status === "offered") return `: it is offered again, try ${event.generation}`
  const handoff = state.handoffs.get(event.handoffId)
  const edge = handoff === undefined ? undefined : state.rules.edge(handoff.fromRole, handoff.toRole)
  return event.status === "failed"
    ? `: that was try ${event.generation} of ${edge?.maxAttempts}, and the handoff has failed`
    : ": whoever offered it is dead, and the handoff is killed"
}

const holderOf = (state: State, steps: ReadonlySet<StepId> | undefined): SessionId | undefined => {
  const first = steps?.values().next().value
  return first === undefined ? undefined : state.steps.get(first)?.sessionId
}

/** `a twice, and b`: what is the same is said once. */
const together = (parts: ReadonlyArray<string>): string => {
  const counts = new Map<string, number>()
  for (const part of parts) counts.set(part, (counts.get(part) ?? 0) + 1)
  return Array.from(counts, ([part, times]) => (times === 1 ? part : `${part} (${times} times)`)).join(", and ")
}

const listed = (refs: ReadonlyArray<ResourceRef>): string => refs.map(({ name, key }) => `${name} ${key}`).join(", ")
const on = (refs: ReadonlyArray<ResourceRef>): string => (refs.length === 0 ? "" : ` on ${listed(refs)}`)
const toolOf = (state: State, stepId: StepId): string => state.steps.get(stepId)?.tool ?? "a call that is not its own"
const callText = ({ tool, resources = [] }: Call): string => `${tool}${on(resources)}`

const stepText = ({ tool, status, resources, cost }: NewStep): string => {
  const price = cost > 0 ? `, estimated at ${fromMicros(cost)}` : ""
  if (status === "awaiting_approval") return `asks for approval to call ${tool}${on(resources)}${price}`
  return status === "queued"
    ? `waits in the queue to call ${tool}${on(resources)}`
    : `starts ${tool}${on(resources)}${price}`
}
