/** Events of sections 2, 3 and 8: workflows and sessions begin, end, and are killed. */
import { type Cascade, cascadeOfEvent, receiptOf, sessionCascade, subtreeCascade, workflowCascade } from "../cascade.ts"
import type { KillScope } from "../commands.ts"
import type { EventOf } from "../events.ts"
import { type KillId, resourceKey, type SessionId } from "../ids.ts"
import { post } from "../ledger.ts"
import { handoffLifecycle, sessionLifecycle, stepLifecycle, workflowLifecycle } from "../lifecycle/table.ts"
import { must, type Session, type State } from "../state.ts"
import { type EventContext, touch } from "./context.ts"
import { closeHandoff, handoffRow, letGo } from "./handoffs.ts"
import { admit, endSession, forgetIfClosed, giveOwnership, resolveStep } from "./holdings.ts"

type Opening = Pick<Session, "sessionId" | "role" | "agent" | "parentSessionId" | "handoffId" | "generation" | "depth">

export const openSession = (state: State, opening: Opening, context: EventContext): Session => {
  // Written out: V8 takes 16 µs for a literal that spreads an object and adds a dozen members, 70 ns for this one.
  const { sessionId, role, agent, parentSessionId, handoffId, generation, depth } = opening
  const session: Session = {
    sessionId,
    role,
    agent,
    parentSessionId,
    handoffId,
    generation,
    depth,
    createdAt: context.at,
    createdSeq: context.seq,
    status: sessionLifecycle.initial,
    version: 1,
    versionSeq: context.seq,
    endedAt: null,
    killId: null,
    reason: null,
    children: new Set(),
    offers: new Set(),
    steps: new Set(),
    prepared: new Set(),
    owns: new Set(),
  }
  state.sessions.set(session.sessionId, session)
  post(state, session.role, (account) => {
    account.sessions += 1
    account.activeSessions += 1
  })
  context.rows?.push({
    _tag: "sessionCreated",
    row: {
      sessionId,
      workflowId: state.workflowId,
      role,
      agent,
      parentSessionId,
      handoffId,
      generation,
      depth,
      status: session.status,
      version: 1,
      createdAt: context.at,
      createdSeq: context.seq,
      endedAt: null,
      killId: null,
      reason: null,
    },
  })
  return session
}

export const workflowCreated = (state: State, event: EventOf<"workflow.created">, context: EventContext): void => {
  if (event.deadline !== null) state.deadlines.add({ at: event.deadline, kind: "workflow", id: "" })
  context.rows?.push({
    _tag: "workflowCreated",
    row: {
      workflowId: state.workflowId,
      workflow: event.workflow,
      definitionHash: event.definitionHash,
      rootSessionId: event.sessionId,
      rootRole: event.role,
      status: state.status,
      createdAt: context.at,
      endedAt: null,
    },
  })
  openSession(
    state,
    {
      sessionId: event.sessionId,
      role: event.role,
      agent: event.agent,
      parentSessionId: null,
      handoffId: null,
      generation: 0,
      depth: 0,
    },
    context,
  )
}

export const sessionCompleted = (state: State, event: EventOf<"session.completed">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  endSession(state, session, "COMPLETE", new Set([session.sessionId]), context)
  sessionRow(session, context)
  if (event.handoffId !== null) {
    const handoff = must(state.handoffs, event.handoffId, "handoff")
    handoff.status = handoffLifecycle.move(handoff.status, "COMPLETE_ANY")
    handoff.deadline = null
    letGo(state, handoff)
    context.rows?.push({
      _tag: "handoffCompleted",
      handoffId: handoff.handoffId,
      at: context.at,
      result: event.result,
      artifacts: event.artifacts,
    })
  }
  forgetIfClosed(state, session.sessionId)
  endWorkflow(state, event.ends, null, context)
}

