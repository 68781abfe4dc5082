/**
 * Who may act on what: the checks that many commands share, each with its one refusal.
 *
 * A command by a session is judged by that session first; a command on a workflow by the workflow (semantics.md §3).
 */

import type { HandoffStatus } from "../answers.ts"
import type { HandoffId, SessionId } from "../ids.ts"
import type { HandoffEvent } from "../lifecycle/handoff.machine.ts"
import { handoffLifecycle } from "../lifecycle/table.ts"
import type { HandoffRow, SessionRow } from "../projection.ts"
import { type Code, type Refusal, refuse } from "../refusals.ts"
import type { Handoff, Session, State } from "../state.ts"
import type { Facts } from "./context.ts"

/** The active session that sends a command on its own authority, at the version that it names. */
export const activeSession = (
  state: State,
  command: { readonly sessionId: SessionId; readonly expectedVersion?: number },
  facts: Facts,
): Session | Refusal => {
  const session = state.sessions.get(command.sessionId)
  if (session === undefined || session.status !== "active") return deadSession(state, command.sessionId, facts)
  if (command.expectedVersion !== undefined && command.expectedVersion !== session.version)
    return refuse(
      "version_mismatch",
      `Session ${session.sessionId} is at version ${session.version}, not ${command.expectedVersion}. Read it and decide again.`,
      { expectedVersion: command.expectedVersion, stateVersion: session.version },
    )
  return session
}

/** Why a session that is not active can't act: killed, ended, or never there. */
export const deadSession = (state: State, sessionId: SessionId, facts: Facts): Refusal => {
  const session: Pick<SessionRow, "status" | "killId" | "reason"> | undefined =
    state.sessions.get(sessionId) ?? archivedSession(state, sessionId, facts)
  if (session === undefined)
    return refuse("session_not_found", `Workflow ${state.workflowId} has no session ${sessionId}.`, { sessionId })
  if (session.status === "killed")
    return refuse("session_killed", `Session ${sessionId} was killed: ${session.reason ?? "no reason given"}.`, {
      sessionId,
      killId: session.killId,
      reason: session.reason,
    })
  return refuse("session_not_active", `Session ${sessionId} has ${session.status}.`, {
    sessionId,
    status: session.status,
  })
}

/** A session of this workflow that has left the state. */
export const archivedSession = (state: State, sessionId: SessionId, facts: Facts): SessionRow | undefined => {
  const row = facts.archive.sessions.get(sessionId)
  return row?.workflowId === state.workflowId ? row : undefined
}

export const activeWorkflow = (state: State): Refusal | undefined => {
  if (state.status === "active") return undefined
  if (state.status === "killed")
    return refuse("workflow_killed", `Workflow ${state.workflowId} was killed.`, { killId: state.killId })
  return refuse("workflow_not_active", `Workflow ${state.workflowId} has ${state.status}.`, { status: state.status })
}

/** A handoff that a command names, open or ended, of the generation that it means. */
export const namedHandoff = (
  state: State,
  command: { readonly handoffId: HandoffId; readonly generation?: number },
  facts: Facts,
): Handoff | HandoffRow | Refusal => {
  const handoff = state.handoffs.get(command.handoffId) ?? facts.archive.handoffs.get(command.handoffId)
  if (handoff === undefined)
    return refuse("handoff_not_found", `Workflow ${state.workflowId} has no handoff ${command.handoffId}.`, {
      handoffId: command.handoffId,
    })
  if (command.generation !== undefined && command.generation !== handoff.generation)
    return refuse(
      "stale_generation",
      `Handoff ${handoff.handoffId} is at generation ${handoff.generation}, not ${command.generation}.`,
      { handoffId: handoff.handoffId, generation: handoff.generation, status: handoff.status },
    )
  return handoff
}

const why: Partial<Record<Code, string>> = {
  handoff_already_claimed: "Another session has claimed it",
  handoff_closed: "It has ended",
  handoff_in_progress: "Its claimant has committed a step, so it can no longer be taken back",
  handoff_not_claimed: "Nobody has claimed it",
  handoff_not_in_progress: "Its claimant has committed no step yet",
}

/** The refusal of a command in a state of the handoff that does not allow it; the machine names the code. */
export const forbiddenMove = (
  handoff: {
    readonly handoffId: HandoffId
    readonly status: HandoffStatus
    readonly generation: number
    readonly sessionId: SessionId | null
  },
  event: HandoffEvent,
): Refusal | undefined => {
  if (handoffLifecycle.next(handoff.status, event) !== undefined) return undefined
  const code = handoffLifecycle.refusal(handoff.status, event)
  if (code === undefined) throw new Error(`the handoff machine gives no code for ${event} in ${handoff.status}`)
  return refuse(
    code,
    `Handoff ${handoff.handoffId} is ${handoff.status}. ${why[code] ?? "It can't change that way"}.`,
    {
      handoffId: handoff.handoffId,
      status: handoff.status,
      generation: handoff.generation,
      claimedBy: handoff.sessionId,
    },
  )
}

/** Whether the state still holds it: an archived one has ended. */
export const isOpen = (handoff: Handoff | HandoffRow): handoff is Handoff => "grants" in handoff
