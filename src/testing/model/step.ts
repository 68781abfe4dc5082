/**
 * One command against the model: deadlines first, then the idempotency key, then the rules.
 */
import type { Command } from "../../machines/commands.ts"
import { approveStep, rejectStep } from "./approvals.ts"
import { canonical } from "./canonical.ts"
import { fireDeadlines } from "./deadlines.ts"
import { claim, completeHandoff, failHandoff, offer, reclaim, withdraw } from "./handoffs.ts"
import { killCommand } from "./kills.ts"
import { sessionById, workflowById } from "./queries.ts"
import { attach, type Context, complete, createRoot, fail, heartbeat, raiseLimits, release } from "./sessions.ts"
import { type Ids, type Keyed, type ModelAnswer, Refused, type Verdict, type World } from "./state.ts"
import { lateReceipt, preflight, propose, receipt, resolveStep, settleUsage } from "./steps.ts"

export interface Options {
  readonly now: number
  readonly key?: string
  readonly ids: Ids
}
export interface Stepped {
  readonly world: World
  readonly verdict: Verdict
}

const decide = (world: World, command: Command, context: Context): ModelAnswer => {
  switch (command._tag) {
    case "createRoot":
      return createRoot(world, command, context)
    case "claim":
      return claim(world, command, context)
    case "attach":
      return attach(world, command)
    case "offer":
      return offer(world, command, context)
    case "preflight":
      return preflight(world, command, context)
    case "propose":
      return propose(world, command, context)
    case "receipt":
      return receipt(world, command, context)
    case "heartbeat":
      return heartbeat(world, command, context)
    case "release":
      return release(world, command, context)
    case "complete":
      return complete(world, command, context)
    case "fail":
      return fail(world, command, context)
    case "completeHandoff":
      return completeHandoff(world, command, context)
    case "failHandoff":
      return failHandoff(world, command, context)
    case "reclaim":
      return reclaim(world, command, context)
    case "withdraw":
      return withdraw(world, command, context)
    case "kill":
      return killCommand(world, command, context)
    case "resolveStep":
      return resolveStep(world, command, context)
    case "approveStep":
      return approveStep(world, command, context)
    case "rejectStep":
      return rejectStep(world, command, context)
    case "raiseLimits":
      return raiseLimits(world, command)
    case "tick":
      return {}
  }
}

/** The workflow that a command is sent to: the one it names, else its session's. */
const workflowOf = (world: World, command: Command): string | undefined => {
  const named = "workflowId" in command ? command.workflowId : undefined
  if (named !== undefined) return workflowById(world, named)?.id
  const sessionId = "sessionId" in command ? command.sessionId : undefined
  return sessionId === undefined ? undefined : sessionById(world, sessionId)?.workflowId
}

export const step = (before: World, command: Command, { now, key, ids }: Options): Stepped => {
  const world = structuredClone(before)
  fireDeadlines(world, now, ids)
  const workflowId = workflowOf(world, command)
  const fingerprint = canonical(command)
  const row = world.keys.find((one) => one.key === key && one.workflowId === workflowId)
  if (row !== undefined && world.fault !== "an idempotency key is forgotten") {
    if (row.fingerprint !== fingerprint)
      return { world, verdict: { ok: false, code: "idempotency_mismatch", facts: {} } }
    if (row.answer !== null) return { world, verdict: { ok: true, answer: row.answer, replayed: true } }
  }
  const remember = (into: World, answer: ModelAnswer | null): void => {
    const home = workflowOf(into, command)
    if (key === undefined || home === undefined) return
    const fresh: Keyed = { workflowId: home, key, fingerprint, answer }
    into.keys = [...into.keys.filter((one) => one.key !== key || one.workflowId !== home), fresh]
  }
  const usageSettled = row !== undefined && world.fault !== "usage is settled again under the same key"
  const draft = structuredClone(world)
  try {
    const answer = decide(draft, command, { now, ids, usageSettled })
    remember(draft, answer)
    return { world: draft, verdict: { ok: true, answer, replayed: false } }
  } catch (refusal) {
    if (!(refusal instanceof Refused)) throw refusal
    const facts = refused(world, command, { now, ids, usageSettled }, () => remember(world, null))
    return { world, verdict: { ok: false, code: refusal.code, facts: { ...refusal.facts, ...facts } } }
  }
}

/** What a refused command leaves behind all the same: money that was spent, and the outcomes of orphans. */
const refused = (
  world: World,
  command: Command,
  { now, usageSettled }: Context,
  remember: () => void,
): Record<string, unknown> => {
  const session =
    "sessionId" in command && command.sessionId !== undefined ? sessionById(world, command.sessionId) : undefined
  if (session === undefined) return {}
  if (command._tag === "propose" && command.usage !== undefined && !usageSettled) {
    if (world.fault === "usage is lost when a proposal is refused") return {}
    settleUsage(world, session, command.usage)
    remember()
  }
  if (command._tag === "receipt" && session.status !== "active") {
    const { recorded, changed } = lateReceipt(world, session, command, now)
    if (changed) remember()
    return { recorded }
  }
  return {}
}
