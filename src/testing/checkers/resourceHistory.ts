/** A history as the histories of its resources: one for each workflow, name and key. */
import { type Fields, fieldsOf, listOf, numberOf, textOf } from "./fields.ts"
import type { Recorded } from "./history.ts"
import type { Operation } from "./linearizable.ts"
import type { ResourceAction, Seen, Take } from "./resourceModel.ts"

export interface ResourceHistory {
  readonly partition: string
  readonly name: string
  readonly operations: ReadonlyArray<Operation<ResourceAction>>
}

export const resourceHistories = (history: ReadonlyArray<Recorded>): ReadonlyArray<ResourceHistory> => {
  const projection = new Projection()
  for (const one of history) projection.learn(one)
  for (const one of history) projection.add(one)
  for (const one of history) projection.addRead(one)
  return projection.histories
}

interface Place {
  readonly workflowId: string
  readonly name: string
  readonly key: string
}
const placeOf = (workflowId: string, ref: Fields): Place => ({
  workflowId,
  name: textOf(ref.name) ?? "",
  key: textOf(ref.key) ?? "",
})
const partitionOf = ({ workflowId, name, key }: Place): string => `${workflowId} ${name} ${key}`

class Projection {
  readonly #partitions = new Map<string, { readonly place: Place; readonly list: Array<Operation<ResourceAction>> }>()
  /** What a step holds, and who; from the answer that admitted it, or from what somebody saw. */
  readonly #places = new Map<string, Array<Place>>()
  readonly #sessions = new Map<string, string>()
  readonly #named = new Set<string>()
  /** By session, what it has asked for without an answer: a step that nobody has named before is one of these. */
  readonly #unanswered = new Map<string, Array<Place>>()

  /** Workflows in which something was seen to await approval: there a proposal without an answer may do so too. */
  readonly #asks = new Set<string>()

  /** By handoff. */
  readonly #bindings = new Map<string, ReadonlyArray<Fields>>()

