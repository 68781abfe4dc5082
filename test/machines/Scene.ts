/**
 * A scene for the rules alone: one workflow, a clock that stands until it is moved, ids that are counted by kind.
 *
 * Each command is decided on the state, with the rows of what has ended, and applied; what is said of it is its answer, or the
 * code of its refusal.
 */
import { Effect, Schema } from "effect"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { artifactOf, makeRules } from "../../src/definition/index.ts"
import { Command } from "../../src/machines/commands.ts"
import type { Decision, NewIds } from "../../src/machines/decide/context.ts"
import { isDue } from "../../src/machines/decide/deadlines.ts"
import { decide, decideBirth } from "../../src/machines/decide/index.ts"
import { needs, needsAlso } from "../../src/machines/decide/needs.ts"
import {
  type Definition,
  type Edge,
  type Limits,
  noLimits,
  type Resource,
  type ToolContract,
} from "../../src/machines/definition.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import { type ResourceRef, Tenant, WorkflowId } from "../../src/machines/ids.ts"
import type { Projection } from "../../src/machines/projection.ts"
import { type Archive, type ArchiveRefs, emptyArchive, mergeArchives } from "../../src/machines/projection.ts"
import type { State } from "../../src/machines/state.ts"

const tenant = Tenant.make("t")
const workflowId = WorkflowId.make("wf")
const decode = Schema.decodeUnknownSync(Command)

/** A lead who may hand off to devs, devs who may hand on; a resource of each mode. */
export const team = (
  more: {
    readonly limits?: Partial<Limits>
    readonly devLimits?: Partial<Limits>
    readonly edge?: Partial<Edge>
    readonly resources?: ReadonlyArray<Resource>
    /** Contracts of the dev. */
    readonly tools?: ReadonlyArray<ToolContract>
  } = {},
): Definition => {
  const role = (name: string, limits: Partial<Limits> = {}) => ({
    name,
    root: name === "lead",
    limits: { ...noLimits, ...limits },
    defaultCost: null,
    session: null,
    tools: [],
  })
  return {
    schemaVersion: "1.0",
    workflow: "team",
    roles: [role("lead"), { ...role("dev", more.devLimits), tools: more.tools ?? [] }],
    handoffs: ["lead", "dev"].map((from) => ({
      from,
      to: "dev",
      claimTimeoutMs: null,
      offerTimeoutMs: null,
      maxAttempts: null,
      completion: "any" as const,
      summarySchema: null,
      ...more.edge,
    })),
    resources: more.resources ?? [
      { name: "env", mode: "exclusive_pending", unresolved: "hold", pendingTimeoutMs: null },
      { name: "doc", mode: "single_writer", unresolved: "hold", pendingTimeoutMs: null },
      { name: "line", mode: "serial_only", unresolved: "hold", pendingTimeoutMs: null },
    ],
    limits: { ...noLimits, ...more.limits },
    preflightTimeoutMs: 600_000,
  }
}

/** `line a` is key a of resource line. */
export const ref = (text: string): ResourceRef => {
  const [name = "", key = ""] = text.split(" ")
  return { name, key } as ResourceRef
}

export class Scene {
  readonly #store = makeMemoryStore()
  readonly #journal = memoryJournal(this.#store)
  readonly #made = new Map<string, number>()
  readonly events: Array<JournalEvent> = []
  readonly state: State
  now = 1000

  constructor(definition: Definition = team()) {
    const rules = makeRules(artifactOf(definition))
    const create = decode({
      _tag: "createRoot",
      workflowId,
      role: definition.roles[0]?.name,
      agent: "a",
      sessionId: "root",
      definitionHash: rules.hash,
    })
    const decision = decideBirth(workflowId, create, rules, this.#facts(emptyArchive))
    if (decision._tag === "refused") throw new Error(`the root was refused: ${decision.refusal.code}`)
    const [body] = decision.events
    if (body === undefined) throw new Error("a root without an event")
    this.state = birth({ seq: 1, at: this.now, actor: "test", body }, rules)
    this.#apply(decision)
  }

  /** The answer of a command, or the code that it is refused with; deadlines that are due have fired before. */
  say(command: Record<string, unknown>): unknown {
    while (isDue(this.state, this.now)) this.#decide(decode({ _tag: "tick", workflowId }))
    const decision = this.#decide(decode({ workflowId, ...command }))
    return decision._tag === "accepted" ? decision.answer : decision.refusal.code
  }

  /** Offers to a dev and claims as `child`. */
  child(child: string, parent = "root", resources: ReadonlyArray<string> = []): void {
    const handoffId = `h-${child}`
    this.say({ _tag: "offer", sessionId: parent, handoffId, toRole: "dev", resources: resources.map(ref) })
    const claim = { _tag: "claim", handoffId, parentSessionId: parent, role: "dev", agent: "a", sessionId: child }
    const said = this.say(claim)
    if (typeof said === "string") throw new Error(`${child} can't claim: ${said}`)
  }

  propose(sessionId: string, resources: ReadonlyArray<string>, more: object = {}): unknown {
    return this.say({
      _tag: "propose",
      sessionId,
      calls: [{ tool: "work", estimatedCost: 1, resources: resources.map(ref) }],
      ...more,
    })
  }

  receipt(sessionId: string, stepId: string, outcome = "committed", more: object = {}): unknown {
    return this.say({ _tag: "receipt", sessionId, receipts: [{ stepId, outcome, ...more }] })
  }

  /** How the unresolved steps stand, by id. */
  get steps(): Readonly<Record<string, string>> {
    return Object.fromEntries(Array.from(this.state.steps.values(), (step) => [step.stepId, step.status]))
  }

  /** Who owns a resource; null where it is free. */
  owner(of: string): string | null {
    const { name, key } = ref(of)
    for (const { ref: at, owner } of this.state.resources.values()) if (at.name === name && at.key === key) return owner
    return null
  }

  #decide(command: Command): Decision<unknown> {
    const lookup = (refs: ArchiveRefs | undefined): Archive =>
      refs === undefined ? emptyArchive : Effect.runSync(this.#journal.lookup(tenant, workflowId, refs))
    const first = lookup(needs(this.state, command))
    const archive = mergeArchives(first, lookup(needsAlso(this.state, command, first)))
    const decision = decide(this.state, command, this.#facts(archive))
    this.#apply(decision)
    return decision
  }

  #apply(decision: Decision<unknown>): void {
    const projections: Array<Projection> = []
    for (const body of decision.events) {
      const event: JournalEvent = { seq: this.state.seq + 1, at: this.now, actor: "test", body }
      evolve(this.state, event, projections)
      this.events.push(event)
      const entries = [{ seq: event.seq, text: "", hash: "" }]
      this.#store.append({
        tenant,
        workflowId,
        expectedSeq: event.seq - 1,
        entries,
        projections: projections.splice(0),
      })
    }
  }

  #facts(archive: Archive) {
    return {
      now: this.now,
      actor: "test",
      id: <K extends keyof NewIds>(kind: K): NewIds[K] => {
        const count = (this.#made.get(kind) ?? 0) + 1
        this.#made.set(kind, count)
        return `${kind}${count}` as NewIds[K]
      },
      archive,
    }
  }
}
