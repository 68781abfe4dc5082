/**
 * The benchmarks through a socket: commands, and event streams. The server is in this process and the load in others, so that
 * what a client costs is not in what is measured; floor and system get the same load from the same code.
 */
import { availableParallelism } from "node:os"
import { atLeast, atMost, type Benchmark, type Line } from "./benchmark.ts"
import { bare } from "./http/bare.ts"
import { Loader } from "./http/Loader.ts"
import { sharedMs } from "./http/protocol.ts"
import { percentile, type Sample, warmUpSeconds } from "./measure.ts"
import type { Served } from "./subject.ts"

const connections = 64
/** Between two events of the watched workflow: time for all of its readers, so that the delay is of one event and no queue. */
const pauseMs = (readers: number): number => Math.max(50, readers / 20)
const fewestEvents = 10
/** For connecting, and for the last event to arrive at the last reader. */
const connectMs = 60_000
const arriveMs = 10_000
/** As many as one process reads without becoming what is measured, and within most limits on descriptors. */
const readersPerProcess = 2500

const percentiles: readonly Line[] = [
  { figure: "p50_ms", unit: "ms" },
  { figure: "p99_ms", unit: "ms" },
]

export const httpBenchmarks: readonly Benchmark[] = [commands(), streams(1000), streams(10_000, 1)]

function commands(): Benchmark {
  return {
    name: `http.${connections}`,
    kind: "system",
    store: "sqlite",
    needs: "http",
    headline: { figure: "commands_per_s", unit: "commands/s" },
    ratioTarget: atLeast(0.5),
    others: [...percentiles, { figure: "cpu_us", unit: "µs" }],
    maxRounds: 5,
    prepare: async ({ subject, seconds }) => {
      const serve = subject?.serve?.bind(subject)
      return {
        floor: async (dir) => loaded(await bare(dir), seconds * longer),
        ...(serve && { system: async (dir) => loaded(await serve(dir), seconds * longer) }),
      }
    },
  }
}

/** Slices are longer than elsewhere: a server is warm later than a function. */
const longer = 4

async function loaded(served: Served, seconds: number): Promise<Sample> {
  const loader = new Loader()
  try {
    let before = process.cpuUsage()
    const order = { kind: "commands", address: served.address, connections, seconds } as const
    const ms = (warmUpSeconds(seconds) + seconds) * 1000
    const during = (): void => {
      before = process.cpuUsage()
    }
    const { sample, commands } = await loader.ask(order, "measured", { ms, during })
    const { user, system } = process.cpuUsage(before)
    return { ...sample, cpu_us: (user + system) / commands }
  } finally {
    await loader.close()
    await served.close()
  }
}

/** From the answer of a command to the arrival of its event at each of many readers of the workflow. */
function streams(readers: number, maxRounds = 5): Benchmark {
  return {
    name: `http.sse.${readers}`,
    kind: "system",
    store: "sqlite",
    needs: "http",
    headline: { figure: "p99_ms", unit: "ms", ...(readers <= 1000 && { target: atMost(50) }) },
    others: [
      { figure: "p50_ms", unit: "ms" },
      { figure: "held", unit: "readers", target: atLeast(readers) },
      { figure: "lost", unit: "readers", target: atMost(0) },
    ],
    maxRounds,
    prepare: async ({ subject, seconds }) => {
      const serve = subject?.serve?.bind(subject)
      return {
        floor: async (dir) => watched(await bare(dir), readers, seconds),
        ...(serve && { system: async (dir) => watched(await serve(dir), readers, seconds) }),
      }
    },
  }
}

async function watched(served: Served, readers: number, seconds: number): Promise<Sample> {
  const processes = Math.max(Math.min(2, availableParallelism()), Math.ceil(readers / readersPerProcess))
  const loaders = Array.from({ length: processes }, () => new Loader())
  try {
    const { workflowId, after, commit } = await served.watch()
    const common = { kind: "readers", address: served.address, workflowId, after } as const
    await Promise.all(
      loaders.map((loader, index) => {
        const share = Math.floor(readers / processes) + (index < readers % processes ? 1 : 0)
        return loader.ask({ ...common, readers: share }, "reading", { ms: connectMs })
      }),
    )
    const committed = new Map<number, number>()
    const events = Math.max(fewestEvents, Math.ceil((seconds * 1000) / pauseMs(readers)))
    let last = after
    for (let event = 0; event < events; event++) {
      last = await commit()
      committed.set(last, sharedMs())
      await new Promise((resolve) => setTimeout(resolve, pauseMs(readers)))
    }
    const order = { kind: "count", last, patienceMs: arriveMs } as const
    const reports = await Promise.all(loaders.map((loader) => loader.ask(order, "counted", { ms: arriveMs })))
    const held = reports.reduce((sum, { arrivals }) => sum + arrivals.held, 0)
    const delays = reports.flatMap(({ arrivals }) =>
      Object.entries(arrivals.at).flatMap(([seq, times]) => {
        const from = committed.get(Number(seq))
        return from === undefined ? [] : times.map((at) => at - from)
      }),
    )
    return { p50_ms: percentile(delays, 0.5), p99_ms: percentile(delays, 0.99), held, lost: readers - held }
  } finally {
    await Promise.all(loaders.map((loader) => loader.close()))
    await served.close()
  }
}
