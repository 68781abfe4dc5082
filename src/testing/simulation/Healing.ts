/**
 * What is demanded once nothing goes wrong any more: every deadline fires by itself, every queued step gets its turn, every
 * workflow can be brought to an end, and nothing is left of it.
 *
 * What there is to do is read from the journal, past the nodes: asking a node would fire what is due.
 */
import { Effect } from "effect"
import type { InputOf } from "../../machines/commands.ts"
import type { JournalEvent } from "../../machines/events.ts"
import { birth, evolve } from "../../machines/evolve/index.ts"
import type { Tenant, WorkflowId } from "../../machines/ids.ts"
import type { Session, State } from "../../machines/state.ts"
import type { Journal } from "../../runtime/Journal.ts"
import { limits } from "../../runtime/limits.ts"
import type { Calls, Letter, Patience, Sendable } from "./Calls.ts"
import type { Chance } from "./Chance.ts"
import type { Birth } from "./definitions.ts"
import { longestStallUs } from "./Faults.ts"
import type { History } from "./History.ts"
import { Violation } from "./Violation.ts"
import type { World } from "./World.ts"

export interface Place {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
}

export interface HealingOptions {
  readonly world: World
  readonly chance: Chance
  readonly calls: Calls
  readonly history: History
  readonly store: Journal["Service"]
  readonly birth: Birth
  readonly tenants: ReadonlyArray<Tenant>
}

/** Milliseconds after which a deadline has fired, wherever nobody has the workflow in hand. */
const fireMs = limits.deadlinePollMs + limits.deadlineGraceMs + limits.deadlineTickMs + 300
/** Deadlines that are further away are not waited for. */
const farMs = 20_000
/** No workflow needs more commands than that to come to its end. */
const mostCommands = 2000
const mostRepeats = 12
/** More than any simulated workflow has. */
const allEvents = 1_000_000

/** A call that a fault had met before may fail after it. */
const once: Patience = { patienceMs: 0, retryRate: 1, tries: 8 }

export class Healing {
  readonly #o: HealingOptions
  /** What was folded so far of each workflow. */
  readonly #folded = new Map<string, State>()

  constructor(options: HealingOptions) {
    this.#o = options
  }

