/** Decisions of sections 2, 3 and 6: root, attach, complete, fail, release; and an operator's say on a claimed handoff. */
import type { HandoffChanged, Released, SessionEnded, SessionOpened, SessionView } from "../answers.ts"
import { hasLiveDescendant, leaving, subtreeCascade } from "../cascade.ts"
import type { CommandOf } from "../commands.ts"
import type { EventOf } from "../events.ts"
import { resourceKey, type SessionId } from "../ids.ts"
import { checkDepth, checkRoom } from "../ledger.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { admissions, distinct } from "../resources.ts"
import type { Rules } from "../rules.ts"
import { emptyState, type Handoff, must, type Session, type State } from "../state.ts"
import { sessionView } from "../views.ts"
import { accept, type Decision, type Facts, isRefusal, nextSeq, nextVersion, no, refused } from "./context.ts"
import { endsWithLastSession, isRoot } from "./ends.ts"
import { activeSession, activeWorkflow, archivedSession, forbiddenMove, isOpen, namedHandoff } from "./guards.ts"
import { changed } from "./handoffs.ts"

/** Creates a workflow that does not exist. */
export const createRoot = (rules: Rules, command: CommandOf<"createRoot">, facts: Facts): Decision<SessionOpened> => {
  const role = rules.role(command.role)
  if (role === undefined || !role.root) {
    const roots = rules.definition.roles.filter((candidate) => candidate.root).map((candidate) => candidate.name)
    return no("role_not_root", `Role ${command.role} can't be the root. The root roles are: ${roots.join(", ")}.`, {
      role: command.role,
      roots,
    })
  }
  if (command.sessionId !== undefined && facts.archive.sessions.has(command.sessionId))
    return no("session_exists", `A session ${command.sessionId} exists. Choose another id, or none.`, {
      sessionId: command.sessionId,
    })
  const sessionId = command.sessionId ?? facts.id("session")
  const { maxDurationMs } = rules.definition.limits
  const deadline = maxDurationMs === null ? null : facts.now + maxDurationMs
  const nobody = emptyState({
    workflowId: command.workflowId,
    rules,
    rootSessionId: sessionId,
    createdAt: facts.now,
    deadline,
  })
  const refusal =
    checkRoom(nobody, role.name, "maxSessions", 1) ??
    checkRoom(nobody, role.name, "maxActiveSessions", 1) ??
    checkDepth(nobody, role.name, 0)
  if (refusal !== undefined) return refused(refusal)
  return accept(
    [
      {
        _tag: "workflow.created",
        workflowId: command.workflowId,
        definitionHash: rules.hash,
        workflow: rules.definition.workflow,
        sessionId,
        role: role.name,
        agent: command.agent,
        deadline,
      },
    ],
    opened(command.workflowId, { sessionId, role: role.name, agent: command.agent, createdSeq: 1 }),
  )
}

const opened = (
  workflowId: SessionOpened["workflowId"],
  root: { readonly sessionId: SessionId; readonly role: string; readonly agent: string; readonly createdSeq: number },
): SessionOpened => ({
  workflowId,
  sessionId: root.sessionId,
  role: root.role,
  agent: root.agent,
  parentSessionId: null,
  stateVersion: 1,
  seq: root.createdSeq,
  handoff: null,
})

/** A workflow of that id exists: the same definition and the same root session are the same answer. */
export const createRootAgain = (
  state: State,
  command: CommandOf<"createRoot">,
  facts: Facts,
): Decision<SessionOpened> => {
  const root = state.sessions.get(state.rootSessionId) ?? archivedSession(state, state.rootSessionId, facts)
  if (root === undefined || command.definitionHash !== state.rules.hash || command.sessionId !== state.rootSessionId)
    return no(
      "workflow_exists",
      `Workflow ${state.workflowId} exists with ${
        command.definitionHash === state.rules.hash ? "another root session" : "another definition"
      }. Choose another id, or attach to its session.`,
      { definitionHash: state.rules.hash, status: state.status },
    )
  return accept([], opened(state.workflowId, root))
}

export const attach = (state: State, command: CommandOf<"attach">, facts: Facts): Decision<SessionView> => {
  const session = activeSession(state, command, facts)
  return isRefusal(session) ? refused(session) : accept([], sessionView(state, session))
}

export const release = (state: State, command: CommandOf<"release">, facts: Facts): Decision<Released> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const resources = distinct(command.resources)
  for (const ref of resources) {
    const key = resourceKey(ref)
    const resource = state.resources.get(key)
    if (!session.owns.has(key) || resource === undefined)
      return no("resource_not_owned", `Session ${session.sessionId} does not own ${ref.name} ${ref.key}.`, {
        resource: ref.name,
        key: ref.key,
        owner: resource?.owner ?? null,
      })
    if (resource.steps.size > 0)
      return no("steps_unresolved", `${ref.name} ${ref.key} has unresolved steps. Send their receipts first.`, {
        resource: ref.name,
        key: ref.key,
        steps: [...resource.steps],
      })
  }
  return accept([{ _tag: "resources.released", sessionId: session.sessionId, resources }], {
    released: resources,
    stateVersion: nextVersion(session),
    seq: nextSeq(state),
  })
}

