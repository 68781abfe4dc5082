/**
 * Numbers from repeated runs: percentiles, spreads, throughput.
 *
 * The machine is shared and drifts, so no single run is a figure: every figure is the median of several, and its least
 * and greatest go with it. Nothing here knows what is measured.
 */

/** What one measured slice found: the figure's name with its unit last (`p50_ms`, `lifecycles_per_s`) → its value. */
export type Sample = Readonly<Record<string, number>>

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** The smallest of `values` that at least the share `p` (0 to 1) of them does not exceed. NaN when there are none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = Float64Array.from(values).sort()
  const rank = Math.max(1, Math.ceil(p * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** Least, middle and greatest; of an even number the middle is the mean of the two in the middle. */
export function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort()
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2
  return { min: at(0), median, max: at(sorted.length - 1) }
}

/** Per key, the spread over the samples that have it. */
export function spreadEach(samples: readonly Sample[]): Map<string, Spread> {
  const keys = new Set(samples.flatMap((sample) => Object.keys(sample)))
  const spreads = new Map<string, Spread>()
  for (const key of keys) {
    spreads.set(key, spread(samples.map((sample) => sample[key]).filter((value) => value !== undefined)))
  }
  return spreads
}

/** Time given to caches, the JIT and the WAL to settle before a slice of `seconds` is measured. */
export function warmUpSeconds(seconds: number): number {
  return Math.max(0.1, 0.3 * seconds)
}

/**
 * Calls `work` for the warm-up and then for `seconds`; `work` returns how many units it did. Units per second, over the
 * time that really passed, so a call that outlasts the slice does not count for more than it is.
 */
export function throughput(seconds: number, work: () => number): number {
  const warmUntil = performance.now() + warmUpSeconds(seconds) * 1000
  while (performance.now() < warmUntil) work()
  let units = 0
  let elapsed = 0
  const start = performance.now()
  do {
    units += work()
    elapsed = performance.now() - start
  } while (elapsed < seconds * 1000)
  return (units / elapsed) * 1000
}

/** The same for work that answers later. One call in flight at a time. */
export async function throughputAsync(seconds: number, work: () => Promise<number>): Promise<number> {
  const warmUntil = performance.now() + warmUpSeconds(seconds) * 1000
  while (performance.now() < warmUntil) await work()
  let units = 0
  let elapsed = 0
  const start = performance.now()
  do {
    units += await work()
    elapsed = performance.now() - start
  } while (elapsed < seconds * 1000)
  return (units / elapsed) * 1000
}

/** Latency of one call at a time: `p50_ms`, `p99_ms`, and calls per second as `perSecond` names it. */
export function latency(seconds: number, perSecond: string, work: () => void): Sample {
  const warmUntil = performance.now() + warmUpSeconds(seconds) * 1000
  while (performance.now() < warmUntil) work()
  const taken: number[] = []
  const start = performance.now()
  let before = start
  do {
    work()
    const after = performance.now()
    taken.push(after - before)
    before = after
  } while (before - start < seconds * 1000)
  return latencies(taken, (taken.length / (before - start)) * 1000, perSecond)
}

/** The same sample from latencies (ms) that somebody else took. */
export function latencies(taken: readonly number[], rate: number, perSecond: string): Sample {
  return { p50_ms: percentile(taken, 0.5), p99_ms: percentile(taken, 0.99), [perSecond]: rate }
}
