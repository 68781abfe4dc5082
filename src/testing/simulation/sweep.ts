/** Many runs, one seed after another, until one fails or it is enough. */
import { type SimulateOptions, type SimulationResult, simulate } from "./simulate.ts"

export interface SweepOptions extends Omit<SimulateOptions, "seed"> {
  /** The first seed. */
  readonly from: number
  readonly count: number
  /** Asked after each run: true ends the sweep. */
  readonly enough?: (result: SimulationResult) => boolean
}

export interface Sweep {
  /** Runs that were made, the failing one included. */
  readonly runs: number
  /** The first run that failed; null where all held. */
  readonly failure: SimulationResult | null
  readonly steps: number
  readonly virtualMs: number
  /** The counts of all runs together. */
  readonly counts: Readonly<Record<string, number>>
}

export const sweep = async (options: SweepOptions): Promise<Sweep> => {
  const { from, count, enough, ...run } = options
  const counts: Record<string, number> = {}
  let [runs, steps, virtualMs] = [0, 0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const result = await simulate({ ...run, seed })
    runs += 1
    steps += result.steps
    virtualMs += result.virtualMs
    for (const [what, times] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + times
    if (result.violation !== null) return { runs, failure: result, steps, virtualMs, counts }
    if (enough?.(result) === true) break
  }
  return { runs, failure: null, steps, virtualMs, counts }
}
