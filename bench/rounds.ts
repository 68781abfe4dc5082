/**
 * Floor and system in turn, in one process, several rounds: floor, system, floor, system. The machine is shared and
 * drifts, so a floor from another run says nothing; what one round saw, both sides saw. Every slice gets an empty
 * directory, so that no side pays for the files of an earlier one.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Benchmark, Context } from "./benchmark.ts"
import { type Sample, type Spread, spread, spreadEach } from "./measure.ts"

export interface Result {
  readonly benchmark: Benchmark
  readonly rounds: number
  readonly floor: ReadonlyMap<string, Spread>
  readonly system: ReadonlyMap<string, Spread>
  /** Median of the system ÷ median of the floor, of the headline; least and greatest are those of single rounds. */
  readonly ratio: Spread | undefined
  /** Best round of the system ÷ best round of the floor: a neighbour's load only ever slows, so this is what is left without. */
  readonly ratioOfBest: number | undefined
}

export interface Setting {
  readonly rounds: number
  readonly dir: string
  readonly context: Omit<Context, "dir">
  readonly progress: (text: string) => void
}

/** Undefined when there is neither a floor nor a system to measure. */
export async function runBenchmark(benchmark: Benchmark, setting: Setting): Promise<Result | undefined> {
  const base = join(setting.dir, benchmark.name)
  const prepared = freshDirectory(base, "prepared")
  setting.progress(`${benchmark.name}: preparing`)
  const pair = await benchmark.prepare({ ...setting.context, dir: prepared })
  if (pair === undefined) return undefined
  const { floor, system } = pair
  const rounds = Math.min(setting.rounds, benchmark.maxRounds ?? setting.rounds)
  // Round 0 is thrown away: in it the system's code is compiled, and the floor's is too.
  const floors: Sample[] = []
  const systems: Sample[] = []
  try {
    for (let round = 0; round <= rounds; round++) {
      setting.progress(`${benchmark.name}: round ${round} of ${rounds}`)
      const fromFloor = floor && (await inFreshDirectory(base, `${round}-floor`, floor))
      const fromSystem = system && (await inFreshDirectory(base, `${round}-system`, system))
      if (round === 0) continue
      if (fromFloor) floors.push(fromFloor)
      if (fromSystem) systems.push(fromSystem)
    }
  } finally {
    await pair.close?.()
    rmSync(base, { recursive: true, force: true })
  }
  return {
    benchmark,
    rounds,
    floor: spreadEach(floors),
    system: spreadEach(systems),
    ratio: ratioOf(benchmark.headline.figure, floors, systems),
    ratioOfBest: ratioOfBest(benchmark.headline.figure, floors, systems),
  }
}

function ratioOf(figure: string, floors: readonly Sample[], systems: readonly Sample[]): Spread | undefined {
  if (floors.length === 0 || systems.length === 0) return undefined
  const [ofFloor, ofSystem] = [valuesOf(figure, floors), valuesOf(figure, systems)]
  const perRound = spread(ofSystem.map((value, round) => value / (ofFloor[round] ?? Number.NaN)))
  return { ...perRound, median: spread(ofSystem).median / spread(ofFloor).median }
}

function ratioOfBest(figure: string, floors: readonly Sample[], systems: readonly Sample[]): number | undefined {
  if (floors.length === 0 || systems.length === 0) return undefined
  const best = figure.endsWith("_per_s") ? Math.max : Math.min
  return best(...valuesOf(figure, systems)) / best(...valuesOf(figure, floors))
}

function valuesOf(figure: string, samples: readonly Sample[]): number[] {
  return samples.map((sample) => sample[figure] ?? Number.NaN)
}

async function inFreshDirectory<A>(base: string, name: string, work: (dir: string) => Promise<A>): Promise<A> {
  const dir = freshDirectory(base, name)
  try {
    return await work(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function freshDirectory(base: string, name: string): string {
  const dir = join(base, name)
  mkdirSync(dir, { recursive: true })
  return dir
}
