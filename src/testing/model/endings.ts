/**
 * What follows from a change, in the same commit: sessions that end, what they held, queues that wake, versions that
 * grow.
 */
import type { KillScope } from "../../machines/commands.ts"
import type { ResourceRef } from "../../machines/ids.ts"
import {
  claimantOf,
  descendantsOf,
  handoffById,
  held,
  isOpen,
  isUnresolved,
  isWaiting,
  modeOf,
  must,
  sameRef,
  sessionById,
  stepsOn,
  workflowById,
} from "./queries.ts"
import {
  declared,
  type EndStatus,
  type Handoff,
  type Ids,
  type Kill,
  type Session,
  type Step,
  type World,
} from "./state.ts"

/** One event: when, and which sessions it changed (each version grows once, however often it was touched). */
export interface Happening {
  readonly workflowId: string
  readonly now: number
  readonly touched: Set<string>
}
export const happening = (workflowId: string, now: number): Happening => ({ workflowId, now, touched: new Set() })

/** Closes an event: queues wake, versions grow, a workflow without a living session follows its killed root. */
export const finish = (world: World, event: Happening): void => {
  wake(world, event)
  for (const id of event.touched) must(sessionById(world, id), id).version += 1
  const workflow = must(workflowById(world, event.workflowId), event.workflowId)
  const root = must(sessionById(world, workflow.rootSessionId), workflow.rootSessionId)
  const alive = world.sessions.some((one) => one.workflowId === workflow.id && one.status === "active")
  if (workflow.status === "active" && root.status === "killed" && !alive) {
    if (world.fault === "a killed root leaves the workflow active") return
    workflow.status = "killed"
    const last = world.kills.filter((kill) => kill.workflowId === workflow.id).at(-1)
    workflow.endedBy = [must(root.killId, "the root's kill"), ...(last === undefined ? [] : [last.id])]
  }
}

/** Admits every queued step before which nothing is left on any of its queues (§6, I11). */
const wake = (world: World, event: Happening): void => {
  if (world.fault === "a queue is never woken") return
  for (const step of world.steps) {
    if (step.workflowId !== event.workflowId || step.status !== "queued") continue
    const queues = step.resources.filter((ref) => modeOf(world, ref) === "serial_only")
    if (!queues.every((ref) => stepsOn(world, event.workflowId, ref)[0] === step)) continue
    step.status = "admitted"
    if (world.fault !== "a waking step gets no new token") grant(world, step)
    event.touched.add(step.sessionId)
  }
}

/** The tokens of an admission: a new one for each resource that is not owned by a session. */
export const grant = (world: World, step: Step): void => {
  for (const ref of step.resources)
    if (modeOf(world, ref) !== "single_writer") held(world, step.workflowId, ref).fence += 1
}

/** A first committed step is progress of the session's handoff and of all those above it (§4). */
export const progress = (world: World, session: Session): void => {
  const above = session.parent === null ? undefined : sessionById(world, session.parent)
  const handoff = session.handoffId === null ? undefined : handoffById(world, session.workflowId, session.handoffId)
  if (handoff?.status === "claimed" && claimantOf(handoff) === session.id) {
    handoff.status = "in_progress"
    handoff.deadline = null
  }
  if (above !== undefined && world.fault !== "progress does not reach the ancestors") progress(world, above)
}

/** Sessions that end in one event; the steps among theirs that are orphaned by it. */
export const end = (
  world: World,
  event: Happening,
  ending: ReadonlyArray<{ readonly session: Session; readonly as: EndStatus; readonly killId: string | null }>,
): ReadonlyArray<Step> => {
  for (const { session, as, killId } of ending) {
    session.status = as
    session.killId = killId
    event.touched.add(session.id)
  }
  const dying = ending.map(({ session }) => session)
  const steps = world.steps.filter((step) => dying.some((session) => session.id === step.sessionId))
  for (const step of steps.filter(isWaiting)) {
    if (step.status === "awaiting_approval" && world.fault === "a kill spares a step that awaits approval") continue
    step.status = "aborted"
    step.outcome = "aborted"
    step.deadline = null
  }
  const orphans = steps.filter((step) => step.status === "admitted")
  for (const step of orphans) orphan(world, event, step)
  for (const prepared of world.prepared)
    if (prepared.status === "open" && dying.some((session) => session.id === prepared.sessionId))
      prepared.status = "returned"
  for (const session of dying) leaveOwnerships(world, session, dying)
  return orphans
}

