/**
 * What sessions hold: steps, reservations, ownership, and the moment at which a session itself may be forgotten.
 *
 * Everything that is taken is given back in exactly one of these functions, so that no reservation leaks and none is returned
 * twice (I3), and no resource stays held by nobody (I4).
 */

import { heirOf } from "../cascade.ts"
import type { Admission } from "../events.ts"
import type { Micros, SessionId } from "../ids.ts"
import { accountOf, post } from "../ledger.ts"
import { killLifecycle, sessionLifecycle, stepLifecycle } from "../lifecycle/table.ts"
import type { ResourceRow } from "../projection.ts"
import { idle, must, type ResourceState, type Session, type State, type Step } from "../state.ts"
import { type EventContext, touch } from "./context.ts"

/** The state's entry for a resource, made on first use from the counters read back, or from nothing. */
export const useResource = (
  state: State,
  ref: { readonly name: string; readonly key: string },
  key: string,
  recalled: ReadonlyArray<ResourceRow> | undefined,
): ResourceState => {
  const held = state.resources.get(key)
  if (held !== undefined) {
    state.idle.delete(key)
    return held
  }
  const row = recalled?.find((candidate) => candidate.name === ref.name && candidate.key === ref.key)
  const rule = state.rules.resource(ref.name)
  if (rule === undefined) throw new Error(`the definition declares no resource ${ref.name}`)
  const resource: ResourceState = {
    ref: { name: ref.name, key: ref.key },
    rule,
    fence: row?.fence ?? 0,
    version: row?.version ?? 0,
    owner: null,
    heir: null,
    steps: new Set(),
  }
  state.resources.set(key, resource)
  return resource
}

/** Puts a resource away that nothing holds any more. */
const restIfFree = (state: State, key: string, resource: ResourceState, context: EventContext): void => {
  if (resource.owner !== null || resource.steps.size > 0) return
  for (const away of idle(state, key))
    context.rows?.push({
      _tag: "resourceIdled",
      row: { ...away.ref, fence: away.fence, version: away.version },
    })
}

/** Gives a `single_writer` resource to a session, or to nobody. A change of owner is a grant; freeing is not. */
export const giveOwnership = (state: State, key: string, to: SessionId | null, context: EventContext): void => {
  const resource = must(state.resources, key, "resource")
  if (resource.owner !== null) state.sessions.get(resource.owner)?.owns.delete(key)
  resource.owner = to
  resource.heir = null
  if (to !== null) {
    resource.fence += 1
    must(state.sessions, to, "session").owns.add(key)
  }
  restIfFree(state, key, resource, context)
}

/** Admits queued steps whose turn has come. */
export const admit = (state: State, admissions: ReadonlyArray<Admission> | undefined, context: EventContext): void => {
  for (const { stepId, fences } of admissions ?? []) {
    const step = must(state.steps, stepId, "step")
    step.status = stepLifecycle.move(step.status, "ADMIT") as "admitted"
    step.fences = fences
    for (const [index, key] of step.resources.entries()) {
      const token = fences[index]?.token
      if (token !== undefined) must(state.resources, key, "resource").fence = token
    }
    touch(must(state.sessions, step.sessionId, "session"), context)
  }
}

/** The step leaves the state: its reservations return, what was spent is posted, its resources are given back. */
export const resolveStep = (
  state: State,
  step: Step,
  status: "committed" | "aborted" | "late",
  outcome: "committed" | "aborted",
  spent: { readonly cost: Micros; readonly tokens: number },
  context: EventContext,
): void => {
  post(state, step.role, (account) => {
    account.stepsReserved -= 1
    account.costReserved -= step.cost
    account.tokensReserved -= step.tokens
    account.costUsed += spent.cost
    account.tokensUsed += spent.tokens
    if (status === "committed") account.stepsUsed += 1
  })
  state.steps.delete(step.stepId)
  const session = must(state.sessions, step.sessionId, "session")
  session.steps.delete(step.stepId)
  for (const key of step.resources) {
    const resource = must(state.resources, key, "resource")
    resource.steps.delete(step.stepId)
    if (status === "committed") resource.version += 1
    settleOwner(state, key, resource, context)
  }
  if (step.killId !== null) orphanResolved(state, step, context)
  context.rows?.push({
    _tag: "stepResolved",
    row: {
      stepId: step.stepId,
      sessionId: step.sessionId,
      tool: step.tool,
      status,
      outcome,
      cost: spent.cost,
      tokens: spent.tokens,
      resolvedAt: context.at,
    },
  })
}

/** A dead owner keeps a resource while an orphan of it is unresolved; then it goes to its heir, if that one lives. */
const settleOwner = (state: State, key: string, resource: ResourceState, context: EventContext): void => {
  if (resource.owner !== null && resource.steps.size === 0 && state.sessions.get(resource.owner)?.status !== "active") {
    const heir = resource.heir
    giveOwnership(state, key, heir !== null && state.sessions.get(heir)?.status === "active" ? heir : null, context)
  } else restIfFree(state, key, resource, context)
}

const orphanResolved = (state: State, step: Step, context: EventContext): void => {
  const killId = step.killId
  const kill = killId === null ? undefined : state.kills.get(killId)
  if (killId === null || kill === undefined) return
  kill.orphans -= 1
  if (kill.orphans > 0 || killLifecycle.next("fenced", "ORPHANS_RESOLVED") !== "quiescent") return
  state.kills.delete(killId)
  context.rows?.push({ _tag: "killQuiescent", killId })
}

/** Returns the reservation of a preflight, when it is used, expires, or its session ends. */
export const returnPrepared = (state: State, id: Session["prepared"] extends Set<infer I> ? I : never): void => {
  const prepared = state.prepared.get(id)
  if (prepared === undefined) return
  state.prepared.delete(id)
  state.sessions.get(prepared.sessionId)?.prepared.delete(id)
  post(state, prepared.role, (account) => {
    account.costReserved -= prepared.cost
    account.tokensReserved -= prepared.tokens
  })
}

const nothing: ReadonlyArray<string> = []

/**
 * Ends a session: its preflights return, what it owns goes to its heir unless an orphan of it still holds it. Its steps were
 * dealt with before. `dying` are all sessions that end in the same event.
 */
export const endSession = (
  state: State,
  session: Session,
  event: "COMPLETE" | "FAIL" | "KILL",
  dying: ReadonlySet<SessionId>,
  context: EventContext,
): void => {
  session.status = sessionLifecycle.move(session.status, event)
  session.endedAt = context.at
  touch(session, context)
  for (const id of session.prepared) returnPrepared(state, id)
  // By name, not in the order of taking, which a snapshot does not keep: every fold must let go in the same order (I9).
  for (const key of session.owns.size === 0 ? nothing : [...session.owns].sort()) {
    const resource = must(state.resources, key, "resource")
    const heir = heirOf(state, session, resource.ref, dying)
    if (resource.steps.size > 0) resource.heir = heir
    else giveOwnership(state, key, heir, context)
  }
  state.account.activeSessions -= 1
  accountOf(state, session.role).activeSessions -= 1
}

/** Forgets ended sessions on which nothing open leans any more, upwards from this one. */
export const forgetIfClosed = (state: State, sessionId: SessionId | null): void => {
  let at = sessionId
  while (at !== null) {
    const session = state.sessions.get(at)
    if (session === undefined || session.status === "active") return
    if (session.children.size + session.offers.size + session.steps.size + session.owns.size > 0) return
    state.sessions.delete(at)
    at = session.parentSessionId
    if (at !== null) state.sessions.get(at)?.children.delete(session.sessionId)
  }
}
