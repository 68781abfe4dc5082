/** Choices that a command is made of: who sends it, about what, on which version; each from one number of a tape. */
import type { Command } from "../../machines/commands.ts"
import type { ResourceRef } from "../../machines/ids.ts"
import { isOpen, isUnresolved } from "./queries.ts"
import type { Handoff, Session, World } from "./state.ts"
import type { Answered } from "./sut.ts"

/** Choices, one number each; where the tape has run out every choice is the ordinary one. */
export class Tape {
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
  readonly answered?: Answered
}
export interface Scene {
  readonly world: World
  readonly definitionHash: string
  readonly sent: ReadonlyArray<Sent>
}
export interface Maker extends Scene {
  readonly tape: Tape
}
export type Encoded = Record<string, unknown>

export const sessionPool = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]
export const handoffPool = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"]
export const amounts = [0.25, 0, 0.5, 1, 3, 0.0000004]

export const workflowId = ({ tape }: Maker): string => (tape.chance(3) ? "wf-none" : tape.chance(3) ? "wf-2" : "wf-1")

/** A living session as a rule, or one that died, or one that never was. `fit` says which living ones make sense. */
const sender = (
  { tape, world }: Maker,
  fit: (session: Session) => boolean = () => true,
  young = 65,
): Session | undefined => {
  if (tape.chance(2)) return undefined
  const living = world.sessions.filter((session) => session.status === "active")
  const fitting = living.filter(fit)
  if (tape.chance(24))
    return (
      tape.pick(tape.chance(75) ? world.sessions.filter((session) => session.status !== "active") : world.sessions) ??
      tape.pick(living)
    )
  const chosen = fitting.length > 0 && !tape.chance(15) ? fitting : living
  const children = chosen.filter((session) => session.parent !== null)
  return tape.pick(children.length > 0 && tape.chance(young) ? children : chosen) ?? tape.pick(world.sessions)
}
export const expected = ({ tape }: Maker, session: Session | undefined): Encoded => {
  if (!tape.chance(16) || session === undefined) return {}
  return {
    expectedVersion: tape.chance(55) ? Math.max(0, session.version + (tape.chance(50) ? 1 : -1)) : session.version,
  }
}
export const from = (
  maker: Maker,
  fit?: (session: Session) => boolean,
  young?: number,
): { session: Session | undefined; about: Encoded } => {
  const session = sender(maker, fit, young)
  return { session, about: { sessionId: session?.id ?? "s-none", ...expected(maker, session) } }
}

export const refs = ({ tape, world }: Maker): ReadonlyArray<ResourceRef> => {
  const busy = world.steps.filter(isUnresolved).flatMap((step) => step.resources)
  const wanted = tape.chance(45) ? tape.pick(busy) : undefined
  if (wanted !== undefined) return [{ name: wanted.name, key: wanted.key }]
  if (tape.chance(3)) return [{ name: "ghost", key: "a" }]
  const one = { name: tape.pick(["line", "doc", "env", "line"]) ?? "line", key: tape.chance(25) ? "b" : "a" }
  if (!tape.chance(25)) return [one]
  const two = { name: tape.pick(["env", "line", "doc"]) ?? "env", key: one.key }
  return one.name === two.name ? [one] : [one, two]
}
export const offspring = (world: World, session: Session) =>
  world.handoffs.some((handoff) => handoff.from === session.id && isOpen(handoff)) ||
  world.sessions.some((other) => other.parent === session.id && other.status === "active")
export const unresolvedOf = (world: World, session: Session) =>
  world.steps.filter((step) => step.sessionId === session.id && isUnresolved(step))
/** A handoff: as a rule one for which the command makes sense, else any, else one that never was. */
export const someHandoff = ({ tape, world }: Maker, fit: (handoff: Handoff) => boolean): Handoff | undefined => {
  if (tape.chance(2)) return undefined
  const fitting = world.handoffs.filter(fit)
  return fitting.length > 0 && !tape.chance(22) ? tape.pick(fitting) : tape.pick(world.handoffs)
}
export const generation = ({ tape }: Maker, handoff: Handoff | undefined): Encoded => {
  if (!tape.chance(20) || handoff === undefined) return {}
  return { generation: tape.chance(25) ? (handoff.generation === 1 ? 2 : handoff.generation - 1) : handoff.generation }
}
export const homeOf = (maker: Maker, handoff: Handoff | undefined): string => handoff?.workflowId ?? workflowId(maker)
