/**
 * Random commands: what is drawn is an *intention* (a kind, a wait, a tape of choices), made concrete against the
 * model.
 *
 * So the interesting things are frequent: races for one handoff, stale versions and generations, repeated keys,
 * commands of the dead. The ordinary choice is the tape's zero, so that a failing sequence shrinks to ordinary
 * commands.
 */

import { Schema } from "effect"
import fc from "fast-check"
import { Command, type CommandName } from "../../machines/commands.ts"
import { type Encoded, from, type Maker, type Scene, type Sent, Tape } from "./choices.ts"
import { aboutHandoff, claim, completeHandoff, failHandoff, grow, offer } from "./handoffMakers.ts"
import { isUnresolved } from "./queries.ts"
import { complete, createRoot, fail, kill, raiseLimits } from "./sessionMakers.ts"
import { decideOnStep, preflight, propose, receipt, release, resolveStep } from "./stepMakers.ts"

/**
 * Beside the commands: `grow` makes the tree deeper, `resend` repeats a keyed command, `restart` loses what is not
 * durable.
 */
export type Kind = CommandName | "grow" | "resend" | "restart"
export interface Intention {
  readonly kind: Kind
  /** Milliseconds since the command before; a multiple of 100. */
  readonly after: number
  readonly tape: ReadonlyArray<number>
}

/** How each command is made, and how often. */
const table: Record<
  Exclude<Kind, "resend" | "restart" | "tick">,
  { weight: number; make: (maker: Maker) => Encoded | undefined }
> = {
  createRoot: { weight: 2, make: createRoot },
  claim: { weight: 26, make: claim },
  grow: { weight: 11, make: grow },
  attach: { weight: 2, make: (maker) => from(maker).about },
  offer: { weight: 14, make: offer },
  preflight: { weight: 5, make: preflight },
  propose: { weight: 20, make: propose },
  receipt: { weight: 36, make: receipt },
  heartbeat: { weight: 3, make: (maker) => from(maker, (one) => one.parent !== null).about },
  release: { weight: 3, make: release },
  complete: { weight: 24, make: complete },
  fail: { weight: 2, make: fail },
  completeHandoff: { weight: 6, make: completeHandoff },
  failHandoff: { weight: 2, make: failHandoff },
  reclaim: { weight: 4, make: (maker) => aboutHandoff(maker, (one) => one.status === "claimed", true) },
  withdraw: { weight: 3, make: (maker) => aboutHandoff(maker, (one) => one.status === "offered", true) },
  kill: { weight: 7, make: kill },
  resolveStep: { weight: 4, make: resolveStep },
  approveStep: { weight: 5, make: decideOnStep },
  rejectStep: { weight: 2, make: decideOnStep },
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
  if (intention.kind === "resend") {
    const refusedProposals = keyed.filter(
      (one) => one.answered?.ok === false && one.command._tag === "propose" && one.command.usage !== undefined,
    )
    return tape.chance(25) && refusedProposals.length > 0 ? tape.pick(refusedProposals) : tape.pick(keyed)
  }
  const key =
    tape.chance(30) && intention.kind !== "attach"
      ? tape.chance(5)
        ? tape.pick(keyed)?.key
        : `key-${index}`
      : undefined
  const made = table[intention.kind].make({ ...scene, tape })
  return {
    command: decode(
      withoutHoles({ _tag: intention.kind, ...made, ...(made === undefined ? instead(tape, scene) : {}) }),
    ),
    key,
  }
}

/** Where there is nothing to end, to claim or to resolve, somebody begins something. */
const instead = (tape: Tape, scene: Scene): Encoded => {
  const maker = { ...scene, tape }
  const resolving = scene.world.steps.some(isUnresolved) && tape.chance(55) ? receipt(maker) : undefined
  if (resolving !== undefined) return { _tag: "receipt", ...resolving }
  return tape.chance(70) ? { _tag: "propose", ...propose(maker) } : { _tag: "offer", ...offer(maker) }
}

export const first: Intention = { kind: "createRoot", after: 100, tape: [] }
