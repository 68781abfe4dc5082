/**
 * One sequence of commands against the model and a system: the verdicts, the answers and all that can be seen are
 * compared after every command, and the invariants are checked over the whole at the end.
 */
import assert from "node:assert/strict"
import type { Command } from "../../machines/commands.ts"
import type { Definition } from "../../machines/definition.ts"
import type { JournalEvent } from "../../machines/events.ts"
import type { Sent } from "./choices.ts"
import { concrete, first, type Intention } from "./commands.ts"
import { contains, sameObservation, sure } from "./compare.ts"
import { invariants } from "./invariants.ts"
import { normalise, type Observation, observe } from "./observe.ts"
import { emptyWorld, type Ids, type ModelAnswer, type Verdict, type World } from "./state.ts"
import type { Statistics } from "./statistics.ts"
import { step } from "./step.ts"
import type { Answered, Sut, SutFactory } from "./sut.ts"

/** One command and what became of it. */
export interface Moment {
  readonly command: Command
  readonly now: number
  readonly key: string | undefined
  readonly answered: Answered
  readonly verdict: Verdict
  /** After the command. */
  readonly seen: Observation
  readonly world: World
}
/** All that a sequence left behind, for the invariants. */
export interface Evidence {
  readonly definition: Definition
  readonly moments: ReadonlyArray<Moment>
  /** By workflow; absent where the system has no journal to show. */
  readonly events?: Readonly<Record<string, ReadonlyArray<JournalEvent>>>
  /** What `verify` found. */
  readonly problems: ReadonlyArray<string>
  /** What another tenant was told, and what was seen before and after. */
  readonly strangers: ReadonlyArray<{
    readonly answered: Answered
    readonly before: Observation
    readonly after: Observation
  }>
}

const member = (answered: Answered, name: string): string | undefined => {
  const value = answered.ok ? (answered.answer as Record<string, unknown>)[name] : undefined
  return typeof value === "string" ? value : undefined
}

/** The names that the real answer gave to what it made. What it does not name gets a placeholder. */
const idsFrom = (answered: Answered, command: Command): Ids => {
  let unknown = 0
  const placeholder = () => `unknown-${command._tag}-${unknowns++}-${unknown++}`
  return {
    session: () => member(answered, "sessionId") ?? placeholder(),
    handoff: () => member(answered, "handoffId") ?? placeholder(),
    prepared: () => member(answered, "preparedRequestId") ?? placeholder(),
    kill: (said) => (said ? member(answered, "killId") : undefined) ?? placeholder(),
    step: (index) => {
      const steps = answered.ok ? (answered.answer as { steps?: ReadonlyArray<{ stepId: string }> }).steps : undefined
      return steps?.[index]?.stepId ?? placeholder()
    },
  }
}
let unknowns = 0
const isPlaceholder = (id: unknown): id is string => typeof id === "string" && id.startsWith("unknown-")

/** The system has named a kill that the model knew only by a placeholder. */
const learnKill = (world: World, placeholder: string, id: string): World =>
  JSON.parse(JSON.stringify(world).replaceAll(JSON.stringify(placeholder), JSON.stringify(id))) as World

/** The model's answer with ids that it now learns from the real one. */
const reconcile = (world: World, answer: ModelAnswer, answered: Answered): { world: World; answer: ModelAnswer } => {
  const said = member(answered, "killId")
  const candidates = (answer.killIds ?? [answer.killId]) as ReadonlyArray<unknown>
  if (said === undefined || candidates.includes(said)) {
    // A workflow that two kills can claim to have ended: the other of the two is as good.
    return said === undefined || said === answer.killId ? { world, answer } : { world, answer: { killId: said } }
  }
  const placeholder = candidates.find(isPlaceholder)
  if (placeholder === undefined) return { world, answer }
  assert.ok(!world.kills.some((kill) => kill.id === said), `${said} is the id of another kill`)
  return { world: learnKill(world, placeholder, said), answer: { killId: said } }
}

/** A difference between the model and the system, or a broken invariant, with all commands that led to it. */
export class Mismatch extends Error {
  constructor(problem: unknown, trace: ReadonlyArray<string>, definition: Definition) {
    const why = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)
    super([why, "", "definition:", JSON.stringify(definition), "commands:", ...trace.slice(-60)].join("\n"))
    this.name = "Mismatch"
  }
}

const told = (said: Answered | Verdict): string => (said.ok ? "ok" : `${said.code}${JSON.stringify(said.facts)}`)

