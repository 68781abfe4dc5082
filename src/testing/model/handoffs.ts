/** Handoffs: offer, claim, complete, fail, reclaim, withdraw (semantics.md §4). */
import type { CommandOf } from "../../machines/commands.ts"
import type { Json } from "../../machines/ids.ts"
import { canonical } from "./canonical.ts"
import { end, failSession, finish, happening, pass, reclaimHandoff } from "./endings.ts"
import { needDepth, needRoom } from "./ledger.ts"
import {
  claimantOf,
  descendantsOf,
  handoffById,
  held,
  isHeld,
  isOpen,
  isUnresolved,
  modeOf,
  must,
  sessionById,
  stepsOn,
  workflowById,
} from "./queries.ts"
import { activeWorkflow, type Context, livingSession } from "./sessions.ts"
import { declared, edgeOf, type Handoff, type ModelAnswer, refuse, type Session, type World } from "./state.ts"

export const offer = (world: World, command: CommandOf<"offer">, { now, ids }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const known = command.handoffId === undefined ? undefined : handoffById(world, session.workflowId, command.handoffId)
  const content = {
    from: session.id,
    toRole: command.toRole,
    summary: command.summary ?? null,
    artifacts: command.artifacts ?? [],
    resources: command.resources ?? [],
  }
  if (known !== undefined) {
    const { from, toRole, summary, artifacts, resources } = known
    if (canonical({ from, toRole, summary, artifacts, resources }) !== canonical(content)) refuse("handoff_exists")
    return { handoffId: known.id, status: "offered", offeredAt: known.offeredAt }
  }
  const edge = edgeOf(world, session.role, command.toRole) ?? refuse("handoff_not_permitted")
  if (!fits(edge.summarySchema, content.summary)) refuse("invalid_summary")
  for (const ref of content.resources) if (declared(world, ref.name) === undefined) refuse("resource_unknown")
  needDepth(world, session.workflowId, command.toRole, session.depth + 1)
  needRoom(world, session.workflowId, command.toRole, "maxOpenHandoffs", 1)

  const deadline = edge.offerTimeoutMs === null ? null : now + edge.offerTimeoutMs
  const id = command.handoffId ?? ids.handoff()
  world.handoffs.push({
    ...content,
    workflowId: session.workflowId,
    id,
    offeredAt: now,
    status: "offered",
    generation: 1,
    deadline,
    claims: [],
  })
  const event = happening(session.workflowId, now)
  event.touched.add(session.id)
  finish(world, event)
  return {
    handoffId: id,
    workflowId: session.workflowId,
    status: "offered",
    generation: 1,
    stateVersion: session.version,
    offeredAt: now,
    offerDeadline: deadline,
  }
}

/** The only schemas that the generated definitions use: an object with required members. */
const fits = (schema: Json | null, summary: unknown): boolean => {
  if (schema === null) return true
  const required = (schema as { readonly required: ReadonlyArray<string> }).required
  return (
    typeof summary === "object" &&
    summary !== null &&
    !Array.isArray(summary) &&
    required.every((name) => name in summary)
  )
}

const claimAnswer = (world: World, session: Session, handoff: Handoff, fresh: boolean): ModelAnswer => ({
  workflowId: session.workflowId,
  sessionId: session.id,
  role: session.role,
  agent: session.agent,
  parentSessionId: session.parent,
  stateVersion: 1,
  handoff: {
    handoffId: handoff.id,
    summary: handoff.summary,
    ...(fresh
      ? { generation: handoff.generation, claimDeadline: handoff.deadline, resources: bindings(world, handoff) }
      : {}),
  },
})
const bindings = (world: World, handoff: Handoff) =>
  handoff.resources.map((ref) => ({
    name: ref.name,
    key: ref.key,
    ...(modeOf(world, ref) === "single_writer" ? { token: held(world, handoff.workflowId, ref).fence } : {}),
  }))

export const claim = (world: World, command: CommandOf<"claim">, { now, ids }: Context): ModelAnswer => {
  const workflow = workflowById(world, command.workflowId) ?? refuse("workflow_not_found")
  const handoff = handoffById(world, workflow.id, command.handoffId)
  const again = command.sessionId === undefined ? undefined : sessionById(world, command.sessionId)
  if (
    again !== undefined &&
    again.workflowId === workflow.id &&
    again.role === command.role &&
    handoff !== undefined &&
    again.handoffId === handoff.id
  ) {
    if (again.status === "killed") refuse("session_killed")
    return claimAnswer(world, again, handoff, false)
  }
  activeWorkflow(world, workflow.id)
  if (handoff === undefined) return refuse("handoff_not_found")
  if (command.generation !== undefined && command.generation !== handoff.generation) refuse("stale_generation")
  if (isHeld(handoff) && world.fault !== "a claimed handoff can be claimed again") refuse("handoff_already_claimed")
  if (!isOpen(handoff)) refuse("handoff_closed")
  if (command.role !== handoff.toRole) refuse("role_mismatch")
  if (command.parentSessionId !== handoff.from) refuse("parent_mismatch")
  needRoom(world, workflow.id, command.role, "maxSessions", 1)
  needRoom(world, workflow.id, command.role, "maxActiveSessions", 1)
  const parent = must(sessionById(world, handoff.from), handoff.from)
  needDepth(world, workflow.id, command.role, parent.depth + 1)
  const owned = handoff.resources.filter((ref) => modeOf(world, ref) === "single_writer")
  for (const ref of owned) {
    const { owner } = held(world, workflow.id, ref)
    if (owner === null) continue
    const busy = stepsOn(world, workflow.id, ref).some((step) => step.sessionId === owner)
    if (owner !== parent.id || busy) refuse("resource_owned")
  }
  if (again !== undefined) refuse("session_exists")

  const edge = must(edgeOf(world, parent.role, handoff.toRole), "the edge")
  const session: Session = {
    workflowId: workflow.id,
    id: command.sessionId ?? ids.session(),
    role: command.role,
    agent: command.agent,
    parent: parent.id,
    handoffId: handoff.id,
    depth: parent.depth + 1,
    status: "active",
    version: 1,
    killId: null,
  }
  world.sessions.push(session)
  handoff.status = "claimed"
  handoff.claims.push({ generation: handoff.generation, sessionId: session.id })
  handoff.deadline = edge.claimTimeoutMs === null ? null : now + edge.claimTimeoutMs
  for (const ref of owned) pass(world, workflow.id, ref, session.id)
  finish(world, happening(workflow.id, now))
  return claimAnswer(world, session, handoff, true)
}

