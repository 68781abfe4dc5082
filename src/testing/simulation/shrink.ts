/**
 * Makes a failing run smaller: fewer commands, faults, agents, workflows and nodes, as long as the same rule is still broken.
 *
 * A smaller run has another interleaving, in which the mistake may not show. So each smaller variant is tried on some other
 * schedules of the same agents as well.
 */
import { type SimulateOptions, type SimulationResult, simulate } from "./simulate.ts"
import type { Limits } from "./swarm.ts"

export interface ShrinkOptions {
  /** Runs that it may make at most. Default 600. */
  readonly runs?: number
}

export interface Shrunk {
  readonly options: SimulateOptions
  readonly limits: Limits
  /** The smallest run that was found to fail in the same way. */
  readonly result: SimulationResult
  /** Runs that it took. */
  readonly runs: number
}

/** The smallest that makes sense, in the order in which they are made smaller. */
const least: Limits = { commands: 1, faults: 0, agents: 1, workflows: 1, nodes: 1 }
const names = ["commands", "faults", "agents", "workflows", "nodes"] as const
/** Other schedules on which a smaller variant is tried. */
const schedules = 6

/** Undefined where the options don't fail at all. */
export const shrink = async (options: SimulateOptions, bounds: ShrinkOptions = {}): Promise<Shrunk | undefined> => {
  const first = await simulate(options)
  if (first.violation === null) return undefined
  const { rule } = first.violation
  const budget = bounds.runs ?? 600
  let best: Shrunk = { options, limits: sizeOf(first), result: first, runs: 1 }
  let runs = 1

  /** Tries one variant on several schedules, the present one first. */
  const attempt = async (limits: Limits): Promise<boolean> => {
    const present = best.options.schedule ?? 0
    const others = Array.from({ length: schedules }, (_, index) => index).filter((one) => one !== present)
    for (const schedule of [present, ...others]) {
      if (runs >= budget) return false
      runs += 1
      const tried = { ...options, schedule, limits }
      const result = await simulate(tried)
      if (result.violation?.rule !== rule) continue
      best = { options: tried, limits, result, runs }
      return true
    }
    return false
  }

  for (let smaller = true; smaller; ) {
    smaller = false
    for (const name of names)
      for (const value of valuesBelow(best.limits[name], least[name]))
        if (await attempt({ ...best.limits, [name]: value })) {
          smaller = true
          break
        }
  }
  return { ...best, runs }
}

const sizeOf = ({ swarm, counts }: SimulationResult): Limits => {
  const { nodes, workflows, agents, commands } = swarm
  const faults = Object.entries(counts).reduce((sum, [what, times]) => sum + (what.startsWith("fault ") ? times : 0), 0)
  return { nodes, workflows, agents, commands, faults }
}

/** The boldest first. */
const valuesBelow = (present: number, smallest: number): ReadonlyArray<number> => {
  const candidates = [smallest, Math.floor((smallest + present) / 2), Math.floor(present * 0.9), present - 1]
  return [...new Set(candidates)].filter((value) => value >= smallest && value < present)
}

/** The command line that makes a run again. */
export const replayCommand = ({ seed, schedule, limits }: SimulateOptions): string =>
  [
    `npm run campaign:simulate -- --replay ${seed}`,
    ...(schedule === undefined || schedule === 0 ? [] : [`--schedule ${schedule}`]),
    ...Object.entries(limits ?? {}).flatMap(([name, value]) => (Number.isFinite(value) ? [`--${name} ${value}`] : [])),
  ].join(" ")
