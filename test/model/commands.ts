/**
 * Random commands: what is drawn is an *intention* (a kind, a wait, a tape of choices), made concrete against the model.
 *
 * So the interesting things are frequent: races for one handoff, stale versions and generations, repeated keys, commands
 * of the dead. The ordinary choice is the tape's zero, so that a failing sequence shrinks to ordinary commands.
 */
import { Schema } from "effect"
import fc from "fast-check"
import { Command, type CommandName } from "../../src/machines/commands.ts"
import type { LimitName } from "../../src/machines/definition.ts"
import type { ResourceRef } from "../../src/machines/ids.ts"
import { roleNames, tools } from "./definitions.ts"
import { claimantOf, descendantsOf, handoffById, held, isHeld, isOpen, isUnresolved, sessionById } from "./queries.ts"
import { type Handoff, type Session, type World } from "./state.ts"
import { otherHash } from "./sut.ts"

export type Kind = CommandName | "resend" | "restart"
export interface Intention {
  readonly kind: Kind
  /** Milliseconds since the command before; a multiple of 100. */
  readonly after: number
  readonly tape: ReadonlyArray<number>
}

/** Choices, one number each; where the tape has run out every choice is the ordinary one. */
class Tape {
  readonly #numbers: ReadonlyArray<number>
  #at = 0
  constructor(numbers: ReadonlyArray<number>) {
    this.#numbers = numbers
  }
  next(): number {
    return this.#numbers[this.#at++] ?? 0
  }
  /** True in `percent` of the cases; a zero is false. */
  chance(percent: number): boolean {
    return this.next() % 100 >= 100 - percent
  }
  pick<T>(list: ReadonlyArray<T>): T | undefined {
    const number = this.next()
    return list[number % Math.max(1, list.length)]
  }
}

/** A keyed command that was sent before. */
export interface Sent {
  readonly command: Command
  readonly key: string | undefined
}
export interface Scene {
  readonly world: World
  readonly definitionHash: string
  readonly sent: ReadonlyArray<Sent>
}
interface Maker extends Scene {
  readonly tape: Tape
}
type Encoded = Record<string, unknown>

const sessionPool = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]
const handoffPool = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"]
const amounts = [0.25, 0, 0.5, 1, 3, 0.0000004]

const workflowId = ({ tape }: Maker): string => (tape.chance(3) ? "wf-none" : tape.chance(3) ? "wf-2" : "wf-1")

/** A living session as a rule, or one that died, or one that never was. `fit` says which living ones make sense. */
const sender = ({ tape, world }: Maker, fit: (session: Session) => boolean = () => true, young = 65): Session | undefined => {
  if (tape.chance(2)) return undefined
  const living = world.sessions.filter((session) => session.status === "active")
  const fitting = living.filter(fit)
  if (tape.chance(12)) return tape.pick(world.sessions)
  const chosen = fitting.length > 0 && !tape.chance(15) ? fitting : living
  const children = chosen.filter((session) => session.parent !== null)
  return tape.pick(children.length > 0 && tape.chance(young) ? children : chosen) ?? tape.pick(world.sessions)
}
const expected = ({ tape }: Maker, session: Session | undefined): Encoded => {
  if (!tape.chance(16) || session === undefined) return {}
  return { expectedVersion: tape.chance(45) ? Math.max(0, session.version + (tape.chance(50) ? 1 : -1)) : session.version }
}
const from = (
  maker: Maker,
  fit?: (session: Session) => boolean,
  young?: number,
): { session: Session | undefined; about: Encoded } => {
  const session = sender(maker, fit, young)
  return { session, about: { sessionId: session?.id ?? "s-none", ...expected(maker, session) } }
}

const refs = ({ tape }: Maker): ReadonlyArray<ResourceRef> => {
  if (tape.chance(3)) return [{ name: "ghost", key: "a" }]
  const one = { name: tape.pick(["line", "doc", "env"]) ?? "line", key: tape.chance(35) ? "b" : "a" }
  if (!tape.chance(25)) return [one]
  const two = { name: tape.pick(["env", "line", "doc"]) ?? "env", key: one.key }
  return one.name === two.name ? [one] : [one, two]
}
const offspring = (world: World, session: Session) =>
  world.handoffs.some((handoff) => handoff.from === session.id && isOpen(handoff)) ||
  world.sessions.some((other) => other.parent === session.id && other.status === "active")
