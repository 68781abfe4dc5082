/** Questions about the model's state. Each looks through everything. */
import type { ResourceRef } from "../../machines/ids.ts"
import { declared, type Handoff, type Held, type Session, type Step, type Workflow, type World } from "./state.ts"

/** Nothing of it ran: it waits for its turn, or for somebody's word. */
export const isWaiting = (step: Step): boolean => step.status === "queued" || step.status === "awaiting_approval"
export const isUnresolved = (step: Step): boolean =>
  isWaiting(step) || step.status === "admitted" || step.status === "orphaned"
export const isOpen = (handoff: Handoff): boolean =>
  handoff.status === "offered" || handoff.status === "claimed" || handoff.status === "in_progress"
export const isHeld = (handoff: Handoff): boolean => handoff.status === "claimed" || handoff.status === "in_progress"

export const workflowById = (world: World, id: string): Workflow | undefined =>
  world.workflows.find((workflow) => workflow.id === id)
/** Session ids are unique per tenant, and the model is one tenant. */
export const sessionById = (world: World, id: string): Session | undefined =>
  world.sessions.find((session) => session.id === id)
export const handoffById = (world: World, workflowId: string, id: string): Handoff | undefined =>
  world.handoffs.find((handoff) => handoff.workflowId === workflowId && handoff.id === id)
export const stepById = (world: World, workflowId: string, id: string): Step | undefined =>
  world.steps.find((step) => step.workflowId === workflowId && step.id === id)

export const must = <T>(thing: T | undefined | null, what: string): T => {
  if (thing === undefined || thing === null) throw new Error(`the model lost ${what}`)
  return thing
}

/** Who claimed the handoff's present generation. */
export const claimantOf = (handoff: Handoff): string | null =>
  handoff.claims.find((claim) => claim.generation === handoff.generation)?.sessionId ?? null

/** Parent, grandparent, … of a session; the nearest first. */
const ancestorsOf = (world: World, session: Session): ReadonlyArray<Session> => {
  if (session.parent === null) return []
  const parent = must(sessionById(world, session.parent), `session ${session.parent}`)
  return [parent, ...ancestorsOf(world, parent)]
}
/** Children, grandchildren, … dead or alive. */
export const descendantsOf = (world: World, session: Session): ReadonlyArray<Session> =>
  world.sessions.filter((other) => ancestorsOf(world, other).includes(session))

export const sameRef = (a: ResourceRef, b: ResourceRef): boolean => a.name === b.name && a.key === b.key
export const uniqueRefs = (refs: ReadonlyArray<ResourceRef>): ReadonlyArray<ResourceRef> =>
  refs.filter((ref, index) => refs.findIndex((other) => sameRef(ref, other)) === index)

/** The resource's record, made on first sight. */
export const held = (world: World, workflowId: string, ref: ResourceRef): Held => {
  const known = world.resources.find((one) => one.workflowId === workflowId && sameRef(one, ref))
  if (known !== undefined) return known
  const fresh: Held = { workflowId, name: ref.name, key: ref.key, owner: null, heir: null, fence: 0, version: 0 }
  world.resources.push(fresh)
  return fresh
}
/** The unresolved steps that name the resource, in the order in which they were proposed. */
export const stepsOn = (world: World, workflowId: string, ref: ResourceRef): ReadonlyArray<Step> =>
  world.steps.filter(
    (step) => step.workflowId === workflowId && isUnresolved(step) && step.resources.some((one) => sameRef(one, ref)),
  )
export const modeOf = (world: World, ref: ResourceRef) => declared(world, ref.name)?.mode
