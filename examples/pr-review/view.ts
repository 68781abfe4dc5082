/**
 * What the picture shows, from the workflow as the runtime sees it and from its events.
 *
 * The runtime keeps in memory what is open; a resource that nobody holds any more is known by what the events say of it.
 */
import { readFileSync } from "node:fs"
import type { JournalEvent, KillReceipt, WorkflowView } from "handrail"
import { parse } from "yaml"
import type { Picture, PictureResource } from "./picture.ts"

export const pictureOf = (
  view: WorkflowView,
  events: readonly JournalEvent[],
  kills: readonly KillReceipt[],
): Picture => {
  const steps = committedSteps(events)
  return {
    workflowId: view.workflowId,
    status: view.status,
    sessions: [...view.sessions]
      .sort((a, b) => a.createdAt - b.createdAt)
      .map((session) => ({ ...session, stepsCommitted: steps.get(session.sessionId) ?? 0 })),
    handoffs: [...view.handoffs].sort((a, b) => a.offeredAt - b.offeredAt),
    resources: resourcesOf(view, events),
    ledger: view.ledger,
    kills,
  }
}

const committedSteps = (events: readonly JournalEvent[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { body } of events) {
    if (body._tag !== "steps.resolved" || body.late === true) continue
    const committed = body.steps.filter(({ outcome }) => outcome === "committed").length
    counts.set(body.sessionId, (counts.get(body.sessionId) ?? 0) + committed)
  }
  return counts
}

interface Counters {
  readonly name: string
  readonly key: string
  fence: number
  version: number
}
interface Named {
  readonly name: string
  readonly key: string
}

const resourcesOf = (view: WorkflowView, events: readonly JournalEvent[]): readonly PictureResource[] => {
  const modes = resourceModes()
  const held = new Map(view.resources.map((resource) => [`${resource.name}/${resource.key}`, resource]))
  return countersOf(events).map(({ name, key, fence, version }) => {
    const now = held.get(`${name}/${key}`)
    const holders = [...new Set(now?.steps.map(({ sessionId }) => sessionId))]
    return { name, key, mode: modes.get(name) ?? "", owner: now?.owner ?? null, holders, fence, version }
  })
}

/** Grants and commits of each resource, as the events tell them (semantics.md §6). */
const countersOf = (events: readonly JournalEvent[]): readonly Counters[] => {
  const found = new Map<string, Counters>()
  const ofStep = new Map<string, readonly Named[]>()
  const counters = ({ name, key }: Named): Counters => {
    const id = `${name}/${key}`
    const known = found.get(id) ?? { name, key, fence: 0, version: 0 }
    found.set(id, known)
    return known
  }
  const granted = (fences: readonly (Named & { readonly token: number })[]): void => {
    for (const fence of fences) counters(fence).fence = Math.max(counters(fence).fence, fence.token)
  }
  for (const { body } of events) {
    if (body._tag === "handoff.claimed") granted(body.grants)
    if ("admitted" in body) for (const { fences } of body.admitted ?? []) granted(fences)
    if (body._tag === "steps.proposed") {
      for (const { fences, resources, stepId } of body.steps) {
        ofStep.set(stepId, resources)
        resources.forEach(counters)
        granted(fences)
      }
    }
    if (body._tag !== "steps.resolved" || body.late === true) continue
    for (const { outcome, stepId } of body.steps) {
      if (outcome === "committed") for (const resource of ofStep.get(stepId) ?? []) counters(resource).version += 1
    }
  }
  return [...found.values()]
}

const resourceModes = (): ReadonlyMap<string, string> => {
  const definition: { readonly resources: readonly { readonly name: string; readonly mode: string }[] } = parse(
    readFileSync(new URL("./governance/workflow.yaml", import.meta.url), "utf8"),
  )
  return new Map(definition.resources.map(({ name, mode }) => [name, mode]))
}