const unresolvedOf = (world: World, session: Session) =>
  world.steps.filter((step) => step.sessionId === session.id && isUnresolved(step))
/** A handoff: as a rule one for which the command makes sense, else any, else one that never was. */
const someHandoff = ({ tape, world }: Maker, fit: (handoff: Handoff) => boolean): Handoff | undefined => {
  if (tape.chance(2)) return undefined
  const fitting = world.handoffs.filter(fit)
  return fitting.length > 0 && !tape.chance(18) ? tape.pick(fitting) : tape.pick(world.handoffs)
}
const generation = ({ tape }: Maker, handoff: Handoff | undefined): Encoded => {
  if (!tape.chance(20) || handoff === undefined) return {}
  return { generation: tape.chance(25) ? (handoff.generation === 1 ? 2 : handoff.generation - 1) : handoff.generation }
}
const homeOf = (maker: Maker, handoff: Handoff | undefined): string => handoff?.workflowId ?? workflowId(maker)

const createRoot = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const known = world.workflows.find((workflow) => workflow.id === "wf-1")
  if (known === undefined) return { workflowId: "wf-1", role: "lead", agent: "lead-1", sessionId: "s1", definitionHash: maker.definitionHash }
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
const claim = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  const again = tape.chance(12)
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
const offer = (maker: Maker): Encoded => {
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
  const id = tape.chance(8) ? undefined : tape.chance(4) ? tape.pick(handoffPool) : handoffPool.find((one) => !known(one))
  return {
    ...about,
    toRole: tape.chance(5) ? tape.pick(roleNames) : (tape.pick(permitted(session)) ?? "dev"),
    handoffId: id,
    summary: tape.chance(5) ? {} : { task: "look", note: tape.next() % 3 },
    artifacts: tape.chance(10) ? [{ uri: "file:a" }] : undefined,
    resources: tape.chance(40) ? refs(maker) : undefined,
  }
}
const preflight = (maker: Maker): Encoded => ({
  ...from(maker).about,
  estimatedCost: maker.tape.chance(25) ? undefined : maker.tape.pick(amounts),
  estimatedTokens: maker.tape.chance(30) ? 50 : undefined,
})
const propose = (maker: Maker): Encoded => {
  const { tape, world } = maker
  const ready = world.prepared.filter((one) => one.status === "open")
  const planned = tape.chance(20) && ready.length > 0 ? tape.pick(ready) : undefined
  const planner = planned === undefined ? undefined : sessionById(world, planned.sessionId)
  const { about } = planner === undefined || tape.chance(8) ? from(maker) : { about: { sessionId: planner.id } }
  const calls = [1, 2, 3].slice(0, tape.chance(12) ? 3 : tape.chance(25) ? 2 : 1).map(() => {
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
    usage: tape.chance(20) ? { inputTokens: 20, outputTokens: tape.next() % 30, cost: tape.pick([0.1, 0.5, 2]) } : undefined,
    wait: tape.chance(25) ? false : tape.chance(10) ? true : undefined,
  }
}
const receipt = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.steps.some(isUnresolved) && !tape.chance(12)) return undefined
  const orphaned = world.sessions.filter((one) => one.status !== "active" && unresolvedOf(world, one).length > 0)
  const late = tape.chance(25) ? tape.pick(orphaned) : undefined
  const { session, about } = late === undefined ? from(maker, (one) => unresolvedOf(world, one).length > 0) : { session: late, about: { sessionId: late.id } }
  const mine = world.steps.filter((step) => step.sessionId === session?.id)
  const receipts = [1, 2].slice(0, tape.chance(25) ? 2 : 1).map(() => {
    const unresolved = mine.filter(isUnresolved)
    const able = unresolved.filter((step) => step.status !== "queued")
    const wide = tape.chance(12)
    const usual = wide ? mine : able.length > 0 && !tape.chance(12) ? able : unresolved
    const step = tape.chance(1) ? undefined : (tape.pick(usual) ?? tape.pick(tape.chance(10) || mine.length === 0 ? world.steps : mine))
    const outcome = tape.pick(["committed", "committed", "aborted", "committed", "unknown", "aborted", "committed"]) ?? "committed"
    const known = step !== undefined && isUnresolved(step) && step.status !== "queued"
    const paid = outcome === "unknown" ? known && tape.chance(10) : tape.chance(30)
    const fences = step !== undefined && outcome === "committed" && tape.chance(35)
      ? step.resources.map((ref) => {
          const { fence } = held(structuredClone(world), step.workflowId, ref)
          return { name: ref.name, key: ref.key, token: Math.max(1, fence + (tape.chance(12) ? (tape.chance(40) ? 1 : -1) : 0)) }
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
const release = (maker: Maker): Encoded | undefined => {
  const { world, tape } = maker
  if (!world.resources.some((one) => one.owner !== null) && !tape.chance(20)) return undefined
  const owns = (session: Session) =>
    world.resources.filter((one) => one.owner === session.id && one.workflowId === session.workflowId)
  const { session, about } = from(maker, (one) => owns(one).length > 0)
  const owned = session === undefined ? [] : owns(session)
  const chosen = owned.length > 0 && !tape.chance(15) ? tape.pick(owned) : { name: "doc", key: "a" }
  return { ...about, resources: [{ name: chosen?.name, key: chosen?.key }] }
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
const isDone = (world: World, session: Session): boolean =>
  unresolvedOf(world, session).length === 0 &&
  !offspring(world, session) &&
  (session.handoffId === null || handoffById(world, session.workflowId, session.handoffId)?.status === "in_progress")
const complete = (maker: Maker): Encoded | undefined => {
  const { world } = maker
  const ready = (session: Session) => isDone(world, session)
  const grandparents = world.sessions.filter(
    (one) => one.status === "active" && ready(one) && descendantsOf(world, one).some((other) => other.status === "active"),
  )
  if (grandparents.length > 0 && maker.tape.chance(50)) return { sessionId: maker.tape.pick(grandparents)?.id }
  const able = world.sessions.some((one) => one.status === "active" && one.parent !== null && ready(one))
  if (!able && !maker.tape.chance(20)) return undefined
  const session = ending(maker, ready, 8)
  return session && { sessionId: session.id, ...expected(maker, session), result: { done: true } }
}
const fail = (maker: Maker): Encoded | undefined => {
  const session = ending(maker, () => true, 3)
  return session && { sessionId: session.id, ...expected(maker, session), reason: "gave up" }
}
const aboutHandoff = (maker: Maker, fit: (handoff: Handoff) => boolean, asSession: boolean): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.handoffs.some(fit) && !tape.chance(20)) return undefined
  const handoff = someHandoff(maker, fit)
  const bySession = asSession && handoff !== undefined && tape.chance(40)
  const others = world.sessions.filter((one) => one.workflowId === handoff?.workflowId)
  const sessionId = bySession ? (tape.chance(15) ? tape.pick(others)?.id : handoff.from) : undefined
  return { workflowId: homeOf(maker, handoff), handoffId: handoff?.id ?? "h-none", sessionId, ...generation(maker, handoff) }
}
const completeHandoff = (maker: Maker): Encoded | undefined => {
  const done = (handoff: Handoff) => {
    const claimant = sessionById(maker.world, claimantOf(handoff) ?? "")
    return handoff.status === "in_progress" && claimant !== undefined && isDone(maker.world, claimant)
  }
  const about = aboutHandoff(maker, done, false)
  return about && { ...about, result: { by: "operator" } }
}
const failHandoff = (maker: Maker): Encoded | undefined => {
  const about = aboutHandoff(maker, isHeld, false)
  return about && { ...about, reason: "no" }
}
const kill = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (tape.chance(4)) return { workflowId: workflowId(maker), scope: "workflow", reason: "stop" }
  const dead = world.sessions.filter((one) => one.status === "killed")
  const target = tape.chance(25) ? tape.pick(dead) : undefined
  const isManager = (one: Session) => world.sessions.some((other) => other.parent === one.id && other.status === "active")
  const session = target ?? ending(maker, isManager, 4)
  if (session === undefined && !tape.chance(4)) return undefined
  return {
    scope: tape.chance(45) ? "subtree" : "session",
    sessionId: session?.id ?? "s-none",
    reason: "stop",
    ...(session?.status === "active" ? expected(maker, session) : {}),
  }
}
const resolveStep = (maker: Maker): Encoded | undefined => {
  const { tape, world } = maker
  if (!world.steps.some(isUnresolved) && !tape.chance(12)) return undefined
  const unresolved = world.steps.filter(isUnresolved)
  const orphans = unresolved.filter((step) => step.status === "orphaned")
  const step = tape.chance(3) ? undefined : tape.pick(tape.chance(15) ? world.steps : orphans.length > 0 && !tape.chance(40) ? orphans : unresolved)
  return {
    workflowId: step?.workflowId ?? workflowId(maker),
    stepId: step?.id ?? "step-none",
    outcome: tape.chance(45) ? "aborted" : "committed",
    actualCost: tape.chance(25) ? tape.pick(amounts) : undefined,
    reason: "looked",
  }
}
const limitNames: ReadonlyArray<LimitName> = [
  "maxSessions", "maxActiveSessions", "maxSteps", "maxCost", "maxTokens", "maxOpenHandoffs", "maxDepth", "maxDurationMs",
]
const raiseLimits = (maker: Maker): Encoded => {
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

/** How each command is made, and how often. */
const table: Record<Exclude<Kind, "resend" | "restart" | "tick">, { weight: number; make: (maker: Maker) => Encoded | undefined }> = {
  createRoot: { weight: 2, make: createRoot },
  claim: { weight: 30, make: claim },
  attach: { weight: 2, make: (maker) => from(maker).about },
  offer: { weight: 14, make: offer },
  preflight: { weight: 5, make: preflight },
  propose: { weight: 20, make: propose },
  receipt: { weight: 36, make: receipt },
  heartbeat: { weight: 3, make: (maker) => from(maker, (one) => one.parent !== null).about },
  release: { weight: 3, make: release },
  complete: { weight: 12, make: complete },
  fail: { weight: 2, make: fail },
  completeHandoff: { weight: 6, make: completeHandoff },
  failHandoff: { weight: 2, make: failHandoff },
  reclaim: { weight: 4, make: (maker) => aboutHandoff(maker, (one) => one.status === "claimed", true) },
  withdraw: { weight: 3, make: (maker) => aboutHandoff(maker, (one) => one.status === "offered", true) },
  kill: { weight: 7, make: kill },
  resolveStep: { weight: 4, make: resolveStep },
  raiseLimits: { weight: 3, make: raiseLimits },
}
const others: ReadonlyArray<{ kind: Kind; weight: number }> = [
  { kind: "resend", weight: 6 },
  { kind: "restart", weight: 1 },
]

const kinds: fc.Arbitrary<Kind> = fc.oneof(
  ...Object.entries(table).map(([kind, { weight }]) => ({ weight, arbitrary: fc.constant(kind as Kind) })),
  ...others.map(({ kind, weight }) => ({ weight, arbitrary: fc.constant(kind) })),
)
const waits: fc.Arbitrary<number> = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(100, 100, 200) },
  { weight: 2, arbitrary: fc.constantFrom(500, 900, 1500) },
  { weight: 1, arbitrary: fc.constantFrom(3000, 6000) },
)
export const intentions: fc.Arbitrary<ReadonlyArray<Intention>> = fc.array(
  fc.record({
    kind: kinds,
    after: waits,
    tape: fc.array(fc.noBias(fc.nat({ max: 9999 })), { minLength: 16, maxLength: 30, size: "max" }),
  }),
  { minLength: 8, maxLength: 80, size: "max" },
)

const decode = Schema.decodeUnknownSync(Command)
const withoutHoles = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** The command that an intention comes to here and now; none if there is nothing to send again. */
export const concrete = (intention: Intention, scene: Scene, index: number): Sent | undefined => {
  const tape = new Tape(intention.tape)
  const keyed = scene.sent.filter((one) => one.key !== undefined)
  if (intention.kind === "restart" || intention.kind === "tick") return undefined
  if (intention.kind === "resend") return tape.pick(keyed)
  const key = tape.chance(30) && intention.kind !== "attach" ? (tape.chance(5) ? tape.pick(keyed)?.key : `key-${index}`) : undefined
  const made = table[intention.kind].make({ ...scene, tape })
  return { command: decode(withoutHoles({ _tag: intention.kind, ...made, ...(made === undefined ? instead(tape, scene) : {}) })), key }
}

/** Where there is nothing to end, to claim or to resolve, somebody begins something. */
const instead = (tape: Tape, scene: Scene): Encoded => {
  const maker = { ...scene, tape }
  const resolving = scene.world.steps.some(isUnresolved) && tape.chance(55) ? receipt(maker) : undefined
  if (resolving !== undefined) return { _tag: "receipt", ...resolving }
  return tape.chance(70) ? { _tag: "propose", ...propose(maker) } : { _tag: "offer", ...offer(maker) }
}

export const first: Intention = { kind: "createRoot", after: 100, tape: [] }

