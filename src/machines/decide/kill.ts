/** Decisions of section 8: kills, and the receipt that says what they did. */
import type { KillReceipt } from "../answers.ts"
import {
  type Cascade,
  hasLiveDescendant,
  leaving,
  receiptOf,
  rememberCascade,
  sessionCascade,
  subtreeCascade,
  workflowCascade,
} from "../cascade.ts"
import type { CommandOf, KillScope } from "../commands.ts"
import type { EventOf } from "../events.ts"
import { KillId } from "../ids.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { admissions } from "../resources.ts"
import type { Session, State } from "../state.ts"
import { accept, type Decision, type Facts, isRefusal, nextSeq, no, refused } from "./context.ts"
import { endsWithLastSession } from "./ends.ts"
import { activeSession, deadSession } from "./guards.ts"

export const kill = (state: State, command: CommandOf<"kill">, facts: Facts): Decision<KillReceipt> => {
  if (command.scope === "workflow") {
    if (state.status === "killed") return endedBy(state, state.killId, facts)
    if (state.status !== "active")
      return no("workflow_not_active", `Workflow ${state.workflowId} has ${state.status} and can't be killed.`, {
        status: state.status,
      })
    return killed(state, "workflow", null, command.reason, facts)
  }
  if (command.sessionId === undefined)
    return no("invalid_request", `A ${command.scope} kill names its session: give sessionId.`, { scope: command.scope })
  const session = state.sessions.get(command.sessionId)
  if (session?.status === "active") {
    const current = activeSession(state, { ...command, sessionId: session.sessionId }, facts)
    return isRefusal(current) ? refused(current) : killed(state, command.scope, session, command.reason, facts)
  }
  if (session?.status === "killed" && command.scope === "subtree" && hasLiveDescendant(state, session))
    return killed(state, "subtree", session, command.reason, facts)
  const why = deadSession(state, command.sessionId, facts)
  if (why.code !== "session_killed") return refused(why)
  return endedBy(state, killIdOf(why), facts)
}

const killIdOf = (why: Refusal): KillId | null =>
  typeof why.facts.killId === "string" ? KillId.make(why.facts.killId) : null

/** What is dead already answers with the kill that ended it. */
const endedBy = (state: State, killId: KillId | null, facts: Facts): Decision<KillReceipt> => {
  const receipt = killId === null ? undefined : facts.archive.kills.get(killId)
  if (killId === null || receipt === undefined)
    return refused(refuse("invalid_request", `The kill ${killId ?? ""} has no receipt.`, { killId }))
  return accept([], { ...receipt, state: state.kills.has(killId) ? "fenced" : "quiescent" })
}

export const killed = (
  state: State,
  scope: KillScope,
  target: Session | null,
  reason: string,
  facts: Facts,
): Decision<KillReceipt> => {
  const cascade = cascadeOf(state, scope, target)
  const admitted = admissions(state, cascade.aborted, leaving(cascade))
  const ends = scope === "workflow" ? ("killed" as const) : endsWithLastSession(state, cascade.sessions)
  const event: EventOf<"killed"> = {
    _tag: "killed",
    killId: facts.id("kill"),
    scope,
    sessionId: target?.sessionId ?? null,
    reason,
    ...(admitted.length > 0 ? { admitted } : {}),
    ...(ends === undefined ? {} : { ends }),
  }
  rememberCascade(state, event, cascade)
  return accept([event], receiptOf(state, event, cascade, { seq: nextSeq(state), at: facts.now, actor: facts.actor }))
}

const cascadeOf = (state: State, scope: KillScope, target: Session | null): Cascade =>
  target === null
    ? workflowCascade(state)
    : scope === "session"
      ? sessionCascade(state, target)
      : subtreeCascade(state, target)
