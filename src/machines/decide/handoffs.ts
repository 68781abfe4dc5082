/** Decisions of section 4: offer, claim, heartbeat, reclaim, withdraw. */
import type { Beat, HandoffChanged, HandoffGrant, HandoffOffered, SessionOpened } from "../answers.ts"
import { canonicalJson } from "../canonical.ts"
import { leaving, subtreeCascade } from "../cascade.ts"
import type { CommandOf } from "../commands.ts"
import type { Edge } from "../definition.ts"
import type { EventOf } from "../events.ts"
import { type Fence, type HandoffId, resourceKey, SessionId } from "../ids.ts"
import { checkDepth, checkRoom } from "../ledger.ts"
import type { HandoffRow, SessionRow } from "../projection.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { admissions, distinct, moveBindings, recall, unknownResource } from "../resources.ts"
import { type Handoff, isLive, must, type Session, type State } from "../state.ts"
import { accept, type Decision, type Facts, isRefusal, nextSeq, nextVersion, no, refused } from "./context.ts"
import { endsWithLastSession } from "./ends.ts"
import { activeSession, activeWorkflow, archivedSession, forbiddenMove, isOpen, namedHandoff } from "./guards.ts"

/** The edge that an existing handoff was offered along. */
const edgeOf = (state: State, handoff: { readonly fromRole: string; readonly toRole: string }): Edge => {
  const edge = state.rules.edge(handoff.fromRole, handoff.toRole)
  if (edge === undefined) throw new Error(`the definition lost its edge ${handoff.fromRole} to ${handoff.toRole}`)
  return edge
}

const after = (now: number, ms: number | null): number | null => (ms === null ? null : now + ms)

export const offer = (state: State, command: CommandOf<"offer">, facts: Facts): Decision<HandoffOffered> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const content = {
    sessionId: session.sessionId,
    toRole: command.toRole,
    summary: (command.summary ?? null) as HandoffRow["summary"],
    artifacts: command.artifacts ?? [],
    resources: distinct(command.resources ?? []),
  }
  if (command.handoffId !== undefined) {
    const known = state.handoffs.get(command.handoffId) ?? facts.archive.handoffs.get(command.handoffId)
    if (known !== undefined) return offeredBefore(state, session, known, content)
  }
  const edge = state.rules.edge(session.role, command.toRole)
  if (edge === undefined) return refused(noEdge(state, session.role, command.toRole))
  const problems = state.rules.summaryProblems(edge, content.summary)
  if (problems !== undefined)
    return no("invalid_summary", `The summary does not fit the schema of ${edge.from} to ${edge.to}.`, {
      errors: problems.map(({ path, message }) => ({ path, message })),
    })
  for (const ref of content.resources)
    if (state.rules.resource(ref.name) === undefined) return refused(unknownResource(state, ref.name))
  const refusal =
    checkDepth(state, command.toRole, session.depth + 1) ?? checkRoom(state, command.toRole, "maxOpenHandoffs", 1)
  if (refusal !== undefined) return refused(refusal)
  const handoffId = command.handoffId ?? facts.id("handoff")
  const deadline = after(facts.now, edge.offerTimeoutMs)
  const { sessionId, toRole, summary, artifacts, resources } = content
  return accept([{ _tag: "handoff.offered", sessionId, handoffId, toRole, summary, artifacts, resources, deadline }], {
    handoffId,
    workflowId: state.workflowId,
    status: "offered",
    generation: 1,
    seq: nextSeq(state),
    stateVersion: nextVersion(session),
    offeredAt: facts.now,
    offerDeadline: deadline,
  })
}

const noEdge = (state: State, from: string, to: string): Refusal => {
  const allowed = state.rules.definition.handoffs.filter((edge) => edge.from === from).map((edge) => edge.to)
  return refuse(
    "handoff_not_permitted",
    `Role ${from} may not hand off to ${to}. It may hand off to: ${allowed.join(", ") || "nobody"}.`,
    { from, to, allowed },
  )
}

/** The same content again is the same offer; anything else under a known id is refused. */
const offeredBefore = (
  state: State,
  session: Session,
  known: Handoff | HandoffRow,
  content: Omit<EventOf<"handoff.offered">, "_tag" | "handoffId" | "deadline">,
): Decision<HandoffOffered> => {
  const { fromSessionId, toRole, summary, artifacts, resources } = known
  const before = canonicalJson({ sessionId: fromSessionId, toRole, summary, artifacts, resources })
  if (before !== canonicalJson(content))
    return no("handoff_exists", `Handoff ${known.handoffId} exists with other content. Choose another id.`, {
      handoffId: known.handoffId,
      status: known.status,
    })
  return accept([], {
    handoffId: known.handoffId,
    workflowId: state.workflowId,
    status: "offered",
    generation: 1,
    seq: known.offeredSeq,
    stateVersion: session.version,
    offeredAt: known.offeredAt,
    offerDeadline: after(known.offeredAt, edgeOf(state, known).offerTimeoutMs),
  })
}

