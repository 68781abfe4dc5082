/** Workflows and sessions: create, attach, heartbeat, release, complete, fail, limits (semantics.md §2, §3, §7). */
import type { CommandOf } from "../../machines/commands.ts"
import type { LimitName, Limits } from "../../machines/definition.ts"
import { failSession, finish, happening, pass } from "./endings.ts"
import { completeSession } from "./handoffs.ts"
import { needRoom } from "./ledger.ts"
import { handoffById, held, isUnresolved, must, sessionById, stepsOn, uniqueRefs, workflowById } from "./queries.ts"
import { edgeOf, type Ids, type ModelAnswer, refuse, roleOf, type Session, type Workflow, type World } from "./state.ts"

export interface Context {
  readonly now: number
  readonly ids: Ids
  /** The usage of this proposal was settled before, under the same idempotency key. */
  readonly usageSettled: boolean
}

/** A command of a session asks after the session first, then after the version that it was decided on. */
export const livingSession = (
  world: World,
  command: { readonly sessionId: string; readonly expectedVersion?: number | undefined },
): Session => {
  const session = sessionById(world, command.sessionId) ?? refuse("session_not_found")
  if (session.status === "killed") refuse("session_killed")
  if (session.status !== "active") refuse("session_not_active")
  needVersion(world, session, command.expectedVersion)
  return session
}
export const needVersion = (world: World, session: Session, expected: number | undefined): void => {
  if (world.fault === "a stale version is accepted") return
  if (expected !== undefined && expected !== session.version) refuse("version_mismatch")
}
export const activeWorkflow = (world: World, id: string): Workflow => {
  const workflow = workflowById(world, id) ?? refuse("workflow_not_found")
  if (workflow.status === "killed") refuse("workflow_killed")
  if (workflow.status !== "active") refuse("workflow_not_active")
  return workflow
}

export const createRoot = (world: World, command: CommandOf<"createRoot">, { now, ids }: Context): ModelAnswer => {
  const answer = (session: Session): ModelAnswer => ({
    workflowId: session.workflowId,
    sessionId: session.id,
    role: session.role,
    agent: session.agent,
    parentSessionId: null,
    handoff: null,
    stateVersion: 1,
  })
  const known = workflowById(world, command.workflowId)
  if (known !== undefined) {
    if (known.hash !== command.definitionHash || known.rootSessionId !== command.sessionId) refuse("workflow_exists")
    return answer(must(sessionById(world, known.rootSessionId), known.rootSessionId))
  }
  if (roleOf(world, command.role)?.root !== true) refuse("role_not_root")
  if (command.sessionId !== undefined && sessionById(world, command.sessionId) !== undefined) refuse("session_exists")
  const session: Session = {
    workflowId: command.workflowId,
    id: command.sessionId ?? ids.session(),
    role: command.role,
    agent: command.agent,
    parent: null,
    handoffId: null,
    depth: 0,
    status: "active",
    version: 1,
    killId: null,
  }
  const { limits, roles } = world.definition
  world.workflows.push({
    id: command.workflowId,
    hash: command.definitionHash,
    rootSessionId: session.id,
    createdAt: now,
    status: "active",
    deadline: limits.maxDurationMs === null ? null : now + limits.maxDurationMs,
    limits: { ...limits },
    roleLimits: Object.fromEntries(roles.map((role) => [role.name, { ...role.limits }])),
    endedBy: [],
  })
  needRoom(world, command.workflowId, command.role, "maxSessions", 1)
  needRoom(world, command.workflowId, command.role, "maxActiveSessions", 1)
  world.sessions.push(session)
  return answer(session)
}

export const attach = (world: World, command: CommandOf<"attach">): ModelAnswer => {
  const session = livingSession(world, command)
  return {
    workflowId: session.workflowId,
    sessionId: session.id,
    role: session.role,
    parentSessionId: session.parent,
    status: "active",
    depth: session.depth,
    stateVersion: session.version,
    killId: null,
    steps: world.steps
      .filter((step) => step.sessionId === session.id && isUnresolved(step))
      .map(({ id, tool, status, unknown }) => ({ stepId: id, tool, status, unknown })),
    owns: world.resources
      .filter((resource) => resource.workflowId === session.workflowId && resource.owner === session.id)
      .map(({ name, key, fence }) => ({ name, key, token: fence })),
  }
}

export const heartbeat = (world: World, command: CommandOf<"heartbeat">, { now }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const handoff = session.handoffId === null ? undefined : handoffById(world, session.workflowId, session.handoffId)
  if (handoff?.status === "claimed" && session.parent !== null) {
    const parent = must(sessionById(world, session.parent), session.parent)
    const timeout = must(edgeOf(world, parent.role, session.role), "the edge").claimTimeoutMs
    if (timeout !== null) handoff.deadline = now + timeout
  }
  return { stateVersion: session.version, claimDeadline: handoff?.status === "claimed" ? handoff.deadline : null }
}

export const release = (world: World, command: CommandOf<"release">, { now }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const refs = uniqueRefs(command.resources)
  for (const ref of refs) {
    if (held(world, session.workflowId, ref).owner !== session.id) refuse("resource_not_owned")
    if (stepsOn(world, session.workflowId, ref).length > 0) refuse("steps_unresolved")
  }
  for (const ref of refs) pass(world, session.workflowId, ref, null)
  const event = happening(session.workflowId, now)
  event.touched.add(session.id)
  finish(world, event)
  return { stateVersion: session.version, released: refs }
}

const ended = (world: World, session: Session): ModelAnswer => ({
  sessionId: session.id,
  status: session.status,
  handoffId: session.handoffId,
  stateVersion: session.version,
  workflowStatus: must(workflowById(world, session.workflowId), session.workflowId).status,
})
export const complete = (world: World, command: CommandOf<"complete">, { now }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  completeSession(world, session, now)
  return ended(world, session)
}
export const fail = (world: World, command: CommandOf<"fail">, { now, ids }: Context): ModelAnswer => {
  const session = livingSession(world, command)
  const event = happening(session.workflowId, now)
  failSession(world, event, ids, session)
  finish(world, event)
  return ended(world, session)
}

export const raiseLimits = (world: World, command: CommandOf<"raiseLimits">): ModelAnswer => {
  const workflow = activeWorkflow(world, command.workflowId)
  const limits: Limits =
    (command.role === undefined ? workflow.limits : workflow.roleLimits[command.role]) ?? refuse("invalid_request")
  for (const [name, value] of Object.entries(command.limits)) {
    const present = limits[name as LimitName]
    if (present === null || value < present) refuse("limits_only_raise")
  }
  const raised: Limits = { ...limits, ...command.limits }
  if (command.role === undefined) workflow.limits = raised
  else workflow.roleLimits[command.role] = raised
  if (command.role === undefined && raised.maxDurationMs !== null)
    workflow.deadline = workflow.createdAt + raised.maxDurationMs
  return { workflowId: workflow.id, role: command.role ?? null }
}