const orphan = (world: World, event: Happening, step: Step): void => {
  if (world.fault === "a kill releases what its orphans hold") {
    step.status = "late"
    step.outcome = "aborted"
    return
  }
  step.status = "orphaned"
  const rules = step.resources.map((ref) => must(declared(world, ref.name), ref.name))
  if (rules.length > 0 && rules.every((rule) => rule.unresolved === "release"))
    step.deadline = event.now + Math.max(...rules.map((rule) => must(rule.pendingTimeoutMs, "a pending timeout")))
}

const leaveOwnerships = (world: World, session: Session, dying: ReadonlyArray<Session>): void => {
  for (const resource of world.resources.filter(
    (one) => one.workflowId === session.workflowId && one.owner === session.id,
  )) {
    const heir = heirOf(world, session, resource, dying)
    if (stepsOn(world, session.workflowId, resource).some((step) => step.sessionId === session.id)) resource.heir = heir
    else pass(world, session.workflowId, resource, heir)
  }
}

/** Back along the handoffs that bound the resource, to the first session that goes on living. */
const heirOf = (world: World, session: Session, ref: ResourceRef, dying: ReadonlyArray<Session>): string | null => {
  if (session.handoffId === null || world.fault === "a binding does not come back at the child's end") return null
  const handoff = must(handoffById(world, session.workflowId, session.handoffId), session.handoffId)
  if (!handoff.resources.some((one) => sameRef(one, ref))) return null
  const parent = must(sessionById(world, handoff.from), handoff.from)
  if (dying.includes(parent)) return heirOf(world, parent, ref, dying)
  return parent.status === "active" ? parent.id : null
}

/** Ownership moves: a new owner gets a new token, nobody gets none. */
export const pass = (world: World, workflowId: string, ref: ResourceRef, owner: string | null): void => {
  const resource = held(world, workflowId, ref)
  resource.owner = owner
  resource.heir = null
  if (owner !== null) resource.fence += 1
}

/** An orphan was resolved: what its dead session owned only because of it moves on. */
export const passDeferred = (world: World, step: Step): void => {
  for (const ref of step.resources.filter((one) => modeOf(world, one) === "single_writer")) {
    const resource = held(world, step.workflowId, ref)
    if (resource.owner !== step.sessionId) continue
    if (stepsOn(world, step.workflowId, ref).some((other) => other.sessionId === step.sessionId)) continue
    const heir = resource.heir === null ? undefined : sessionById(world, resource.heir)
    pass(world, step.workflowId, ref, heir?.status === "active" ? heir.id : null)
  }
}

/** A session and everything below it, as far as it lives. */
export const livingTree = (world: World, session: Session): ReadonlyArray<Session> =>
  [session, ...descendantsOf(world, session)].filter((one) => one.status === "active")
/** Open handoffs that were offered or are held by one of these. */
export const openHandoffsOf = (world: World, sessions: ReadonlyArray<Session>): ReadonlyArray<Handoff> => {
  const ids = sessions.map((session) => session.id)
  return world.handoffs.filter((handoff) => {
    const claimant = claimantOf(handoff)
    return isOpen(handoff) && (ids.includes(handoff.from) || (claimant !== null && ids.includes(claimant)))
  })
}

const killHandoffs = (handoffs: ReadonlyArray<Handoff>): void => {
  for (const handoff of handoffs) {
    handoff.status = "killed"
    handoff.deadline = null
  }
}

