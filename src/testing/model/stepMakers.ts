/** How commands about steps and resources are made. */

import { amounts, type Encoded, from, type Maker, refs, unresolvedOf, workflowId } from "./choices.ts"
import { tools } from "./definitions.ts"
import { held, isUnresolved, isWaiting, sessionById } from "./queries.ts"
import type { Session } from "./state.ts"

export const preflight = (maker: Maker): Encoded => ({
  ...from(maker).about,
  estimatedCost: maker.tape.chance(25) ? undefined : maker.tape.pick(amounts),
  estimatedTokens: maker.tape.chance(30) ? 50 : undefined,
})
export const propose = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const ready = world.prepared.filter((one) => one.status === "open")
  const planned = tape.chance(20) && ready.length > 0 ? tape.pick(ready) : undefined
  const planner = planned === undefined ? undefined : sessionById(world, planned.sessionId)
  const { about } = planner === undefined || tape.chance(8) ? from(maker) : { about: { sessionId: planner.id } }
  // A turn that asks for no tool: mostly the end of one that was planned.
  const isText = tape.chance(planned === undefined ? 4 : 15)
  const calls = [1, 2, 3].slice(0, isText ? 0 : tape.chance(12) ? 3 : tape.chance(25) ? 2 : 1).map(() => {
    const named = tape.chance(75) ? refs(maker) : undefined
    return {
      tool: tape.pick(tools),
      arguments: { n: tape.next() % 5 },
      resources: named !== undefined && tape.chance(5) ? [...named, ...named] : named,
      estimatedCost: tape.chance(20) ? undefined : tape.pick(amounts),
      estimatedTokens: tape.chance(20) ? 60 : undefined,
    }
  })
  return {
    ...about,
    calls,
    preparedRequestId: tape.chance(4) ? (tape.pick(world.prepared)?.id ?? "p-none") : planned?.id,
    usage: tape.chance(isText ? 70 : 20)
      ? { inputTokens: 20, outputTokens: tape.next() % 30, cost: tape.pick([0.1, 0.5, 2]) }
      : undefined,
    wait: tape.chance(25) ? false : tape.chance(10) ? true : undefined,
  }
}
export const receipt = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.steps.some(isUnresolved) && !tape.chance(12)) return undefined
  const orphaned = world.sessions.filter((one) => one.status !== "active" && unresolvedOf(world, one).length > 0)
  const late = tape.chance(25) ? tape.pick(orphaned) : undefined
  const { session, about } =
    late === undefined
      ? from(maker, (one) => unresolvedOf(world, one).length > 0)
      : { session: late, about: { sessionId: late.id } }
  const mine = world.steps.filter((step) => step.sessionId === session?.id)
  const receipts = [1, 2].slice(0, tape.chance(25) ? 2 : 1).map(() => {
    const unresolved = mine.filter(isUnresolved)
    const able = unresolved.filter((step) => !isWaiting(step))
    const wide = tape.chance(12)
    const usual = wide ? mine : able.length > 0 && !tape.chance(12) ? able : unresolved
    const step = tape.chance(1)
      ? undefined
      : (tape.pick(usual) ?? tape.pick(tape.chance(10) || mine.length === 0 ? world.steps : mine))
    const outcome =
      tape.pick(["committed", "committed", "aborted", "committed", "unknown", "aborted", "committed"]) ?? "committed"
    const known = step !== undefined && isUnresolved(step) && !isWaiting(step)
    const paid = outcome === "unknown" ? known && tape.chance(10) : tape.chance(30)
    const fences =
      step !== undefined && outcome === "committed" && tape.chance(35)
        ? step.resources.map((ref) => {
            const { fence } = held(structuredClone(world), step.workflowId, ref)
            return {
              name: ref.name,
              key: ref.key,
              token: Math.max(1, fence + (tape.chance(12) ? (tape.chance(40) ? 1 : -1) : 0)),
            }
          })
        : undefined
    return {
      stepId: step?.id ?? "step-none",
      outcome,
      actualCost: paid ? tape.pick(amounts) : undefined,
      actualTokens: outcome !== "unknown" && tape.chance(15) ? 70 : undefined,
      fences,
    }
  })
  const once = receipts.filter((one, index) => receipts.findIndex((other) => other.stepId === one.stepId) === index)
  return { ...about, receipts: tape.chance(20) ? receipts : once }
}
export const release = (maker: Maker): Encoded | undefined => {
  const { world, tape } = maker
  if (!world.resources.some((one) => one.owner !== null) && !tape.chance(20)) return undefined
  const owns = (session: Session) =>
    world.resources.filter((one) => one.owner === session.id && one.workflowId === session.workflowId)
  const { session, about } = from(maker, (one) => owns(one).length > 0)
  const owned = session === undefined ? [] : owns(session)
  const chosen = owned.length > 0 && !tape.chance(15) ? tape.pick(owned) : { name: "doc", key: "a" }
  return { ...about, resources: [{ name: chosen?.name, key: chosen?.key }] }
}
/** An approval or a rejection: as a rule of a step that awaits one, else of any, decided on before or never to be. */
export const decideOnStep = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  const awaiting = world.steps.filter((step) => step.status === "awaiting_approval")
  if (awaiting.length === 0 && !tape.chance(12)) return undefined
  const other = awaiting.length === 0 || tape.chance(15)
  const checkpoints = world.steps.filter((step) => step.isCheckpoint)
  const step = tape.chance(3) ? undefined : tape.pick(other ? (tape.chance(60) ? checkpoints : world.steps) : awaiting)
  return {
    workflowId: step?.workflowId ?? workflowId(maker),
    stepId: step?.id ?? "step-none",
    reason: tape.chance(30) ? "looked" : undefined,
  }
}
export const resolveStep = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.steps.some(isUnresolved) && !tape.chance(12)) return undefined
  const unresolved = world.steps.filter(isUnresolved)
  const orphans = unresolved.filter((step) => step.status === "orphaned")
  const step = tape.chance(3)
    ? undefined
    : tape.pick(tape.chance(15) ? world.steps : orphans.length > 0 && !tape.chance(40) ? orphans : unresolved)
  return {
    workflowId: step?.workflowId ?? workflowId(maker),
    stepId: step?.id ?? "step-none",
    outcome: tape.chance(45) ? "aborted" : "committed",
    actualCost: tape.chance(25) ? tape.pick(amounts) : undefined,
    reason: "looked",
  }
}