export const claim = (state: State, command: CommandOf<"claim">, facts: Facts): Decision<SessionOpened> => {
  const before = command.sessionId === undefined ? undefined : claimedBefore(state, command, command.sessionId, facts)
  if (before !== undefined) return before
  const ended = activeWorkflow(state)
  if (ended !== undefined) return refused(ended)
  const handoff = namedHandoff(state, command, facts)
  if (isRefusal(handoff)) return refused(handoff)
  const forbidden = forbiddenMove(handoff, "CLAIM")
  if (forbidden !== undefined) return refused(forbidden)
  if (!isOpen(handoff)) throw new Error(`handoff ${handoff.handoffId} is archived as ${handoff.status}`)
  if (command.role !== handoff.toRole)
    return no("role_mismatch", `Handoff ${handoff.handoffId} is for role ${handoff.toRole}, not ${command.role}.`, {
      role: command.role,
      toRole: handoff.toRole,
    })
  if (command.parentSessionId !== handoff.fromSessionId)
    return no("parent_mismatch", `Handoff ${handoff.handoffId} was offered by session ${handoff.fromSessionId}.`, {
      parentSessionId: command.parentSessionId,
      fromSessionId: handoff.fromSessionId,
    })
  const parent = must(state.sessions, handoff.fromSessionId, "session")
  const refusal =
    checkRoom(state, handoff.toRole, "maxSessions", 1) ??
    checkRoom(state, handoff.toRole, "maxActiveSessions", 1) ??
    checkDepth(state, handoff.toRole, parent.depth + 1)
  if (refusal !== undefined) return refused(refusal)
  const grants = moveBindings(state, parent.sessionId, handoff.resources, facts.archive.resources)
  if (isRefusal(grants)) return refused(grants)
  // Last, because an id is presumed new until the store says otherwise: only then is its row here.
  if (command.sessionId !== undefined && sessionKnown(state, command.sessionId, facts))
    return no("session_exists", `A session ${command.sessionId} exists. Choose another id, or none.`, {
      sessionId: command.sessionId,
    })
  const sessionId = command.sessionId ?? facts.id("session")
  const deadline = after(facts.now, edgeOf(state, handoff).claimTimeoutMs)
  const recalled = recall(state, grants.map(resourceKey), facts.archive.resources)
  const event: EventOf<"handoff.claimed"> = {
    _tag: "handoff.claimed",
    handoffId: handoff.handoffId,
    generation: handoff.generation,
    sessionId,
    agent: command.agent,
    deadline,
    grants,
    ...(recalled.length > 0 ? { recalled } : {}),
  }
  return accept([event], {
    workflowId: state.workflowId,
    sessionId,
    role: handoff.toRole,
    agent: command.agent,
    parentSessionId: parent.sessionId,
    stateVersion: 1,
    seq: nextSeq(state),
    handoff: grantOf(handoff, handoff.generation, grants, deadline),
  })
}

const sessionKnown = (state: State, sessionId: SessionId, facts: Facts): boolean =>
  state.sessions.has(sessionId) || facts.archive.sessions.has(sessionId)

export const grantOf = (
  handoff: Pick<Handoff, "handoffId" | "summary" | "artifacts" | "resources">,
  generation: number,
  grants: ReadonlyArray<Fence>,
  claimDeadline: number | null,
): HandoffGrant => ({
  handoffId: handoff.handoffId,
  generation,
  summary: handoff.summary,
  artifacts: handoff.artifacts,
  resources: handoff.resources.map((ref) => {
    const grant = grants.find((candidate) => candidate.name === ref.name && candidate.key === ref.key)
    return grant === undefined ? ref : { ...ref, token: grant.token }
  }),
  claimDeadline,
})

/** A claim repeated by its winner answers as it did before (I1, I8). Undefined where it is no repeat. */
const claimedBefore = (
  state: State,
  command: CommandOf<"claim">,
  sessionId: SessionId,
  facts: Facts,
): Decision<SessionOpened> | undefined => {
  const session: Session | SessionRow | undefined =
    state.sessions.get(sessionId) ?? archivedSession(state, sessionId, facts)
  if (session?.handoffId !== command.handoffId || session.role !== command.role) return undefined
  if (session.status === "killed")
    return no("session_killed", `Session ${sessionId} was killed: ${session.reason ?? "no reason given"}.`, {
      sessionId,
      killId: session.killId,
      reason: session.reason,
    })
  const handoff = state.handoffs.get(command.handoffId) ?? facts.archive.handoffs.get(command.handoffId)
  if (handoff === undefined) return undefined
  const deadline = after(session.createdAt, edgeOf(state, handoff).claimTimeoutMs)
  return accept([], {
    workflowId: state.workflowId,
    sessionId,
    role: session.role,
    agent: session.agent,
    parentSessionId: session.parentSessionId,
    stateVersion: 1,
    seq: session.createdSeq,
    handoff: grantOf(handoff, session.generation, isOpen(handoff) ? handoff.grants : [], deadline),
  })
}