/** One kill: these sessions and handoffs die together. */
export const kill = (
  world: World,
  event: Happening,
  ids: Ids,
  how: { readonly scope: KillScope; readonly target: Session | null; readonly cause: Kill["cause"] },
  sessions: ReadonlyArray<Session>,
  handoffs: ReadonlyArray<Handoff>,
): Kill => {
  const id = ids.kill(how.cause === "command")
  killHandoffs(handoffs)
  const orphans = end(
    world,
    event,
    sessions.map((session) => ({ session, as: "killed", killId: id })),
  )
  const made: Kill = {
    workflowId: event.workflowId,
    id,
    scope: how.scope,
    sessionId: how.target?.id ?? null,
    cause: how.cause,
    sessions: sessions.map((session) => session.id),
    handoffs: handoffs.map((handoff) => handoff.id),
    steps: orphans.map((step) => step.id),
  }
  world.kills.push(made)
  return made
}

export const killState = (world: World, made: Kill): "fenced" | "quiescent" =>
  world.steps.some((step) => step.workflowId === made.workflowId && made.steps.includes(step.id) && isUnresolved(step))
    ? "fenced"
    : "quiescent"

/**
 * A session gives up, alone or by an operator: its handoff and the workflow of a root fail, everything below it dies.
 */
export const failSession = (world: World, event: Happening, ids: Ids, session: Session): void => {
  const own = session.handoffId === null ? undefined : handoffById(world, session.workflowId, session.handoffId)
  const below =
    world.fault === "a failing parent spares its descendants"
      ? []
      : livingTree(world, session).filter((one) => one !== session)
  const handoffs = openHandoffsOf(world, [session, ...below]).filter((handoff) => handoff !== own)
  if (own !== undefined) {
    own.status = "failed"
    own.deadline = null
  }
  // One event: the session and its descendants end together, so that an ownership skips those who die with it.
  const killId = ids.kill(false)
  killHandoffs(handoffs)
  const orphans = end(world, event, [
    { session, as: "failed", killId: null },
    ...below.map((one) => ({ session: one, as: "killed" as const, killId })),
  ])
  world.kills.push({
    workflowId: event.workflowId,
    id: killId,
    scope: "subtree",
    sessionId: session.id,
    cause: "fail",
    sessions: below.map((one) => one.id),
    handoffs: handoffs.map((handoff) => handoff.id),
    steps: orphans.map((step) => step.id),
  })
  if (session.parent === null) must(workflowById(world, event.workflowId), event.workflowId).status = "failed"
}

/** A claim is taken back: its claimant's tree dies, and the handoff is offered again, or ends. */
export const reclaimHandoff = (world: World, event: Happening, ids: Ids, handoff: Handoff): void => {
  const claimant = must(sessionById(world, must(claimantOf(handoff), "the claimant")), "the claimant")
  const parent = must(sessionById(world, handoff.from), handoff.from)
  const edge = must(
    world.definition.handoffs.find((one) => one.from === parent.role && one.to === handoff.toRole),
    "the edge",
  )
  const doomed = livingTree(world, claimant)
  const all = [claimant, ...descendantsOf(world, claimant)]
  const others = openHandoffsOf(world, all).filter((one) => one !== handoff)
  kill(world, event, ids, { scope: "subtree", target: claimant, cause: "reclaim" }, doomed, others)
  handoff.deadline = null
  if (edge.maxAttempts !== null && handoff.generation >= edge.maxAttempts) handoff.status = "failed"
  else if (parent.status !== "active") handoff.status = "killed"
  else {
    handoff.status = "offered"
    if (world.fault === "a reclaim keeps the generation") handoff.claims = []
    else handoff.generation += 1
    handoff.deadline = edge.offerTimeoutMs === null ? null : event.now + edge.offerTimeoutMs
  }
}