const compare = (verdict: Verdict, answered: Answered, earlier: ReadonlyArray<Moment>, sent: Sent): void => {
  assert.equal(
    answered.ok ? "ok" : answered.code,
    verdict.ok ? "ok" : verdict.code,
    `the system says ${told(answered)}, the model ${told(verdict)}`,
  )
  if (!verdict.ok && !answered.ok) {
    if ("recorded" in verdict.facts) assert.equal(answered.facts.recorded, verdict.facts.recorded, "facts.recorded")
    if (verdict.code === "limit_exceeded") assert.equal(typeof answered.facts.limit, "string", "facts.limit")
  }
  if (verdict.ok && answered.ok) {
    contains(answered.answer, sure(verdict.answer))
    const before = earlier.find(
      (one) => one.key !== undefined && one.key === sent.key && one.answered.ok && sameHome(one, sent),
    )
    if (verdict.replayed && before?.answered.ok === true)
      assert.deepEqual(answered.answer, before.answered.answer, "a repeated key replays the whole answer (I8)")
  }
}
const sameHome = (moment: Moment, sent: Sent): boolean =>
  JSON.stringify(moment.command) === JSON.stringify(sent.command)

/** Another tenant tries what the owner did, and may find nothing (I12). */
const tryStrangers = async (sut: Sut, moments: ReadonlyArray<Moment>, now: number): Promise<Evidence["strangers"]> => {
  const tried: Array<Evidence["strangers"][number]> = []
  if (sut.executeAsStranger === undefined) return []
  for (const { command } of moments.slice(-8)) {
    if (command._tag === "createRoot") continue
    const before = normalise(await sut.observe())
    const answered = await sut.executeAsStranger(command, { now })
    tried.push({ answered, before, after: normalise(await sut.observe()) })
  }
  return tried
}

const evidenceOf = async (sut: Sut, definition: Definition, moments: ReadonlyArray<Moment>): Promise<Evidence> => {
  const last = moments.at(-1)
  const strangers = await tryStrangers(sut, moments, last?.now ?? 0)
  const problems = (await sut.verify?.()) ?? []
  const workflows = last?.world.workflows.map((workflow) => workflow.id) ?? []
  const events =
    sut.events === undefined
      ? undefined
      : Object.fromEntries(
          await Promise.all(workflows.map(async (id) => [id, (await sut.events?.(id)) ?? []] as const)),
        )
  return { definition, moments, problems, strangers, ...(events === undefined ? {} : { events }) }
}

/** How many commands are still sent once every workflow has ended. */
const afterlife = 6

/** Runs a sequence; throws a `Mismatch` at the first difference. */
export const run = async (
  factory: Pick<SutFactory, "make">,
  definition: Definition,
  intentions: ReadonlyArray<Intention>,
  statistics?: Statistics,
): Promise<Evidence> => {
  const sut = await factory.make(definition)
  const trace: Array<string> = []
  const moments: Array<Moment> = []
  let world = emptyWorld(definition)
  let now = 1_000_000
  let silent = 0
  try {
    for (const [index, intention] of [first, ...intentions].entries()) {
      if (silent > afterlife) break
      now += intention.after
      if (intention.kind === "restart") {
        await sut.restart?.()
        trace.push(`#${index} restart`)
        sameObservation(normalise(await sut.observe()), observe(world))
        continue
      }
      const sent = concrete(intention, { world, definitionHash: sut.definitionHash, sent: moments }, index)
      if (sent === undefined) continue
      const { command, key } = sent
      const options = key === undefined ? { now } : { now, key }
      trace.push(`#${index} now=${now}${key === undefined ? "" : ` key=${key}`} ${JSON.stringify(command)}`)
      const answered = await sut.execute(command, options)
      const modelled = step(world, command, { ...options, ids: idsFrom(answered, command) })
      const learnt = modelled.verdict.ok ? reconcile(modelled.world, modelled.verdict.answer, answered) : undefined
      const verdict =
        modelled.verdict.ok && learnt !== undefined ? { ...modelled.verdict, answer: learnt.answer } : modelled.verdict
      world = learnt?.world ?? modelled.world
      trace[trace.length - 1] += ` → ${told(verdict)}`
      compare(verdict, answered, moments, sent)
      const seen = normalise(await sut.observe())
      sameObservation(seen, observe(world))
      moments.push({ command, now, key, answered, verdict, seen, world })
      statistics?.count(command, verdict, world)
      silent = world.workflows.some((workflow) => workflow.status === "active") ? 0 : silent + 1
    }
    const evidence = await evidenceOf(sut, definition, moments)
    for (const check of Object.values(invariants)) check(evidence)
    return evidence
  } catch (problem) {
    throw new Mismatch(problem, trace, definition)
  } finally {
    await sut.close()
  }
}
