/** How commands about workflows and sessions are made: creation, the ends, kills, limits. */
import type { LimitName } from "../../machines/definition.ts"
import { type Encoded, expected, type Maker, offspring, sessionPool, unresolvedOf, workflowId } from "./choices.ts"
import { resourceNames } from "./definitions.ts"
import { descendantsOf, handoffById } from "./queries.ts"
import type { Session, World } from "./state.ts"
import { otherHash } from "./sut.ts"

export const createRoot = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const known = world.workflows.find((workflow) => workflow.id === "wf-1")
  if (known === undefined)
    return { workflowId: "wf-1", role: "lead", agent: "lead-1", sessionId: "s1", definitionHash: maker.definitionHash }
  const other = tape.chance(50)
  const role = other && tape.chance(25) ? (tape.pick(world.definition.roles.slice(1))?.name ?? "dev") : "lead"
  return {
    workflowId: other ? "wf-2" : "wf-1",
    role,
    agent: "lead-1",
    sessionId: tape.chance(25) ? tape.pick(sessionPool) : other ? "t1" : "s1",
    definitionHash: tape.chance(15) ? otherHash : maker.definitionHash,
  }
}
/** A session that ends: seldom a root, whose end is the end of the sequence. None where only roots live. */
const ending = ({ tape, world }: Maker, fit: (session: Session) => boolean, roots: number): Session | undefined => {
  const living = world.sessions.filter((session) => session.status === "active")
  if (tape.chance(roots)) return tape.pick(living.filter((session) => session.parent === null))
  const children = living.filter((session) => session.parent !== null)
  const fitting = children.filter(fit)
  if (tape.chance(6)) return tape.pick(world.sessions.filter((session) => session.status !== "active"))
  return tape.pick(fitting.length > 0 && !tape.chance(20) ? fitting : children)
}
/** Whether nothing keeps the session from completing. */
export const isDone = (world: World, session: Session): boolean =>
  unresolvedOf(world, session).length === 0 &&
  !offspring(world, session) &&
  (session.handoffId === null || handoffById(world, session.workflowId, session.handoffId)?.status === "in_progress")
/** The next thing that a session has to do before it can complete; undefined when it can. */
const toward = (world: World, session: Session): Encoded | undefined => {
  const sessionId = session.id
  const steps = unresolvedOf(world, session)
  const running = steps.find((step) => step.status === "admitted") ?? steps[0]
  if (running?.status === "awaiting_approval")
    return { _tag: "approveStep", workflowId: running.workflowId, stepId: running.id }
  if (running !== undefined)
    return {
      _tag: "receipt",
      sessionId,
      receipts: [{ stepId: running.id, outcome: running.status === "queued" ? "aborted" : "committed" }],
    }
  const offered = world.handoffs.find((one) => one.from === sessionId && one.status === "offered")
  if (offered !== undefined)
    return { _tag: "withdraw", workflowId: offered.workflowId, handoffId: offered.id, sessionId }
  const own = session.handoffId === null ? undefined : handoffById(world, session.workflowId, session.handoffId)
  if (own?.status === "claimed") return { _tag: "propose", sessionId, calls: [{ tool: "read", estimatedCost: 0 }] }
  return undefined
}
export const complete = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  const living = world.sessions.filter((one) => one.status === "active")
  // A manager whose children are dead while grandchildren live: the one case of `descendants_active`.
  const bereft = living.filter(
    (one) =>
      !living.some((other) => other.parent === one.id) &&
      descendantsOf(world, one).some((other) => other.status === "active"),
  )
  const ready = (session: Session) => isDone(world, session)
  const session = tape.chance(60) && bereft.length > 0 ? tape.pick(bereft) : ending(maker, ready, 8)
  const before =
    session === undefined || session.status !== "active" || tape.chance(15) ? undefined : toward(world, session)
  return before ?? (session && { sessionId: session.id, ...expected(maker, session), result: { done: true } })
}
export const fail = (maker: Maker): Encoded | undefined => {
  const session = ending(maker, () => true, 3)
  return session && { sessionId: session.id, ...expected(maker, session), reason: "gave up" }
}
export const kill = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (tape.chance(4)) return { workflowId: workflowId(maker), scope: "workflow", reason: "stop" }
  const dead = world.sessions.filter((one) => one.status === "killed")
  const target = tape.chance(25) ? tape.pick(dead) : undefined
  const isManager = (one: Session) =>
    world.sessions.some((other) => other.parent === one.id && other.status === "active")
  const writers = world.sessions.filter(
    (one) =>
      one.status === "active" &&
      one.parent !== null &&
      unresolvedOf(world, one).some((step) => step.resources.some((ref) => ref.name === resourceNames.single_writer)),
  )
  const writer = tape.chance(50) ? tape.pick(writers) : undefined
  const session = target ?? writer ?? ending(maker, isManager, 4)
  if (session === undefined && !tape.chance(4)) return undefined
  return {
    scope: tape.chance(45) ? "subtree" : "session",
    sessionId: session?.id ?? "s-none",
    reason: "stop",
    ...(session?.status === "active" ? expected(maker, session) : {}),
  }
}
const limitNames: ReadonlyArray<LimitName> = [
  "maxSessions",
  "maxActiveSessions",
  "maxSteps",
  "maxCost",
  "maxTokens",
  "maxOpenHandoffs",
  "maxDepth",
  "maxDurationMs",
]
export const raiseLimits = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const home = workflowId(maker)
  const workflow = world.workflows.find((one) => one.id === home)
  const role = tape.chance(40) ? (tape.chance(10) ? "nobody" : tape.pick(world.definition.roles)?.name) : undefined
  const limits = role === undefined ? workflow?.limits : workflow?.roleLimits[role]
  const set = limitNames.filter((name) => limits?.[name] !== null && limits !== undefined)
  const name = tape.pick(set.length > 0 && !tape.chance(10) ? set : limitNames) ?? "maxSteps"
  const present = (name === "maxCost" ? (limits?.maxCost ?? 0) / 1e6 : limits?.[name]) ?? 0
  const step = name === "maxDurationMs" ? 5000 : name === "maxTokens" ? 100 : 1
  const value = tape.chance(15) ? Math.max(0, present - step) : tape.chance(15) ? present : present + step
  return { workflowId: home, role, limits: { [name]: value } }
}