/** Refuses while the session has anything open, then ends it as completed, with its handoff or its workflow. */
export const completeSession = (world: World, session: Session, now: number): void => {
  const mine = world.steps.filter((step) => step.sessionId === session.id)
  if (mine.some(isUnresolved)) refuse("steps_unresolved")
  const offered = world.handoffs.filter((one) => one.workflowId === session.workflowId && one.from === session.id)
  if (offered.some(isOpen)) refuse("handoffs_open")
  const living = descendantsOf(world, session).some((one) => one.status === "active")
  if (living && world.fault !== "a parent completes over living descendants") refuse("descendants_active")
  const workflow = must(workflowById(world, session.workflowId), session.workflowId)
  if (session.handoffId === null) workflow.status = "completed"
  else {
    const handoff = must(handoffById(world, session.workflowId, session.handoffId), session.handoffId)
    const parent = must(sessionById(world, handoff.from), handoff.from)
    const edge = must(edgeOf(world, parent.role, handoff.toRole), "the edge")
    if (handoff.status !== "in_progress" && edge.completion !== "any") refuse("handoff_not_in_progress")
    handoff.status = "completed"
    handoff.deadline = null
  }
  const event = happening(session.workflowId, now)
  end(world, event, [{ session, as: "completed", killId: null }])
  finish(world, event)
}

interface AboutHandoff {
  readonly workflowId: string
  readonly handoffId: string
  readonly sessionId?: string | undefined
  readonly generation?: number | undefined
}
/** The handoff that an operator, or the session that offered it, means. */
const findHandoff = (world: World, command: AboutHandoff): Handoff => {
  if (command.sessionId === undefined) activeWorkflow(world, command.workflowId)
  else {
    if (workflowById(world, command.workflowId) === undefined) refuse("workflow_not_found")
    livingSession(world, { sessionId: command.sessionId })
  }
  const handoff = handoffById(world, command.workflowId, command.handoffId) ?? refuse("handoff_not_found")
  if (command.sessionId !== undefined && handoff.from !== command.sessionId) refuse("forbidden")
  if (command.generation !== undefined && command.generation !== handoff.generation) refuse("stale_generation")
  return handoff
}
const changed = (handoff: Handoff): ModelAnswer => ({
  handoffId: handoff.id,
  workflowId: handoff.workflowId,
  status: handoff.status,
  generation: handoff.generation,
})
const claimantSession = (world: World, handoff: Handoff): Session =>
  must(sessionById(world, must(claimantOf(handoff), "the claimant")), "the claimant")

export const completeHandoff = (world: World, command: CommandOf<"completeHandoff">, { now }: Context): ModelAnswer => {
  const handoff = findHandoff(world, command)
  if (!isHeld(handoff)) refuse("handoff_not_in_progress")
  completeSession(world, claimantSession(world, handoff), now)
  return changed(handoff)
}

export const failHandoff = (world: World, command: CommandOf<"failHandoff">, { now, ids }: Context): ModelAnswer => {
  const handoff = findHandoff(world, command)
  if (handoff.status === "offered") refuse("handoff_not_claimed")
  if (!isOpen(handoff)) refuse("handoff_closed")
  const event = happening(handoff.workflowId, now)
  failSession(world, event, ids, claimantSession(world, handoff))
  finish(world, event)
  return changed(handoff)
}

export const reclaim = (world: World, command: CommandOf<"reclaim">, { now, ids }: Context): ModelAnswer => {
  const handoff = findHandoff(world, command)
  if (handoff.status === "in_progress") refuse("handoff_in_progress")
  if (handoff.status === "offered") refuse("handoff_not_claimed")
  if (!isOpen(handoff)) refuse("handoff_closed")
  const event = happening(handoff.workflowId, now)
  reclaimHandoff(world, event, ids, handoff)
  finish(world, event)
  return changed(handoff)
}

export const withdraw = (world: World, command: CommandOf<"withdraw">, { now }: Context): ModelAnswer => {
  const handoff = findHandoff(world, command)
  if (handoff.status === "claimed") refuse("handoff_already_claimed")
  if (handoff.status === "in_progress") refuse("handoff_in_progress")
  if (!isOpen(handoff)) refuse("handoff_closed")
  handoff.status = "withdrawn"
  handoff.deadline = null
  finish(world, happening(handoff.workflowId, now))
  return changed(handoff)
}
