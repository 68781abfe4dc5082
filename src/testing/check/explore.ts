/** Many runs: what was seen, in how many of them, and the shortest history of each. */

import { checkBounds } from "./bounds.ts"
import type { Move } from "./moves.ts"
import type { Plan } from "./Plan.ts"
import { Random, seedOf } from "./Random.ts"
import { type EndedAs, Run } from "./Run.ts"
import type { CheckSettings } from "./settings.ts"
import { Totals } from "./Totals.ts"
import type { Sighting } from "./Watch.ts"
import type { Machine } from "./World.ts"

export interface Seen {
  readonly sighting: Sighting
  /** The shortest that was found, ending where it is seen. */
  moves: ReadonlyArray<Move>
  runs: number
  goodRuns: number
}

export interface Exploration {
  readonly seen: ReadonlyMap<string, Seen>
  readonly totals: Totals
  readonly ends: Readonly<Record<EndedAs, number>>
  readonly runs: number
  readonly goodRuns: number
  readonly goodRunsCompleted: number
}

const progressEvery = 64

export const explore = (
  plan: Plan,
  settings: CheckSettings,
  machine: Machine,
  onProgress: ((done: number, runs: number) => void) | undefined,
): Exploration => {
  const seen = new Map<string, Seen>()
  const totals = new Totals()
  const ends: Record<EndedAs, number> = { completed: 0, failed: 0, killed: 0, open: 0 }
  let goodRuns = 0
  let goodRunsCompleted = 0
  for (let index = 0; index < settings.runs; index += 1) {
    if (index % progressEvery === 0) onProgress?.(index, settings.runs)
    const random = new Random(seedOf(settings.seed, index))
    const run: Run = new Run(plan, settings, machine, random, totals, (sighting, moves, at) =>
      remember(seen, sighting, moves, at, run.good),
    )
    const end = run.run()
    ends[end] += 1
    if (run.good) {
      goodRuns += 1
      if (end === "completed") goodRunsCompleted += 1
    }
  }
  onProgress?.(settings.runs, settings.runs)
  return { seen, totals, ends, runs: settings.runs, goodRuns, goodRunsCompleted }
}

const remember = (
  seen: Map<string, Seen>,
  sighting: Sighting,
  moves: ReadonlyArray<Move>,
  at: number,
  good: boolean,
): void => {
  const known = seen.get(sighting.id)
  if (known === undefined) {
    if (seen.size < checkBounds.findings)
      seen.set(sighting.id, { sighting, moves: until(moves, at), runs: 1, goodRuns: good ? 1 : 0 })
    return
  }
  known.runs += 1
  if (good) known.goodRuns += 1
  if (moves.length < known.moves.length) known.moves = until(moves, at)
}

/** The moves, and the time that passed after the last of them. */
const until = (moves: ReadonlyArray<Move>, at: number): ReadonlyArray<Move> =>
  at > (moves.at(-1)?.at ?? 0) ? [...moves, { _tag: "wait", n: moves.length, at }] : [...moves]
