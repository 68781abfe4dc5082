/**
 * What is left in the store when a run is over: each journal is whole and folds, with the invariants holding around every event,
 * and it is what its users were told.
 */
import { Effect } from "effect"
import type { JournalEvent } from "../../machines/events.ts"
import { birth, evolve } from "../../machines/evolve/index.ts"
import { type Fence, resourceKey, type Tenant } from "../../machines/ids.ts"
import type { State } from "../../machines/state.ts"
import type { Entry, Journal } from "../../runtime/Journal.ts"
import { verifyTenant } from "../../runtime/verify.ts"
import { Invariants } from "../check/Invariants.ts"
import type { Birth } from "./definitions.ts"
import { eventsOf, type History } from "./History.ts"
import type { Trace } from "./Trace.ts"
import { Violation } from "./Violation.ts"
import type { Watcher } from "./Watcher.ts"

export interface AuditOptions {
  readonly store: Journal["Service"]
  readonly tenants: ReadonlyArray<Tenant>
  readonly birth: Birth
  readonly history: History
  readonly watchers: ReadonlyArray<Watcher>
  readonly trace: Trace
}

/** More than any simulated workflow has. */
const allEvents = 1_000_000

/** Throws the first violation. */
export const audit = (options: AuditOptions): void => {
  const { store, tenants, history, watchers } = options
  const journals = new Map<string, ReadonlyArray<Entry>>()
  for (const tenant of tenants) {
    const { problems } = Effect.runSync(verifyTenant(store, tenant))
    const [first] = problems
    if (first !== undefined) throw new Violation("I9", `${first.workflowId} at ${first.seq}: ${first.problem}`)
    for (const { workflowId } of Effect.runSync(store.listWorkflows(tenant, { limit: 100 })).items) {
      const place = `${tenant}/${workflowId}`
      const entries = Effect.runSync(store.read(tenant, workflowId, 0, allEvents))
      journals.set(place, entries)
      auditWorkflow(options, place, entries)
    }
  }
  for (const { call, event } of history.acknowledged) {
    if (event === undefined) continue
    const { tenant, workflowId, name } = call.letter
    const entry = journals.get(`${tenant}/${workflowId}`)?.[event.seq - 1]
    if (entry?.text !== event.text)
      throw new Violation(
        "I7",
        `${name} was acknowledged at ${event.seq} of ${workflowId}, which holds something else now`,
      )
  }
  for (const { tenant, workflowId, events } of watchers) {
    const entries = journals.get(`${tenant}/${workflowId}`) ?? []
    if (entries.length !== events.length)
      throw new Violation("events", `a watcher read ${events.length} of the ${entries.length} events of ${workflowId}`)
    for (const [index, entry] of entries.entries())
      if (entry.text !== events[index])
        throw new Violation("events", `a watcher read another event ${entry.seq} of ${workflowId} than there is`)
  }
}

const auditWorkflow = (
  { birth: made, history, trace }: AuditOptions,
  place: string,
  entries: ReadonlyArray<Entry>,
): void => {
  const invariants = new Invariants((invariant, what) => {
    throw new Violation(invariant, `${what}, in ${place}`)
  })
  const keys = new Set<string>()
  const fences = new Fences(place)
  let state: State | undefined
  for (const { text, seq } of entries) {
    const event = JSON.parse(text) as JournalEvent
    const { key, body } = event
    state ??= birth(event, made.rules)
    trace.count(`event ${body._tag}`)
    invariants.before(state, event)
    try {
      fences.add(state, event)
      evolve(state, event)
      invariants.after(state)
    } catch (thrown) {
      if (thrown instanceof Violation) throw new Violation(thrown.rule, `${thrown.message}, at ${seq}`)
      throw new Violation("I9", `event ${seq} of ${place} does not fold: ${String(thrown)}`)
    }
    if (key === undefined) continue
    const letter = history.sent.get(`${place} ${key}`)
    if (letter === undefined)
      throw new Violation("I7", `event ${seq} of ${place} has the key ${key}, which nobody sent`)
    if (!eventsOf[letter.name].includes(body._tag))
      throw new Violation("I7", `${letter.name} became ${body._tag}, at ${seq} of ${place}`)
    const once = `${key} ${body._tag}`
    if (keys.has(once)) throw new Violation("I8", `${key} changed ${place} again, at ${seq}`)
    keys.add(once)
  }
}

/** Fencing tokens grow with each grant; a single writer's with each owner. */
class Fences {
  readonly #place: string
  readonly #newest = new Map<string, { readonly token: number; readonly owner: string }>()

  constructor(place: string) {
    this.#place = place
  }

  add(state: State, { body }: JournalEvent): void {
    if (body._tag === "steps.proposed") for (const step of body.steps) this.#granted(state, step.fences, body.sessionId)
    if (body._tag === "handoff.claimed") this.#granted(state, body.grants, body.sessionId)
    if ("admitted" in body)
      for (const { stepId, fences } of body.admitted ?? [])
        this.#granted(state, fences, state.steps.get(stepId)?.sessionId ?? "")
  }

  #granted(state: State, fences: ReadonlyArray<Fence>, session: string): void {
    for (const fence of fences) {
      const key = resourceKey(fence)
      const newest = this.#newest.get(key)
      const shares = state.rules.resource(fence.name)?.mode === "single_writer" && newest?.owner === session
      const least = (newest?.token ?? 0) + (shares ? 0 : 1)
      if (fence.token < least)
        throw new Violation(
          "I4",
          `${session} was granted token ${fence.token} of ${fence.name} ${fence.key} after ${newest?.token}, in ${this.#place}`,
        )
      this.#newest.set(key, { token: fence.token, owner: session })
    }
  }
}
