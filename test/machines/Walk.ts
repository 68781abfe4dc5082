/**
 * A random walk through the rules alone: one workflow, a clock, ids that are counted, and the rows of what has ended.
 *
 * Most commands make sense in the state that they meet; the others name what is dead, ended or unknown.
 */
import { Effect, Schema } from "effect"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { artifactOf, makeRules } from "../../src/definition/index.ts"
import { Command } from "../../src/machines/commands.ts"
import type { Decision, Facts, NewIds } from "../../src/machines/decide/context.ts"
import { isDue } from "../../src/machines/decide/deadlines.ts"
import { decide, decideBirth } from "../../src/machines/decide/index.ts"
import { needs, needsAlso } from "../../src/machines/decide/needs.ts"
import type { Definition } from "../../src/machines/definition.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import { Tenant, WorkflowId } from "../../src/machines/ids.ts"
import { type Archive, emptyArchive, type Projection } from "../../src/machines/projection.ts"
import type { Rules } from "../../src/machines/rules.ts"
import type { State } from "../../src/machines/state.ts"
import type { Random } from "../crash/Random.ts"

const tenant = Tenant.make("t")
const workflowId = WorkflowId.make("wf")
const decode = Schema.decodeUnknownSync(Command)

export interface Decided {
  readonly command: Command
  readonly facts: Facts
  readonly decision: Decision<unknown>
  readonly events: ReadonlyArray<JournalEvent>
  readonly rows: ReadonlyArray<Projection>
}

export class Walk {
  readonly rules: Rules
  readonly #random: Random
  readonly #journal
  readonly #store = makeMemoryStore()
  #ids = 0
  #ended: Array<string> = []
  #resolved: Array<string> = []
  now = 1000
  state: State

  constructor(definition: Definition, random: Random) {
    this.rules = makeRules(artifactOf(definition))
    this.#random = random
    this.#journal = memoryJournal(this.#store)
    const create = decode({
      _tag: "createRoot",
      workflowId,
      role: definition.roles[0]?.name,
      agent: "a",
      sessionId: "root",
      definitionHash: this.rules.hash,
    })
    const decision = decideBirth(workflowId, create, this.rules, this.facts(emptyArchive))
    const [body] = decision.events
    if (body === undefined) throw new Error("the root was refused")
    const event: JournalEvent = { seq: 1, at: this.now, actor: "test", body }
    this.state = birth(event, this.rules)
    const rows: Array<Projection> = []
    evolve(this.state, event, rows)
    this.#keep(rows)
  }

  /** Facts whose ids begin where the walk is now: twice the same facts give twice the same ids. */
  facts(archive: Archive, actor = "test"): Facts {
    let count = this.#ids
    return {
      now: this.now,
      actor,
      id: <K extends keyof NewIds>(kind: K): NewIds[K] => {
        count += 1
        return `${kind}${count}` as NewIds[K]
      },
      archive,
    }
  }

