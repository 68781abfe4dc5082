/**
 * What a decision has to know about things that have left the state.
 *
 * Most commands are about what is open, and need nothing. One that names something ended (a late receipt, a claim of a closed
 * handoff, a resource that was put away) is decided on the stored rows, which can't change any more.
 */
import { boundResources } from "../bindings.ts"
import type { Command } from "../commands.ts"
import { type ResourceRef, resourceKey, type SessionId } from "../ids.ts"
import type { Archive, ArchiveRefs } from "../projection.ts"
import type { State } from "../state.ts"

const none: ArchiveRefs = {}

const gone = <K>(map: ReadonlyMap<K, unknown>, id: K | undefined): Array<K> =>
  id === undefined || map.has(id) ? [] : [id]

/** The rows to read before `decide`; undefined where the state says it all, which is the rule. */
export const needs = (state: State, command: Command): ArchiveRefs | undefined => {
  if (isPlain(state, command)) return undefined
  const refs = wanted(state, command)
  return Object.values(refs).some((list) => (list as ReadonlyArray<unknown>).length > 0) ? refs : undefined
}

/** What nearly every command is: sent by a session that the state holds, about nothing that it may not hold. */
const isPlain = (state: State, command: Command): boolean => {
  switch (command._tag) {
    case "offer":
    case "preflight":
    case "heartbeat":
    case "release":
    case "complete":
    case "fail":
      return state.sessions.has(command.sessionId)
    case "propose":
      return !state.resourcesForgotten && state.sessions.has(command.sessionId)
    case "receipt":
      return state.sessions.has(command.sessionId) && command.receipts.every((item) => state.steps.has(item.stepId))
    case "claim": {
      const handoff = state.handoffs.get(command.handoffId)
      return handoff?.status === "offered" && handoff.generation === 1 && !state.resourcesForgotten
    }
    default:
      return false
  }
}

const wanted = (state: State, command: Command): ArchiveRefs => {
  switch (command._tag) {
    case "createRoot":
      return { sessions: gone(state.sessions, state.rootSessionId) }
    case "claim": {
      const handoff = state.handoffs.get(command.handoffId)
      const sessions = gone(state.sessions, command.sessionId)
      if (handoff === undefined) return { handoffs: [command.handoffId], sessions }
      // Only a handoff that was claimed before can have a claimant that asks again.
      const claimed = handoff.generation > 1 || handoff.status !== "offered"
      return { resources: forgotten(state, handoff.resources), ...(claimed ? { sessions } : {}) }
    }
    case "propose": {
      const sessions = gone(state.sessions, command.sessionId)
      if (sessions.length > 0) return { sessions }
      if (!state.resourcesForgotten) return none
      const named = command.calls.flatMap((call) => call.resources ?? [])
      return { resources: forgotten(state, [...named, ...boundByContracts(state, command)]) }
    }
    case "receipt":
      return {
        sessions: gone(state.sessions, command.sessionId),
        steps: command.receipts.flatMap((item) => gone(state.steps, item.stepId)),
      }
    case "attach":
    case "offer":
    case "preflight":
    case "heartbeat":
    case "release":
    case "complete":
    case "fail":
      return { sessions: gone(state.sessions, command.sessionId) }
    case "reclaim":
    case "withdraw":
      return {
        sessions: gone(state.sessions, command.sessionId),
        handoffs: gone(state.handoffs, command.handoffId),
      }
    case "completeHandoff":
    case "failHandoff":
      return { handoffs: gone(state.handoffs, command.handoffId) }
    case "resolveStep":
    case "approveStep":
    case "rejectStep":
      return { steps: gone(state.steps, command.stepId) }
    case "kill":
      return killNeeds(state, command.scope, command.sessionId)
    case "raiseLimits":
    case "tick":
      return none
  }
}

const killNeeds = (state: State, scope: string, sessionId: SessionId | undefined): ArchiveRefs => {
  const killId =
    scope === "workflow" ? state.killId : sessionId === undefined ? null : state.sessions.get(sessionId)?.killId
  return {
    sessions: scope === "workflow" ? [] : gone(state.sessions, sessionId),
    kills: killId === null || killId === undefined ? [] : [killId],
  }
}

const forgotten = (state: State, refs: ReadonlyArray<ResourceRef>): ReadonlyArray<ResourceRef> =>
  state.resourcesForgotten ? refs.filter((ref) => !state.resources.has(resourceKey(ref))) : []

/** The resources that contracts may bind are known only once the arguments are read; `decide` does that with this list. */
const boundByContracts = (
  state: State,
  command: Extract<Command, { readonly _tag: "propose" }>,
): ReadonlyArray<ResourceRef> => {
  const session = state.sessions.get(command.sessionId)
  if (session === undefined) return []
  return command.calls.flatMap((call) => {
    const bound = boundResources(call, state.rules.tool(session.role, call.tool))
    return "code" in bound ? [] : bound
  })
}

/**
 * The rows of ids that a command presumes to be new. An accepted command finds out when its rows are inserted, so the common
 * case reads nothing; a refused one may have been a repeat, and has to be judged again with what the store says.
 */
export const presumedNew = (state: State, command: Command): ArchiveRefs | undefined =>
  command._tag === "offer" && command.handoffId !== undefined && !state.handoffs.has(command.handoffId)
    ? { handoffs: [command.handoffId] }
    : undefined

/**
 * What the rows that were read make it necessary to read as well: the kill that ended a session, the role of a step's. A
 * session is found in any workflow, its kill only in its own: one of another workflow would be asked for again and again.
 */
export const needsAlso = (state: State, command: Command, archive: Archive): ArchiveRefs | undefined => {
  if (command._tag === "approveStep" || command._tag === "rejectStep") {
    const sessionId = archive.steps.get(command.stepId)?.sessionId
    const known = sessionId === undefined || state.sessions.has(sessionId) || archive.sessions.has(sessionId)
    return known ? undefined : { sessions: [sessionId] }
  }
  if (command._tag !== "kill" || command.sessionId === undefined) return undefined
  const row = archive.sessions.get(command.sessionId)
  if (row?.workflowId !== state.workflowId || row.killId === null || archive.kills.has(row.killId)) return undefined
  return { kills: [row.killId] }
}

/**
 * Rows of something open that the state does not hold: another writer has gone on since the state was read. What has ended
 * is the only thing that may be read back, so a decision on such rows would mix two moments.
 */
export const isBehind = (state: State, archive: Archive): boolean => {
  for (const row of archive.sessions.values())
    if (row.status === "active" && row.workflowId === state.workflowId && !state.sessions.has(row.sessionId))
      return true
  for (const row of archive.handoffs.values())
    if (openHandoffs.has(row.status) && !state.handoffs.has(row.handoffId)) return true
  return false
}
const openHandoffs: ReadonlySet<string> = new Set(["offered", "claimed", "in_progress"])