  get demands(): Effect.Effect<void, Violation> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(longestStallUs / 1000)
      yield* this.#deadlines()
      for (const place of this.#places()) yield* this.#toTheEnd(place)
      yield* this.#repeats()
      yield* this.#strangers()
    })
  }

  #places(): ReadonlyArray<Place> {
    return this.#o.tenants.flatMap((tenant) =>
      Effect.runSync(this.#o.store.listWorkflows(tenant, { limit: 100 })).items.map(({ workflowId }) => ({
        tenant,
        workflowId,
      })),
    )
  }

  #state({ tenant, workflowId }: Place): State {
    const { store, birth: made } = this.#o
    const place = `${tenant}/${workflowId}`
    let state = this.#folded.get(place)
    for (const { text } of Effect.runSync(store.read(tenant, workflowId, state?.seq ?? 0, allEvents))) {
      const event = JSON.parse(text) as JournalEvent
      state ??= birth(event, made.rules)
      evolve(state, event)
    }
    if (state === undefined) throw new Violation("I7", `${workflowId} is listed and has no events`)
    this.#folded.set(place, state)
    return state
  }

  #earliest() {
    const all = this.#places().flatMap((place) => {
      const state = this.#state(place)
      const deadline = state.deadlines.earliest(state)
      return deadline === undefined ? [] : [{ ...deadline, place }]
    })
    return all.reduce<(typeof all)[number] | undefined>(
      (first, one) => (first === undefined || one.at < first.at ? one : first),
      undefined,
    )
  }

  readonly #deadlines = Effect.fnUntraced({ self: this }, function* () {
    const { world } = this.#o
    const until = world.now + farMs
    for (let next = this.#earliest(); next !== undefined && next.at <= until; next = this.#earliest()) {
      const { kind, id, at, place } = next
      yield* Effect.sleep(Math.max(0, at - world.now) + fireMs)
      const late = this.#earliest()
      if (late !== undefined && late.at === at && late.id === id && late.kind === kind)
        return yield* Effect.fail(
          new Violation(
            "liveness",
            `the deadline ${kind} ${id} of ${place.tenant}/${place.workflowId} is ${world.now - at} ms overdue`,
          ),
        )
    }
  })

  readonly #toTheEnd = Effect.fnUntraced({ self: this }, function* (place: Place) {
    const kills = this.#o.chance.chance(0.4)
    for (let commands = 0; commands < mostCommands; commands++) {
      const state = this.#state(place)
      const steps = [...state.steps.values()]
      const step = steps.find((one) => one.status !== "queued")
      if (step?.status === "awaiting_approval") yield* this.#decide(place, step.stepId)
      else if (step !== undefined) yield* this.#resolve(place, step.stepId)
      else if (steps.length > 0)
        return yield* Effect.fail(
          new Violation("I11", `all ${steps.length} open steps of ${place.workflowId} are queued, behind nobody`),
        )
      else if (state.status !== "active") return yield* this.#nothingLeft(place, state)
      else if (kills)
        yield* this.#send(place, "kill", { workflowId: place.workflowId, scope: "workflow", reason: "over" })
      else yield* this.#endOne(place, state)
    }
    yield* Effect.fail(new Violation("liveness", `${place.workflowId} does not come to an end`))
  })

  #decide({ workflowId, ...place }: Place, stepId: string): Effect.Effect<boolean> {
    const decision = this.#o.chance.among("approveStep", "rejectStep")
    return this.#send({ ...place, workflowId }, decision, { workflowId, stepId, reason: "healed" })
  }

  #resolve(place: Place, stepId: string): Effect.Effect<boolean> {
    const outcome = this.#o.chance.among("committed", "aborted")
    return this.#send(place, "resolveStep", { workflowId: place.workflowId, stepId, outcome, reason: "healed" })
  }

  /** Ends the deepest session, or what keeps it from ending. */
  readonly #endOne = Effect.fnUntraced({ self: this }, function* (place: Place, state: State) {
    const { workflowId } = place
    const active = [...state.sessions.values()].filter((session) => session.status === "active")
    const deepest = active.reduce<Session | undefined>(
      (best, session) => (best === undefined || session.depth > best.depth ? session : best),
      undefined,
    )
    const offered = [...(deepest?.offers ?? [])].find((id) => state.handoffs.get(id)?.status === "offered")
    if (deepest === undefined)
      return yield* Effect.fail(new Violation("liveness", `${workflowId} is active, and nobody in it is`))
    if (offered !== undefined) return yield* this.#send(place, "withdraw", { workflowId, handoffId: offered })
    const { sessionId, handoffId } = deepest
    if (yield* this.#send(place, "complete", { sessionId, result: { healed: true } })) return true
    // Without progress it can't complete, and the operator gives it up.
    if (handoffId !== null && state.handoffs.get(handoffId)?.status === "claimed")
      return yield* this.#send(place, "failHandoff", { workflowId, handoffId, reason: "healed" })
    return yield* Effect.fail(new Violation("liveness", `${sessionId} of ${workflowId} can't complete`))
  })

  #nothingLeft({ workflowId }: Place, state: State): Effect.Effect<void, Violation> {
    const { account, handoffs, kills, prepared } = state
    const active = [...state.sessions.values()].filter((session) => session.status === "active").length
    const reserved = account.costReserved + account.tokensReserved + account.stepsReserved
    const left = { active, handoffs: handoffs.size, kills: kills.size, prepared: prepared.size, reserved }
    return Object.values(left).every((count) => count === 0)
      ? Effect.void
      : Effect.fail(new Violation("liveness", `${workflowId} has ended, and ${JSON.stringify(left)} is left of it`))
  }

  /** I8: whoever asks again under its key, wherever, gets the answer that it got. `History` compares them. */
  readonly #repeats = Effect.fnUntraced({ self: this }, function* () {
    const { history, chance, calls } = this.#o
    const keyed = history.acknowledged.filter(
      ({ call }) => call.letter.key !== undefined && call.letter.name !== "attach",
    )
    for (let count = Math.min(mostRepeats, keyed.length); count > 0; count--) {
      const letter = chance.pick(keyed)?.call.letter
      if (letter === undefined) return
      const reply = yield* isRoot(letter) ? calls.createRoot(letter, once) : calls.send(letter as Letter<"kill">, once)
      if (!reply.ok)
        return yield* Effect.fail(
          new Violation("I8", `${letter.name} was acknowledged under ${letter.key}, and now it is ${reply.code}`),
        )
    }
  })

  /** I12: to another tenant there is nothing here. */
  readonly #strangers = Effect.fnUntraced({ self: this }, function* () {
    const { history, chance, calls, tenants } = this.#o
    const stranger = tenants[0]
    const letter = chance.pick(history.acknowledged)?.call.letter
    if (letter === undefined || stranger === undefined || isRoot(letter)) return
    const tenant = strangerOf(stranger)
    const reply = yield* calls.send({ ...(letter as Letter<"kill">), tenant, key: undefined }, once)
    if (reply.ok || !/^(workflow|session)_not_found$/.test(reply.code))
      return yield* Effect.fail(
        new Violation("I12", `a stranger who sent ${letter.name} was told ${reply.ok ? "ok" : reply.code}`),
      )
  })

  #send<K extends Exclude<Sendable, "createRoot">>(place: Place, name: K, input: InputOf<K>): Effect.Effect<boolean> {
    const { calls } = this.#o
    const letter = { ...place, agent: "healer", name, input, key: undefined, operator: "healer" }
    return Effect.map(calls.send(letter, once), (reply) => reply.ok)
  }
}

const isRoot = (letter: Letter<Sendable>): letter is Letter<"createRoot"> => letter.name === "createRoot"
/** A tenant that has nothing. */
const strangerOf = (tenant: Tenant): Tenant => `${tenant}-stranger` as Tenant
