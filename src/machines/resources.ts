/**
 * Shared resources: `exclusive_pending`, `single_writer`, `serial_only` (semantics.md §6, I4, I11).
 *
 * A proposal takes all its resources or none. What its earlier calls take is seen by its later ones through `Takes`, an
 * overlay on the state, so that nothing is changed before the whole proposal is known to pass. Queues keep the order in which
 * steps were proposed, the same on every resource: no two steps can wait for each other.
 */
import type { Admission, NewStep } from "./events.ts"
import { type Fence, type ResourceRef, resourceKey, type SessionId, type StepId } from "./ids.ts"
import type { ResourceRow } from "./projection.ts"
import { type Refusal, refuse } from "./refusals.ts"
import { must, type ResourceState, type Session, type State, type Step } from "./state.ts"

/** The counters of a resource that is named: in the state, read back from the store, or new. */
const counters = (
  state: State,
  key: string,
  archive: ReadonlyMap<string, ResourceRow>,
): { readonly fence: number; readonly version: number } =>
  state.resources.get(key) ?? archive.get(key) ?? { fence: 0, version: 0 }

/** What the calls of one proposal take, before any event is written. */
export class Takes {
  readonly #state: State
  readonly #archive: ReadonlyMap<string, ResourceRow>
  readonly #session: Session
  readonly #taken = new Map<
    string,
    { fence: number; steps: number; owner: SessionId | null; lastStep: StepId | null }
  >()

  constructor(state: State, session: Session, archive: ReadonlyMap<string, ResourceRow>) {
    this.#state = state
    this.#session = session
    this.#archive = archive
  }

  /** Takes the resources of one call, or says why not and takes none. A call that needs approval waits for it first. */
  take(
    stepId: StepId,
    refs: ReadonlyArray<ResourceRef>,
    wait: boolean,
    needsApproval: boolean,
  ): { readonly status: NewStep["status"]; readonly fences: ReadonlyArray<Fence> } | Refusal {
    let status: NewStep["status"] = "admitted"
    for (const ref of refs) {
      const refusal = this.#blocked(ref, wait)
      if (refusal === "queued") status = "queued"
      else if (refusal !== undefined) return refusal
    }
    if (needsApproval) status = "awaiting_approval"
    const fences: Array<Fence> = []
    for (const ref of refs) {
      const now = this.#now(ref)
      const mode = this.#state.rules.resource(ref.name)?.mode
      if (mode === "single_writer") {
        if (now.owner === null) {
          now.owner = this.#session.sessionId
          now.fence += 1
        }
        fences.push({ name: ref.name, key: ref.key, token: now.fence })
      } else if (status === "admitted") {
        now.fence += 1
        fences.push({ name: ref.name, key: ref.key, token: now.fence })
      }
      now.steps += 1
      now.lastStep = stepId
    }
    return { status, fences }
  }