export const heartbeat = (state: State, command: CommandOf<"heartbeat">, facts: Facts): Decision<Beat> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session)) return refused(session)
  const handoff = session.handoffId === null ? undefined : state.handoffs.get(session.handoffId)
  const lease = handoff?.status === "claimed" ? edgeOf(state, handoff).claimTimeoutMs : null
  if (handoff === undefined || lease === null)
    return accept([], { stateVersion: session.version, claimDeadline: handoff?.deadline ?? null, seq: state.seq })
  const deadline = facts.now + lease
  if (deadline === handoff.deadline)
    return accept([], { stateVersion: session.version, claimDeadline: deadline, seq: state.seq })
  return accept([{ _tag: "lease.renewed", sessionId: session.sessionId, handoffId: handoff.handoffId, deadline }], {
    stateVersion: session.version,
    claimDeadline: deadline,
    seq: nextSeq(state),
  })
}

/** The offering session itself, or an operator when none is named. */
const authority = (
  state: State,
  command: { readonly sessionId?: SessionId; readonly handoffId: HandoffId; readonly generation?: number },
  facts: Facts,
): Handoff | HandoffRow | Refusal => {
  if (command.sessionId !== undefined) {
    const session = activeSession(state, { sessionId: command.sessionId }, facts)
    if (isRefusal(session)) return session
  } else {
    const ended = activeWorkflow(state)
    if (ended !== undefined) return ended
  }
  const handoff = namedHandoff(state, { handoffId: command.handoffId }, facts)
  if (isRefusal(handoff)) return handoff
  if (command.sessionId !== undefined && command.sessionId !== handoff.fromSessionId)
    return refuse("forbidden", `Only session ${handoff.fromSessionId}, which offered it, or an operator may do that.`, {
      handoffId: handoff.handoffId,
      fromSessionId: handoff.fromSessionId,
    })
  return namedHandoff(state, command, facts)
}

export const reclaim = (state: State, command: CommandOf<"reclaim">, facts: Facts): Decision<HandoffChanged> => {
  const handoff = authority(state, command, facts)
  if (isRefusal(handoff)) return refused(handoff)
  const forbidden = forbiddenMove(handoff, "RECLAIM")
  if (forbidden !== undefined) return refused(forbidden)
  if (!isOpen(handoff)) throw new Error(`handoff ${handoff.handoffId} is archived as ${handoff.status}`)
  return reclaimed(state, handoff, command.reason ?? "reclaimed", facts)
}

/** A reclaim by its offerer, by an operator, or by the claim lease running out. */
export const reclaimed = (state: State, handoff: Handoff, why: string, facts: Facts): Decision<HandoffChanged> => {
  const edge = edgeOf(state, handoff)
  const claimant = must(state.sessions, handoff.sessionId ?? SessionId.make("none"), "session")
  const exhausted = edge.maxAttempts !== null && handoff.generation >= edge.maxAttempts
  const status = exhausted ? "failed" : isLive(state, handoff.fromSessionId) ? "offered" : "killed"
  const reason = exhausted ? "max_attempts" : why
  const generation = status === "offered" ? handoff.generation + 1 : handoff.generation
  const cascade = subtreeCascade(state, claimant)
  const admitted = admissions(state, cascade.aborted, leaving(cascade))
  const ends = endsWithLastSession(state, cascade.sessions)
  const event: EventOf<"handoff.reclaimed"> = {
    _tag: "handoff.reclaimed",
    handoffId: handoff.handoffId,
    sessionId: claimant.sessionId,
    status,
    generation,
    reason,
    killId: facts.id("kill"),
    deadline: status === "offered" ? after(facts.now, edge.offerTimeoutMs) : null,
    ...(admitted.length > 0 ? { admitted } : {}),
    ...(ends === undefined ? {} : { ends }),
  }
  return accept([event], changed(state, handoff, status, generation, reason))
}

export const changed = (
  state: State,
  handoff: Pick<Handoff, "handoffId">,
  status: HandoffChanged["status"],
  generation: number,
  reason: string | null,
): HandoffChanged => ({
  handoffId: handoff.handoffId,
  workflowId: state.workflowId,
  status,
  generation,
  reason,
  seq: nextSeq(state),
})

export const withdraw = (state: State, command: CommandOf<"withdraw">, facts: Facts): Decision<HandoffChanged> => {
  const handoff = authority(state, command, facts)
  if (isRefusal(handoff)) return refused(handoff)
  const forbidden = forbiddenMove(handoff, "WITHDRAW")
  if (forbidden !== undefined) return refused(forbidden)
  const reason = command.reason ?? "withdrawn"
  return accept(
    [{ _tag: "handoff.withdrawn", handoffId: handoff.handoffId, reason }],
    changed(state, handoff, "withdrawn", handoff.generation, reason),
  )
}