  get histories(): ReadonlyArray<ResourceHistory> {
    return Array.from(this.#partitions, ([partition, { place, list }]) => ({
      partition,
      name: place.name,
      operations: list,
    }))
  }

  learn({ workflowId, command, input, outcome }: Recorded): void {
    if (command === "propose" && outcome === undefined) {
      const places = listOf(input.calls).flatMap((call) => listOf(call.resources))
      for (const name of [textOf(input.sessionId) ?? "", anybodyIn(workflowId)]) {
        const before = this.#unanswered.get(name) ?? []
        this.#unanswered.set(name, [...before, ...places.map((ref) => placeOf(workflowId, ref))])
      }
    }
    if (command === "offer")
      this.#bindings.set(`${workflowId} ${textOf(input.handoffId) ?? ""}`, listOf(input.resources))
    if (outcome?.ok !== true) return
    if (command === "propose")
      for (const [index, step] of listOf(outcome.answer.steps).entries()) {
        const id = textOf(step.stepId) ?? ""
        this.#named.add(id)
        if (isAsked(step)) this.#asks.add(workflowId)
        this.#sessions.set(id, textOf(input.sessionId) ?? "")
        for (const ref of refsOf(step, listOf(input.calls)[index])) this.#holds(id, placeOf(workflowId, ref))
      }
    if (command === "getWorkflow" && listOf(outcome.answer.approvals).length > 0) this.#asks.add(workflowId)
    if (command === "getWorkflow")
      for (const resource of listOf(outcome.answer.resources))
        for (const step of listOf(resource.steps)) {
          const id = textOf(step.stepId) ?? ""
          this.#sessions.set(id, textOf(step.sessionId) ?? "")
          this.#holds(id, placeOf(workflowId, resource))
        }
  }

  add(one: Recorded): void {
    const { workflowId, command, input, outcome } = one
    const session = textOf(input.sessionId) ?? ""
    switch (command) {
      case "propose":
        if (outcome?.ok === false) this.#refused(one, session, outcome)
        else this.#proposed(one, session, outcome?.answer)
        break
      case "receipt":
        this.#receipts(one, session)
        break
      case "resolveStep":
        if (outcome?.ok !== false) {
          const committed = input.outcome === "committed" && outcome?.answer.status !== "late"
          this.#resolved(one, textOf(input.stepId) ?? "", committed)
        }
        break
      case "rejectStep":
        if (outcome?.ok !== false) this.#resolved(one, textOf(input.stepId) ?? "", false)
        break
      case "release":
        if (outcome?.ok !== false)
          for (const ref of listOf(input.resources))
            this.#put(placeOf(workflowId, ref), one, { kind: "release", session })
        break
      case "claim":
        if (outcome?.ok !== false) this.#claimed(one, outcome?.answer)
    }
  }

  /** After everything else: what a reader did not see must be free. */
  addRead(one: Recorded): void {
    const { workflowId, command, outcome } = one
    if (command !== "getWorkflow" || outcome?.ok !== true) return
    const seen = new Map(
      listOf(outcome.answer.resources).map((resource) => {
        const place = placeOf(workflowId, resource)
        return [partitionOf(place), { place, seen: seenOf(resource) }] as const
      }),
    )
    for (const { place, seen: found } of seen.values()) this.#put(place, one, { kind: "read", seen: found })
    for (const [partition, { place }] of this.#partitions)
      if (place.workflowId === workflowId && !seen.has(partition)) this.#put(place, one, { kind: "read", seen: null })
  }

  #holds(step: string, place: Place): void {
    const places = this.#places.get(step) ?? []
    if (!places.some((known) => partitionOf(known) === partitionOf(place))) places.push(place)
    this.#places.set(step, places)
  }

  #put(place: Place, { process, call, return: returned }: Recorded, action: ResourceAction): void {
    const partition = partitionOf(place)
    const entry = this.#partitions.get(partition) ?? { place, list: [] }
    entry.list.push({ process, action, call, return: returned })
    this.#partitions.set(partition, entry)
  }

  #proposed(one: Recorded, session: string, answer: Fields | undefined): void {
    const calls = listOf(one.input.calls)
    const steps: ReadonlyArray<Fields | undefined> =
      answer === undefined ? calls.map(() => undefined) : listOf(answer.steps)
    const takes = new Map<string, { readonly place: Place; readonly takes: Array<Take>; alone: boolean }>()
    for (const [index, step] of steps.entries()) {
      const refs = refsOf(step, calls[index])
      for (const ref of refs) {
        const place = placeOf(one.workflowId, ref)
        const entry = takes.get(partitionOf(place)) ?? { place, takes: [], alone: true }
        const fleeting = step === undefined ? this.#asks.has(one.workflowId) : isAsked(step)
        entry.alone &&= refs.length === 1 && !fleeting
        entry.takes.push({
          step: textOf(step?.stepId) ?? `?${one.process}:${one.call}:${index}`,
          admitted: step === undefined ? undefined : step.status === "admitted",
          token: tokenOf(step, ref),
          fleeting,
        })
        takes.set(partitionOf(place), entry)
      }
    }
    for (const { place, takes: own, alone } of takes.values())
      this.#put(place, one, { kind: "take", session, takes: own, alone })
  }

  /** Without an answer, its bindings are those that were offered. */
  #claimed(one: Recorded, answer: Fields | undefined): void {
    const { workflowId, input, process, call } = one
    const bound =
      answer === undefined
        ? (this.#bindings.get(`${workflowId} ${textOf(input.handoffId) ?? ""}`) ?? [])
        : listOf(fieldsOf(answer.handoff).resources).filter((ref) => numberOf(ref.token) !== undefined)
    for (const ref of bound)
      this.#put(placeOf(workflowId, ref), one, {
        kind: "moved",
        from: textOf(input.parentSessionId) ?? "",
        to: textOf(answer?.sessionId) ?? textOf(input.sessionId) ?? `?${process}:${call}`,
        token: numberOf(ref.token),
      })
  }

  #refused(one: Recorded, session: string, { code, facts }: { readonly code: string; readonly facts: Fields }): void {
    if (!/^resource_(pending|busy|owned)$/.test(code) || textOf(facts.resource) === undefined) return
    // Of several calls the earlier ones may hold what a later one asked for; then the refusal says nothing of others.
    if (listOf(one.input.calls).length !== 1) return
    const place = placeOf(one.workflowId, { name: facts.resource, key: facts.key })
    const action = { kind: "refused", session, holder: textOf(facts.holder), owner: textOf(facts.owner) } as const
    this.#put(place, one, action)
  }

  #receipts(one: Recorded, session: string): void {
    const { input, outcome } = one
    // A late receipt resolves its orphans, though its sender is refused.
    const late = outcome?.ok === false
    if (late && outcome.facts.recorded !== true) return
    for (const item of listOf(input.receipts)) {
      const step = textOf(item.stepId)
      if (step === undefined || item.outcome === "unknown") continue
      this.#resolved(one, step, item.outcome === "committed" && !late, session)
    }
  }

  #resolved(one: Recorded, step: string, committed: boolean, session?: string): void {
    const by = this.#sessions.get(step) ?? session
    for (const place of this.#places.get(step) ?? this.#unanswered.get(by ?? anybodyIn(one.workflowId)) ?? [])
      this.#put(place, one, { kind: "resolve", step, session: by, committed, named: this.#named.has(step) })
  }
}

const isAsked = (step: Fields): boolean => step.status === "awaiting_approval"
const anybodyIn = (workflowId: string): string => `anybody in ${workflowId}`

/** What a call holds: its grants name all when it was admitted, and its own words the rest. */
const refsOf = (step: Fields | undefined, call: Fields | undefined): ReadonlyArray<Fields> => {
  const named = new Map<string, Fields>()
  for (const ref of [...listOf(step?.fences), ...listOf(call?.resources)])
    named.set(`${textOf(ref.name) ?? ""} ${textOf(ref.key) ?? ""}`, ref)
  return [...named.values()]
}

const tokenOf = (step: Fields | undefined, ref: Fields): number | undefined =>
  numberOf(listOf(step?.fences).find((fence) => fence.name === ref.name && fence.key === ref.key)?.token)

const seenOf = (resource: Fields): Seen => ({
  fence: numberOf(resource.fence) ?? 0,
  version: numberOf(resource.version) ?? 0,
  owner: textOf(resource.owner) ?? null,
  steps: listOf(resource.steps).map((step) => ({
    step: textOf(step.stepId) ?? "",
    session: textOf(step.sessionId) ?? "",
    admitted: step.status !== "queued" && step.status !== "awaiting_approval",
  })),
})