  /** The counters that were read back and are needed to fold the event without the store. */
  recalled(): ReadonlyArray<ResourceRow> {
    return recall(this.#state, this.#taken.keys(), this.#archive)
  }

  #now(ref: ResourceRef) {
    const key = resourceKey(ref)
    let now = this.#taken.get(key)
    if (now === undefined) {
      const held = this.#state.resources.get(key)
      now = {
        fence: counters(this.#state, key, this.#archive).fence,
        steps: held?.steps.size ?? 0,
        owner: held?.owner ?? null,
        lastStep: null,
      }
      this.#taken.set(key, now)
    }
    return now
  }

  #blocked(ref: ResourceRef, wait: boolean): Refusal | "queued" | undefined {
    const rule = this.#state.rules.resource(ref.name)
    if (rule === undefined) throw new Error(`the definition declares no resource ${ref.name}`)
    const now = this.#now(ref)
    const named = `${ref.name} ${ref.key}`
    if (rule.mode === "single_writer") {
      if (now.owner === null || now.owner === this.#session.sessionId) return undefined
      return refuse("resource_owned", `Session ${now.owner} owns ${named}. Wait until it releases it or ends.`, {
        resource: ref.name,
        key: ref.key,
        owner: now.owner,
      })
    }
    if (now.steps === 0) return undefined
    if (rule.mode === "serial_only" && wait) return "queued"
    const holder = now.lastStep ?? holderOf(this.#state, resourceKey(ref))
    const facts = { resource: ref.name, key: ref.key, holder, session: sessionOf(this.#state, holder, this.#session) }
    return rule.mode === "serial_only"
      ? refuse(
          "resource_busy",
          `Step ${holder} is before this call on ${named}. Propose with wait to be queued.`,
          facts,
        )
      : refuse("resource_pending", `Step ${holder} holds ${named} and is unresolved. Wait for its receipt.`, facts)
  }
}

const holderOf = (state: State, key: string): StepId | null =>
  state.resources.get(key)?.steps.values().next().value ?? null

const sessionOf = (state: State, stepId: StepId | null, proposer: Session): SessionId | null =>
  stepId === null ? null : (state.steps.get(stepId)?.sessionId ?? proposer.sessionId)

export const unknownResource = (state: State, name: string): Refusal =>
  refuse(
    "resource_unknown",
    `The definition declares no resource ${name}. It declares: ${
      state.rules.definition.resources.map((resource) => resource.name).join(", ") || "none"
    }.`,
    { resource: name },
  )

/** Rows read back from the store for resources that the state does not hold. */
export const recall = (
  state: State,
  keys: Iterable<string>,
  archive: ReadonlyMap<string, ResourceRow>,
): ReadonlyArray<ResourceRow> => {
  if (archive.size === 0) return []
  const rows: Array<ResourceRow> = []
  for (const key of keys) {
    const row = state.resources.has(key) ? undefined : archive.get(key)
    if (row !== undefined) rows.push(row)
  }
  return rows
}

/**
 * The bound `single_writer` resources that a claim moves to the claimant, or why one can't move: another session owns it, or
 * its owner has unresolved steps on it.
 */
export const moveBindings = (
  state: State,
  parent: SessionId,
  bindings: ReadonlyArray<ResourceRef>,
  archive: ReadonlyMap<string, ResourceRow>,
): ReadonlyArray<Fence> | Refusal => {
  const grants: Array<Fence> = []
  for (const ref of bindings) {
    if (state.rules.resource(ref.name)?.mode !== "single_writer") continue
    const key = resourceKey(ref)
    const held = state.resources.get(key)
    const owner = held?.owner ?? null
    const busy = (held?.steps.size ?? 0) > 0
    if (owner !== null && (owner !== parent || busy))
      return refuse(
        "resource_owned",
        busy
          ? `Session ${owner} has unresolved steps on ${ref.name} ${ref.key}, so it can't move to the claimant yet.`
          : `Session ${owner} owns ${ref.name} ${ref.key}, not the offering session.`,
        { resource: ref.name, key: ref.key, owner },
      )
    grants.push({ name: ref.name, key: ref.key, token: counters(state, key, archive).fence + 1 })
  }
  return grants
}

/** The distinct references of a list, in order. */
export const distinct = (refs: ReadonlyArray<ResourceRef>): ReadonlyArray<ResourceRef> => {
  if (refs.length < 2) return refs
  const seen = new Map<string, ResourceRef>()
  for (const ref of refs) if (!seen.has(resourceKey(ref))) seen.set(resourceKey(ref), ref)
  return [...seen.values()]
}

/**
 * Queued steps whose turn comes when the steps in `leaving` are resolved: each heads all its queues without them (I11). In
 * the order of the workflow's sequence.
 */
export const admissions = (
  state: State,
  steps: Iterable<Step>,
  leaving: ReadonlySet<StepId>,
): ReadonlyArray<Admission> => {
  const ready = new Map<StepId, Step>()
  for (const step of steps)
    for (const key of step.resources) {
      const resource = state.resources.get(key)
      if (resource?.rule.mode !== "serial_only") continue
      const head = headOf(resource, leaving)
      const next = head === undefined ? undefined : state.steps.get(head)
      if (next?.status === "queued" && !ready.has(next.stepId) && headsAll(state, next, leaving))
        ready.set(next.stepId, next)
    }
  return Array.from(ready.values(), (step) => ({ stepId: step.stepId, fences: grantsOf(state, step) }))
}

/** The admission of a step that was approved, if it heads all its queues; empty where it has to wait for its turn. */
export const admissionOf = (state: State, step: Step): ReadonlyArray<Admission> =>
  headsAll(state, step, nobody) ? [{ stepId: step.stepId, fences: grantsOf(state, step) }] : []

const nobody: ReadonlySet<StepId> = new Set()

const headOf = (resource: ResourceState, leaving: ReadonlySet<StepId>): StepId | undefined => {
  for (const stepId of resource.steps) if (!leaving.has(stepId)) return stepId
  return undefined
}

const headsAll = (state: State, step: Step, leaving: ReadonlySet<StepId>): boolean =>
  step.resources.every((key) => {
    const resource = must(state.resources, key, "resource")
    return resource.rule.mode !== "serial_only" || headOf(resource, leaving) === step.stepId
  })

/** The tokens of a waiting step's admission: new ones, but for the ownerships that it was granted when it began to wait. */
const grantsOf = (state: State, step: Step): ReadonlyArray<Fence> =>
  step.resources.map((key) => {
    const resource = must(state.resources, key, "resource")
    const token = resource.rule.mode === "single_writer" ? resource.fence : resource.fence + 1
    return { name: resource.ref.name, key: resource.ref.key, token }
  })