export const sessionFailed = (state: State, event: EventOf<"session.failed">, context: EventContext): void => {
  const session = must(state.sessions, event.sessionId, "session")
  const cascade = cascadeOfEvent(state, event, () => subtreeCascade(state, session))
  const own = session.handoffId
  const others = { ...cascade, handoffs: cascade.handoffs.filter((handoff) => handoff.handoffId !== own) }
  session.reason = event.reason
  applyCascade(
    state,
    others,
    { killId: event.killId, reason: "parent_failed", target: session.sessionId, failing: session },
    context,
  )
  if (own !== null) closeHandoff(state, must(state.handoffs, own, "handoff"), "FAIL", event.reason, context)
  finish(state, event, cascade, context)
}

export const handoffReclaimed = (state: State, event: EventOf<"handoff.reclaimed">, context: EventContext): void => {
  const handoff = must(state.handoffs, event.handoffId, "handoff")
  const claimant = must(state.sessions, event.sessionId, "session")
  const cascade = cascadeOfEvent(state, event, () => subtreeCascade(state, claimant))
  const others = { ...cascade, handoffs: cascade.handoffs.filter((other) => other !== handoff) }
  applyCascade(state, others, { killId: event.killId, reason: "reclaimed", target: event.sessionId }, context)
  if (event.status === "offered") {
    handoff.status = handoffLifecycle.move(handoff.status, "RECLAIM")
    handoff.generation = event.generation
    handoff.sessionId = null
    handoff.grants = []
    handoff.deadline = event.deadline
    if (event.deadline !== null) state.deadlines.add({ at: event.deadline, kind: "offer", id: handoff.handoffId })
    handoffRow(handoff, event.reason, context)
  } else {
    const exhausted = event.status === "failed"
    closeHandoff(state, handoff, exhausted ? "RECLAIM_EXHAUSTED" : "RECLAIM_ORPHANED", event.reason, context)
  }
  finish(state, event, cascade, context)
}

export const killed = (state: State, event: EventOf<"killed">, context: EventContext): void => {
  const target = event.sessionId === null ? undefined : must(state.sessions, event.sessionId, "session")
  const cascade = cascadeOfEvent(state, event, () => {
    if (target === undefined) return workflowCascade(state)
    return event.scope === "session" ? sessionCascade(state, target) : subtreeCascade(state, target)
  })
  applyCascade(
    state,
    cascade,
    { killId: event.killId, reason: event.reason, target: event.sessionId, scope: event.scope },
    context,
  )
  finish(state, event, cascade, context)
}

interface Cause {
  readonly killId: KillId
  readonly reason: string
  /** The session at the top of the cascade; null for the whole workflow. */
  readonly target: SessionId | null
  /** Absent for the subtree that a failure or a reclaim takes along. */
  readonly scope?: KillScope
  /** The session at the top of a failure: it ends as failed, not as killed. */
  readonly failing?: Session
}

const applyCascade = (state: State, cascade: Cascade, cause: Cause, context: EventContext): void => {
  const { killId } = cause
  killRow(state, cascade, cause, context)
  for (const step of cascade.aborted) resolveStep(state, step, "aborted", "aborted", { cost: 0, tokens: 0 }, context)
  for (const step of cascade.orphans) {
    step.status = stepLifecycle.move(step.status, "ORPHAN") as "orphaned"
    step.killId = killId
    const releaseMs = releaseAfter(state, step.resources)
    if (releaseMs !== null) {
      step.deadline = context.at + releaseMs
      state.deadlines.add({ at: step.deadline, kind: "step", id: step.stepId })
    }
  }
  if (cascade.orphans.length > 0) state.kills.set(killId, { orphans: cascade.orphans.length })
  const dying = new Set(cascade.sessions.map((session) => session.sessionId))
  for (const session of cascade.sessions) {
    const failing = session === cause.failing
    session.killId = failing ? null : killId
    if (!failing) session.reason = cause.reason
    endSession(state, session, failing ? "FAIL" : "KILL", dying, context)
    if (failing) sessionRow(session, context)
    else if (session.sessionId === state.rootSessionId) state.rootKillId = killId
  }
  for (const handoff of cascade.handoffs) {
    handoff.status = handoffLifecycle.move(handoff.status, "KILL")
    handoff.deadline = null
    state.handoffs.delete(handoff.handoffId)
    post(state, handoff.toRole, (account) => {
      account.openHandoffs -= 1
    })
    state.sessions.get(handoff.fromSessionId)?.offers.delete(handoff.handoffId)
  }
  cascadeRows(cascade, cause, context)
}

