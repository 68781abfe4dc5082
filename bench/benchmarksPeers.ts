/**
 * The peers, for comparison: how many lifecycles a second each of them does, as the closest equivalent that it offers (a job
 * with one step recorded, taken to its end), alone and at the concurrency that suits it best. Beside each runs the hand-written
 * lifecycle with as many clients, so a peer's ratio can be set against the system's to the same floor.
 */
import type { Benchmark, Line } from "./benchmark.ts"
import { handwritten } from "./floorPostgres.ts"
import type { Sample } from "./measure.ts"
import { type PeerName, peerNames } from "./peerProtocol.ts"
import { concurrent } from "./subject.ts"

const candidates = [16, 32, 64, 128]
/** Slices are this much longer than elsewhere: a lifecycle of the slowest takes half a second when many are in flight. */
const longer = 4

const lifecyclesPerSecond: Line = { figure: "lifecycles_per_s", unit: "lifecycles/s" }
const others: readonly Line[] = [
  { figure: "p50_ms", unit: "ms" },
  { figure: "p99_ms", unit: "ms" },
]

export const peerBenchmarks: readonly Benchmark[] = peerNames.flatMap((peer) => [
  benchmark(peer, "alone", async () => 1, others),
  benchmark(peer, "best", fastest, [...others, { figure: "clients", unit: "clients" }]),
])

type Measure = (clients: number) => Promise<Sample>

function benchmark(
  peer: PeerName,
  name: string,
  choose: (measure: Measure) => Promise<number>,
  lines: readonly Line[],
): Benchmark {
  return {
    name: `peers.${peer}.${name}`,
    kind: "system",
    store: "postgres",
    needs: "peers",
    headline: lifecyclesPerSecond,
    others: lines,
    maxRounds: 5,
    prepare: async ({ postgres, peers, seconds: usual }) => {
      const seconds = usual * longer
      const [{ inFreshSchema }, { measure }] = await Promise.all([postgres(), peers()])
      const slice: Measure = (clients) => inFreshSchema((place) => measure({ peer, ...place, clients, seconds }))
      const clients = await choose(slice)
      return {
        floor: () => inFreshSchema((place) => concurrent(handwritten(place, clients), { workflows: clients, seconds })),
        system: async () => ({ ...(await slice(clients)), clients }),
      }
    },
  }
}

/** Tries each candidate once, outside what is measured; the first slice compiles the peer's code and is thrown away. */
async function fastest(measure: Measure): Promise<number> {
  await measure(1)
  let best = { clients: 1, rate: 0 }
  for (const clients of candidates) {
    const rate = (await measure(clients)).lifecycles_per_s ?? 0
    if (rate > best.rate) best = { clients, rate }
  }
  return best.clients
}