/** Structured concurrency: what a session must have finished before it may complete. */
const unfinished = (state: State, session: Session): Refusal | undefined => {
  if (session.steps.size > 0)
    return refuse("steps_unresolved", `Session ${session.sessionId} has unresolved steps. Send their receipts first.`, {
      steps: [...session.steps],
    })
  if (session.offers.size > 0)
    return refuse(
      "handoffs_open",
      `Session ${session.sessionId} offered handoffs that are open. Wait, or withdraw them.`,
      {
        handoffs: [...session.offers],
      },
    )
  if (hasLiveDescendant(state, session))
    return refuse("descendants_active", `Descendants of session ${session.sessionId} are active.`, {
      sessionId: session.sessionId,
    })
  return undefined
}

/** The claimed handoff whose claimant completes: it needs progress, unless its edge says `completion: any`. */
const unearned = (state: State, handoff: Parameters<typeof forbiddenMove>[0] & { fromRole: string; toRole: string }) =>
  forbiddenMove(
    handoff,
    state.rules.edge(handoff.fromRole, handoff.toRole)?.completion === "any" ? "COMPLETE_ANY" : "COMPLETE",
  )

export const complete = (state: State, command: CommandOf<"complete">, facts: Facts): Decision<SessionEnded> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const handoff = session.handoffId === null ? undefined : must(state.handoffs, session.handoffId, "handoff")
  const refusal = unfinished(state, session) ?? (handoff === undefined ? undefined : unearned(state, handoff))
  if (refusal !== undefined) return refused(refusal)
  const event = completed(state, session, command)
  return accept([event], ended(state, session, "completed", event.ends))
}

const completed = (
  state: State,
  session: Session,
  command: { readonly result?: unknown; readonly artifacts?: EventOf<"session.completed">["artifacts"] },
): EventOf<"session.completed"> => {
  const ends = isRoot(state, session.sessionId) ? ("completed" as const) : endsWithLastSession(state, [session])
  return {
    _tag: "session.completed",
    sessionId: session.sessionId,
    handoffId: session.handoffId,
    result: (command.result ?? null) as EventOf<"session.completed">["result"],
    artifacts: command.artifacts ?? [],
    ...(ends === undefined ? {} : { ends }),
  }
}

const ended = (
  state: State,
  session: Session,
  status: "completed" | "failed",
  ends: "completed" | "failed" | "killed" | undefined,
): SessionEnded => ({
  sessionId: session.sessionId,
  status,
  handoffId: session.handoffId,
  workflowStatus: ends ?? state.status,
  stateVersion: nextVersion(session),
  seq: nextSeq(state),
})

export const fail = (state: State, command: CommandOf<"fail">, facts: Facts): Decision<SessionEnded> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const event = failed(state, session, command.reason, facts)
  return accept([event], ended(state, session, "failed", event.ends))
}

const failed = (state: State, session: Session, reason: string, facts: Facts): EventOf<"session.failed"> => {
  const cascade = subtreeCascade(state, session)
  const admitted = admissions(state, cascade.aborted, leaving(cascade))
  const ends = isRoot(state, session.sessionId) ? ("failed" as const) : endsWithLastSession(state, cascade.sessions)
  return {
    _tag: "session.failed",
    sessionId: session.sessionId,
    handoffId: session.handoffId,
    reason,
    killId: facts.id("kill"),
    ...(admitted.length > 0 ? { admitted } : {}),
    ...(ends === undefined ? {} : { ends }),
  }
}

/** The handoff that an operator names and its claimant. */
const claimantOf = (
  state: State,
  command: CommandOf<"completeHandoff"> | CommandOf<"failHandoff">,
  facts: Facts,
  refusal: (handoff: Handoff | Exclude<ReturnType<typeof namedHandoff>, Refusal>) => Refusal | undefined,
): { readonly handoff: Handoff; readonly session: Session } | Refusal => {
  const over = activeWorkflow(state)
  if (over !== undefined) return over
  const handoff = namedHandoff(state, command, facts)
  if (isRefusal(handoff)) return handoff
  const forbidden = refusal(handoff)
  if (forbidden !== undefined) return forbidden
  if (!isOpen(handoff) || handoff.sessionId === null)
    throw new Error(`handoff ${handoff.handoffId} is ${handoff.status} without a claimant`)
  return { handoff, session: must(state.sessions, handoff.sessionId, "session") }
}

export const completeHandoff = (
  state: State,
  command: CommandOf<"completeHandoff">,
  facts: Facts,
): Decision<HandoffChanged> => {
  // Where nobody holds it the state refuses; a claimant that holds it is judged as if it completed itself.
  const named = claimantOf(state, command, facts, (handoff) => forbiddenMove(handoff, "COMPLETE_ANY"))
  if (isRefusal(named)) return refused(named)
  const refusal = unfinished(state, named.session) ?? unearned(state, named.handoff)
  if (refusal !== undefined) return refused(refusal)
  return accept(
    [completed(state, named.session, command)],
    changed(state, named.handoff, "completed", named.handoff.generation, null),
  )
}

export const failHandoff = (
  state: State,
  command: CommandOf<"failHandoff">,
  facts: Facts,
): Decision<HandoffChanged> => {
  const named = claimantOf(state, command, facts, (handoff) => forbiddenMove(handoff, "FAIL"))
  if (isRefusal(named)) return refused(named)
  return accept(
    [failed(state, named.session, command.reason, facts)],
    changed(state, named.handoff, "failed", named.handoff.generation, command.reason),
  )
}
