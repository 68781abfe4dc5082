/**
 * What a governed model call costs beside the same call of the same client that is not governed. Both are made in turn, so the
 * machine's moods hit both alike; `added_us` is the difference of their medians.
 */
import { atMost, type Benchmark, type Store, type Target } from "./benchmark.ts"
import { percentile, type Sample, warmUpSeconds } from "./measure.ts"
import type { Subject, Wrapped } from "./subject.ts"

export const sdkBenchmarks: readonly Benchmark[] = [
  wrapper("sdk.outside", undefined, atMost(50)),
  wrapper("sdk.sqlite", "sqlite", atMost(1000)),
]

function wrapper(name: string, store: Store | undefined, target: Target): Benchmark {
  return {
    name,
    kind: "system",
    ...(store && { store }),
    headline: { figure: "added_us", unit: "µs", target },
    others: [
      { figure: "bare_us", unit: "µs" },
      { figure: "governed_us", unit: "µs" },
      { figure: "added_p99_us", unit: "µs" },
    ],
    prepare: async ({ subject, seconds }) => {
      const wrap: Subject["wrap"] = subject?.wrap?.bind(subject)
      if (wrap === undefined) return undefined
      return { system: async (dir) => measured(await wrap(store === undefined ? undefined : dir), seconds) }
    },
  }
}

async function measured(wrapped: Wrapped, seconds: number): Promise<Sample> {
  try {
    const from = performance.now() + warmUpSeconds(seconds) * 1000
    const until = from + seconds * 1000
    const bare: number[] = []
    const governed: number[] = []
    while (performance.now() < until || governed.length === 0) {
      const start = performance.now()
      await wrapped.bare()
      const between = performance.now()
      const after = await wrapped.governed()
      const end = performance.now()
      // The tool's run and its receipt are not the model call's.
      await after()
      if (start < from) continue
      bare.push((between - start) * 1000)
      governed.push((end - between) * 1000)
    }
    const [bare_us, governed_us] = [percentile(bare, 0.5), percentile(governed, 0.5)]
    return {
      bare_us,
      governed_us,
      added_us: governed_us - bare_us,
      added_p99_us: percentile(governed, 0.99) - percentile(bare, 0.99),
    }
  } finally {
    await wrapped.close()
  }
}