  /** The next command, decided; nothing is changed yet. First come the deadlines that are due. */
  next(): { readonly command: Command; readonly facts: Facts } {
    this.now += this.#random.pick([0, 100, 100, 200, 1000, 3000]) ?? 0
    const command = isDue(this.state, this.now) ? decode({ _tag: "tick", workflowId }) : decode(this.#command())
    const refs = needs(this.state, command)
    const lookup = (wanted: typeof refs): Archive =>
      wanted === undefined ? emptyArchive : Effect.runSync(this.#journal.lookup(tenant, workflowId, wanted))
    const first = lookup(refs)
    const also = needsAlso(this.state, command, first)
    const second = lookup(also)
    const archive = {
      ...first,
      kills: new Map([...first.kills, ...second.kills]),
      sessions: new Map([...first.sessions, ...second.sessions]),
      handoffs: new Map([...first.handoffs, ...second.handoffs]),
    }
    return { command, facts: this.facts(archive, command._tag === "tick" ? "system" : "test") }
  }

  /** Decides and applies one command. */
  step(): Decided {
    const { command, facts } = this.next()
    return this.carryOut(command, facts)
  }

  carryOut(command: Command, facts: Facts): Decided {
    const decision = decide(this.state, command, facts)
    const { events, rows } = apply(this.state, decision, facts)
    this.#keep(rows)
    this.#ids += 20
    return { command, facts, decision, events, rows }
  }

  #keep(rows: ReadonlyArray<Projection>): void {
    for (const row of rows) {
      if (row._tag === "sessionEnded") this.#ended.push(row.sessionId)
      if (row._tag === "sessionsKilled") this.#ended.push(...row.sessions)
      if (row._tag === "stepResolved") this.#resolved.push(row.row.stepId)
    }
    const entries = [{ seq: this.#entries + 1, text: "", hash: "" }]
    this.#store.append({ tenant, workflowId, expectedSeq: this.#entries, entries, projections: rows })
    this.#entries += 1
  }
  #entries = 0

  #session(): string {
    const random = this.#random
    if (random.chance(6)) return random.pick(this.#ended) ?? "nobody"
    const active = Array.from(this.state.sessions.values()).filter((session) => session.status === "active")
    const children = active.filter((session) => session.parentSessionId !== null)
    return random.pick(children.length > 0 && random.chance(65) ? children : active)?.sessionId ?? "root"
  }

  #command(): Record<string, unknown> {
    const random = this.#random
    const { state } = this
    const handoff = random.pick([...state.handoffs.values()])
    const offered = random.pick([...state.handoffs.values()].filter((one) => one.status === "offered"))
    const step = random.pick([...state.steps.values()])
    const sessionId = this.#session()
    const tag = random.weighted({
      offer: 14,
      claim: offered === undefined ? 1 : 20,
      propose: 22,
      receipt: step === undefined ? 1 : 26,
      preflight: 5,
      heartbeat: 3,
      release: 3,
      complete: 9,
      fail: 1.5,
      completeHandoff: 3,
      failHandoff: 1,
      reclaim: 3,
      withdraw: 2,
      kill: 2.5,
      resolveStep: 2,
      approveStep: step?.status === "awaiting_approval" ? 8 : 0.5,
      rejectStep: step?.status === "awaiting_approval" ? 3 : 0.5,
      raiseLimits: 2,
      attach: 1,
    })
    const about = { _tag: tag, workflowId, handoffId: (handoff ?? offered)?.handoffId ?? "none" }
    switch (tag) {
      case "offer":
        return {
          _tag: tag,
          sessionId,
          toRole: this.#edge(sessionId),
          summary: { task: "x" },
          resources: random.chance(30) ? [this.#ref()] : [],
        }
      case "claim":
        return {
          _tag: tag,
          workflowId,
          handoffId: offered?.handoffId ?? "none",
          parentSessionId: offered?.fromSessionId ?? "root",
          role: offered?.toRole ?? "dev",
          agent: "w",
        }
      case "propose": {
        const prepared = random.pick([...state.prepared.values()].filter((one) => one.sessionId === sessionId))
        const calls = Array.from({ length: random.chance(25) ? 2 : 1 }, () => ({
          tool: "work",
          estimatedCost: random.below(50) / 100,
          estimatedTokens: random.below(20),
          resources: random.chance(75) ? [this.#ref()] : [],
        }))
        return {
          _tag: tag,
          sessionId,
          calls,
          ...(prepared === undefined ? {} : { preparedRequestId: prepared.preparedRequestId }),
          ...(random.chance(15) ? { usage: { inputTokens: 1, outputTokens: 2, cost: 0.01 } } : {}),
        }
      }
      case "receipt": {
        const outcome = random.weighted({ committed: 8, aborted: 3, unknown: 1 })
        return {
          _tag: tag,
          sessionId: step?.sessionId ?? sessionId,
          receipts: [{ stepId: step?.stepId ?? "none", outcome }],
        }
      }
      case "preflight":
        return { _tag: tag, sessionId, estimatedCost: 0.2, estimatedTokens: 3 }
      case "heartbeat":
      case "attach":
      case "complete":
        return { _tag: tag, sessionId }
      case "fail":
        return { _tag: tag, sessionId: sessionId === "root" && random.chance(90) ? "nobody" : sessionId, reason: "r" }
      case "release": {
        const owned = random.pick([...state.resources.values()].filter((one) => one.owner !== null))
        return { _tag: tag, sessionId: owned?.owner ?? sessionId, resources: [owned?.ref ?? this.#ref()] }
      }
      case "completeHandoff":
        return about
      case "failHandoff":
        return { ...about, reason: "r" }
      case "reclaim":
      case "withdraw":
        return about
      case "kill":
        return {
          _tag: tag,
          scope: random.chance(50) ? "subtree" : "session",
          sessionId: sessionId === "root" && random.chance(85) ? "nobody" : sessionId,
          reason: "stop",
        }
      case "resolveStep":
        return {
          _tag: tag,
          workflowId,
          stepId: step?.stepId ?? "none",
          outcome: random.chance(50) ? "committed" : "aborted",
          reason: "r",
        }
      case "approveStep":
      case "rejectStep":
        return { _tag: tag, workflowId, stepId: step?.stepId ?? random.pick(this.#resolved) ?? "none" }
      case "raiseLimits":
        return {
          _tag: tag,
          workflowId,
          limits: {
            maxSteps: (state.limits.maxSteps ?? 0) + random.below(5),
            maxSessions: (state.limits.maxSessions ?? 0) + 3,
          },
        }
    }
  }

  #edge(sessionId: string): string {
    const role = this.state.sessions.get(sessionId as never)?.role
    return this.#random.pick(this.rules.definition.handoffs.filter((edge) => edge.from === role))?.to ?? "dev"
  }
  #ref() {
    return {
      name: this.#random.pick(this.rules.definition.resources)?.name ?? "env",
      key: this.#random.chance(70) ? "a" : "b",
    }
  }
}

/** Applies a decision's events to a state. */
export const apply = (
  state: State,
  decision: Decision<unknown>,
  facts: Facts,
): { readonly events: ReadonlyArray<JournalEvent>; readonly rows: ReadonlyArray<Projection> } => {
  const rows: Array<Projection> = []
  const events = decision.events.map((body): JournalEvent => {
    const event = { seq: state.seq + 1, at: facts.now, actor: facts.actor, body }
    evolve(state, event, rows)
    return event
  })
  return { events, rows }
}
