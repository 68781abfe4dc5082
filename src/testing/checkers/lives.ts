/**
 * Which sessions of a history may have ended, and which of them with work unresolved.
 *
 * When exactly one ended is often not known at the client's edge (a lease, a kill without an answer). So resources and ledgers
 * let what such a session held go at any moment, and hold all others to every step that they took.
 */
import { fieldsOf, numberOf, textOf } from "./fields.ts"
import type { Recorded } from "./history.ts"

export interface Lives {
  /** Killed or failed, or its lease may have run out: its steps become orphans, its queued ones go. */
  mayDie(sessionId: string): boolean
  /** That, or it completed. */
  mayEnd(sessionId: string): boolean
  parentOf(sessionId: string): string | undefined
}

export const livesOf = (history: ReadonlyArray<Recorded>, mayBeKilled: boolean): Lives => {
  const parents = new Map<string, string>()
  const claimants = new Map<string, Array<string>>()
  const roots = new Set<string>()
  const dying = new Set<string>()
  const ending = new Set<string>()
  const endedWorkflows = new Set<string>()
  const workflowOf = new Map<string, string>()
  const done = history.filter((one) => one.outcome?.ok !== false)
  for (const { command, workflowId, input, outcome, process, call } of done) {
    const answer = outcome?.ok === true ? outcome.answer : {}
    const nameless = command === "claim" ? `?${process}:${call}` : undefined
    const session = textOf(answer.sessionId) ?? textOf(input.sessionId) ?? nameless
    if (session === undefined) continue
    workflowOf.set(session, workflowId)
    if (command === "createRoot") roots.add(session)
    if (command !== "claim") continue
    parents.set(session, textOf(input.parentSessionId) ?? "")
    const handoff = `${workflowId} ${textOf(input.handoffId) ?? ""}`
    claimants.set(handoff, [...(claimants.get(handoff) ?? []), session])
    const leased = outcome === undefined || numberOf(fieldsOf(answer.handoff).claimDeadline) !== undefined
    if (leased) dying.add(session)
  }
  for (const { command, workflowId, input } of done) {
    const session = textOf(input.sessionId) ?? ""
    const ofHandoff = claimants.get(`${workflowId} ${textOf(input.handoffId) ?? ""}`) ?? []
    const endsAll = (command === "kill" && input.scope === "workflow") || (command === "fail" && roots.has(session))
    if (endsAll || (command === "complete" && roots.has(session))) endedWorkflows.add(workflowId)
    if (command === "kill" || command === "fail") dying.add(session)
    if (command === "reclaim" || command === "failHandoff") for (const one of ofHandoff) dying.add(one)
    if (command === "complete") ending.add(session)
    if (command === "completeHandoff") for (const one of ofHandoff) ending.add(one)
  }
  const mayDie = (sessionId: string): boolean => {
    let at: string | undefined = sessionId
    for (let depth = 0; at !== undefined && depth <= parents.size; depth++) {
      if (dying.has(at)) return true
      at = parents.get(at)
    }
    return mayBeKilled || endedWorkflows.has(workflowOf.get(sessionId) ?? "")
  }
  return {
    mayDie,
    mayEnd: (sessionId) => ending.has(sessionId) || mayDie(sessionId),
    parentOf: (sessionId) => parents.get(sessionId),
  }
}