/** The receipt of every cascade, so that a repeated kill can answer with it; a failure that takes nobody along has none. */
const killRow = (state: State, cascade: Cascade, cause: Cause, context: EventContext): void => {
  if (context.rows === undefined) return
  const sessions = cascade.sessions.filter((session) => session !== cause.failing)
  if (sessions.length + cascade.orphans.length === 0) return
  const { killId, reason, scope = "subtree", target } = cause
  const receipt = receiptOf(state, { killId, scope, sessionId: target, reason }, { ...cascade, sessions }, context)
  context.rows.push({ _tag: "killIssued", receipt })
}

const cascadeRows = (cascade: Cascade, cause: Cause, context: EventContext): void => {
  if (context.rows === undefined) return
  const sessions = cascade.sessions.filter((session) => session !== cause.failing)
  if (sessions.length > 0)
    context.rows.push({
      _tag: "sessionsKilled",
      sessions: sessions.map((session) => session.sessionId),
      versions: sessions.map((session) => session.version),
      at: context.at,
      killId: cause.killId,
      reason: cause.reason,
    })
  if (cascade.handoffs.length > 0)
    context.rows.push({
      _tag: "handoffsKilled",
      handoffs: cascade.handoffs.map((handoff) => handoff.handoffId),
      at: context.at,
      reason: cause.reason,
    })
}

/** How long an orphan holds its resources where all of them say `unresolved: release`; null where one holds on. */
const releaseAfter = (state: State, keys: ReadonlyArray<string>): number | null => {
  let longest: number | null = null
  for (const key of keys) {
    const rule = must(state.resources, key, "resource").rule
    if (rule.unresolved !== "release" || rule.pendingTimeoutMs === null) return null
    longest = Math.max(longest ?? 0, rule.pendingTimeoutMs)
  }
  return longest
}

/** After a cascade: queues move on, the dead are forgotten, and the workflow ends if the event says so. */
const finish = (
  state: State,
  event: Pick<EventOf<"killed">, "admitted" | "ends" | "killId">,
  cascade: Cascade,
  context: EventContext,
): void => {
  admit(state, event.admitted, context)
  for (const session of cascade.sessions) forgetIfClosed(state, session.sessionId)
  for (const handoff of cascade.handoffs) forgetIfClosed(state, handoff.fromSessionId)
  endWorkflow(state, event.ends, event.killId, context)
}

const endWorkflow = (
  state: State,
  ends: "completed" | "failed" | "killed" | undefined,
  killId: KillId | null,
  context: EventContext,
): void => {
  if (ends === undefined) return
  // A session that merely completed can end a workflow as killed only as the last one to outlive a killed root.
  const killed = killId === null ? "LAST_SESSION_ENDED" : "KILLED"
  const event = { completed: "ROOT_COMPLETED", failed: "ROOT_FAILED", killed } as const
  state.status = workflowLifecycle.move(state.status, event[ends])
  state.endedAt = context.at
  if (ends === "killed") state.killId = state.rootKillId ?? killId
  context.rows?.push({ _tag: "workflowEnded", status: state.status, at: context.at })
}

const sessionRow = (session: Session, context: EventContext): void => {
  context.rows?.push({
    _tag: "sessionEnded",
    sessionId: session.sessionId,
    status: session.status,
    version: session.version,
    at: context.at,
    killId: session.killId,
    reason: session.reason,
  })
}

export const resourcesReleased = (state: State, event: EventOf<"resources.released">, context: EventContext): void => {
  touch(must(state.sessions, event.sessionId, "session"), context)
  for (const ref of event.resources) giveOwnership(state, resourceKey(ref), null, context)
}
