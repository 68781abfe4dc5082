/**
 * Cascades: who dies when something is killed, fails or is reclaimed (semantics.md §3, §4, §8).
 *
 * A cascade is computed from the state before its event, by `decide` to answer and by `evolve` to apply it, so the event
 * itself needs no list: one event carries a kill of any size, and both sides see the same tree.
 */
import type { KillReceipt } from "./answers.ts"
import { bounds } from "./bounds.ts"
import type { EventOf } from "./events.ts"
import type { HandoffId, SessionId, StepId } from "./ids.ts"
import { type Handoff, must, type Session, type State, type Step } from "./state.ts"

export interface Cascade {
  /** Active sessions that end, parents before children. */
  readonly sessions: ReadonlyArray<Session>
  /** Open handoffs that are killed. */
  readonly handoffs: ReadonlyArray<Handoff>
  /** Admitted steps of those sessions: their effect may or may not have happened. */
  readonly orphans: ReadonlyArray<Step>
  /** Steps of those sessions that are queued or await approval: they certainly never ran. */
  readonly aborted: ReadonlyArray<Step>
}

/** Cascades that `decide` has walked, by the event that it made of them: `evolve` need not walk a large tree again. */
const walked = new WeakMap<object, { readonly state: State; readonly seq: number; readonly cascade: Cascade }>()

export const rememberCascade = (state: State, event: object, cascade: Cascade): void => {
  walked.set(event, { state, seq: state.seq + 1, cascade })
}

/** The cascade of an event that is being applied: the one of its decision if that was on this very state, else walked anew. */
export const cascadeOfEvent = (state: State, event: object, walk: () => Cascade): Cascade => {
  const known = walked.get(event)
  return known?.state === state && known.seq === state.seq ? known.cascade : walk()
}

/** The session and everything below it that is in the state, dead ones too, parents first. */
const subtree = (state: State, root: Session): ReadonlyArray<Session> => {
  const all = [root]
  // The array grows while it is walked: breadth first, without recursion, however deep the tree is.
  for (const session of all) for (const child of session.children) all.push(must(state.sessions, child, "session"))
  return all
}

const collect = (state: State, sessions: ReadonlyArray<Session>, handoffs: Iterable<HandoffId>): Cascade => {
  const dying: Array<Session> = []
  const orphans: Array<Step> = []
  const aborted: Array<Step> = []
  for (const session of sessions) {
    if (session.status !== "active") continue
    dying.push(session)
    for (const stepId of session.steps) {
      const step = must(state.steps, stepId, "step")
      if (step.status === "admitted") orphans.push(step)
      if (step.status === "queued" || step.status === "awaiting_approval") aborted.push(step)
    }
  }
  // What the state holds is open, and every open state of a handoff can be killed.
  const killed: Array<Handoff> = []
  for (const id of handoffs) killed.push(must(state.handoffs, id, "handoff"))
  return { sessions: dying, handoffs: killed, orphans, aborted }
}

const unclaimedOffers = (state: State, session: Session): Array<HandoffId> =>
  [...session.offers].filter((id) => must(state.handoffs, id, "handoff").status === "offered")

/** That session; its own handoff, and what it offered that nobody has claimed. */
export const sessionCascade = (state: State, session: Session): Cascade => {
  const handoffs = new Set(unclaimedOffers(state, session))
  if (session.handoffId !== null && holds(state, session)) handoffs.add(session.handoffId)
  return collect(state, [session], handoffs)
}

/** That session and all its descendants; every open handoff offered or held by any of them. */
export const subtreeCascade = (state: State, root: Session): Cascade => {
  const sessions = subtree(state, root)
  const handoffs = new Set<HandoffId>()
  for (const session of sessions) {
    if (session.handoffId !== null && holds(state, session)) handoffs.add(session.handoffId)
    for (const id of session.offers) handoffs.add(id)
  }
  return collect(state, sessions, handoffs)
}

/** Every active session and every open handoff. */
export const workflowCascade = (state: State): Cascade =>
  collect(state, [...state.sessions.values()], state.handoffs.keys())

/** Whether a session is the present claimant of its handoff: a dead one may have lost it to a later generation. */
const holds = (state: State, session: Session): boolean =>
  session.handoffId !== null && state.handoffs.get(session.handoffId)?.sessionId === session.sessionId

/** Whether any descendant of the session is active. */
export const hasLiveDescendant = (state: State, session: Session): boolean =>
  subtree(state, session).some((other) => other !== session && other.status === "active")

/** Every step that an event takes off its resources at once: those that are aborted. Orphans stay. */
export const leaving = (cascade: Cascade): ReadonlySet<StepId> => new Set(cascade.aborted.map((step) => step.stepId))

/**
 * Who gets a `single_writer` resource when `session` ends: its parent, when its handoff bound the resource and the parent
 * lives on. A parent that ends in the same event passes it on in the same way; one that had ended before leaves it free.
 */
export const heirOf = (
  state: State,
  session: Session,
  key: { readonly name: string; readonly key: string },
  dying: ReadonlySet<SessionId>,
): SessionId | null => {
  let heir = session
  for (;;) {
    const handoff = heir.handoffId === null ? undefined : state.handoffs.get(heir.handoffId)
    const binds = handoff?.resources.some((ref) => ref.name === key.name && ref.key === key.key) ?? false
    const parent = heir.parentSessionId === null ? undefined : state.sessions.get(heir.parentSessionId)
    if (!binds || parent === undefined) return null
    if (!dying.has(parent.sessionId)) return parent.status === "active" ? parent.sessionId : null
    heir = parent
  }
}

/** The receipt of a cascade that is about to happen, for the caller and for the store. */
export const receiptOf = (
  state: State,
  event: Pick<EventOf<"killed">, "killId" | "scope" | "sessionId" | "reason">,
  cascade: Cascade,
  context: { readonly seq: number; readonly at: number; readonly actor: string },
): KillReceipt => ({
  killId: event.killId,
  workflowId: state.workflowId,
  scope: event.scope,
  sessionId: event.sessionId,
  reason: event.reason,
  actor: context.actor,
  at: context.at,
  seq: context.seq,
  sessions: cascade.sessions.slice(0, bounds.receiptItems).map((session) => session.sessionId),
  handoffs: cascade.handoffs.slice(0, bounds.receiptItems).map((handoff) => handoff.handoffId),
  orphanedSteps: cascade.orphans.slice(0, bounds.receiptItems).map((step) => ({
    stepId: step.stepId,
    sessionId: step.sessionId,
    tool: step.tool,
    resources: step.resources.map((key) => must(state.resources, key, "resource").ref),
  })),
  counts: {
    sessions: cascade.sessions.length,
    handoffs: cascade.handoffs.length,
    orphanedSteps: cascade.orphans.length,
  },
  state: cascade.orphans.length > 0 ? "fenced" : "quiescent",
})
