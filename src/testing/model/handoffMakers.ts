/** How commands about handoffs are made. */

import {
  type Encoded,
  from,
  generation,
  handoffPool,
  homeOf,
  type Maker,
  refs,
  sessionPool,
  someHandoff,
} from "./choices.ts"
import { roleNames } from "./definitions.ts"
import { claimantOf, handoffById, isHeld, sessionById } from "./queries.ts"
import { isDone } from "./sessionMakers.ts"
import type { Handoff, Session } from "./state.ts"

export const claim = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  const again = tape.chance(18)
  if (!again && !world.handoffs.some((one) => one.status === "offered") && !tape.chance(12)) return undefined
  const handoff = someHandoff(maker, again ? isHeld : (one) => one.status === "offered")
  const fresh = sessionPool.find((id) => sessionById(world, id) === undefined)
  const repeat = again && handoff !== undefined && !tape.chance(30) ? (claimantOf(handoff) ?? undefined) : undefined
  const id = tape.chance(5) ? undefined : tape.chance(8) ? tape.pick(sessionPool) : (repeat ?? fresh)
  return {
    workflowId: homeOf(maker, handoff),
    handoffId: handoff?.id ?? "h-none",
    parentSessionId: tape.chance(3) ? (tape.pick(world.sessions)?.id ?? "s-none") : (handoff?.from ?? "s1"),
    role: tape.chance(4) ? (tape.pick(roleNames) ?? "dev") : (handoff?.toRole ?? "dev"),
    agent: "agent",
    sessionId: id,
    ...generation(maker, handoff),
  }
}
export const offer = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const copied = tape.chance(6) ? tape.pick(world.handoffs) : undefined
  if (copied !== undefined) {
    const { from: sessionId, toRole, summary, artifacts, resources, id } = copied
    return { sessionId, toRole: tape.chance(25) ? "dev" : toRole, handoffId: id, summary, artifacts, resources }
  }
  const permitted = (session: Session | undefined) =>
    world.definition.handoffs.filter((edge) => edge.from === session?.role).map((edge) => edge.to)
  const { session, about } = from(maker, (one) => permitted(one).length > 0, 45)
  const known = (id: string) => session !== undefined && handoffById(world, session.workflowId, id) !== undefined
  const id = tape.chance(8)
    ? undefined
    : tape.chance(4)
      ? tape.pick(handoffPool)
      : handoffPool.find((one) => !known(one))
  return {
    ...about,
    toRole: tape.chance(5) ? tape.pick(roleNames) : (tape.pick(permitted(session)) ?? "dev"),
    handoffId: id,
    summary: tape.chance(5) ? {} : { task: "look", note: tape.next() % 3 },
    artifacts: tape.chance(10) ? [{ uri: "file:a" }] : undefined,
    resources: tape.chance(40) ? refs(maker) : undefined,
  }
}
/** The next step to a deeper tree: the newest offer is claimed, or the deepest session that may offer does. */
export const grow = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const offered = world.handoffs.filter((one) => one.status === "offered").at(-1)
  if (offered !== undefined) {
    const { workflowId: home, id: handoffId, from: parentSessionId, toRole: role } = offered
    const sessionId = sessionPool.find((id) => sessionById(world, id) === undefined)
    return { _tag: "claim", workflowId: home, handoffId, parentSessionId, role, agent: "agent", sessionId }
  }
  const targets = (session: Session) => world.definition.handoffs.filter((edge) => edge.from === session.role)
  const able = world.sessions.filter((one) => one.status === "active" && targets(one).length > 0)
  const session = able.toSorted((a, b) => b.depth - a.depth)[tape.chance(20) ? 1 : 0] ?? able[0]
  if (session === undefined) return { _tag: "offer", ...offer(maker) }
  const toRole = tape.pick(targets(session))?.to
  const resources = tape.chance(40) ? refs(maker) : undefined
  return { _tag: "offer", sessionId: session.id, toRole, summary: { task: "grow" }, resources }
}
export const aboutHandoff = (
  maker: Maker,
  fit: (handoff: Handoff) => boolean,
  asSession: boolean,
): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.handoffs.some(fit) && !tape.chance(20)) return undefined
  const handoff = someHandoff(maker, fit)
  const bySession = asSession && handoff !== undefined && tape.chance(40)
  const others = world.sessions.filter((one) => one.workflowId === handoff?.workflowId)
  const sessionId = bySession ? (tape.chance(15) ? tape.pick(others)?.id : handoff.from) : undefined
  return {
    workflowId: homeOf(maker, handoff),
    handoffId: handoff?.id ?? "h-none",
    sessionId,
    ...generation(maker, handoff),
  }
}
export const completeHandoff = (maker: Maker): Encoded | undefined => {
  const done = (handoff: Handoff) => {
    const claimant = sessionById(maker.world, claimantOf(handoff) ?? "")
    return handoff.status === "in_progress" && claimant !== undefined && isDone(maker.world, claimant)
  }
  const about = aboutHandoff(maker, done, false)
  return about && { ...about, result: { by: "operator" } }
}
export const failHandoff = (maker: Maker): Encoded | undefined => {
  const about = aboutHandoff(maker, isHeld, false)
  return about && { ...about, reason: "no" }
}
