/**
 * The list: what is measured, against which floor, with which target. Names and figures are stable; BENCHMARKS.md
 * explains each, and other tools read them from the JSON file.
 */
import {
  atLeast,
  atMost,
  type Benchmark,
  type Context,
  pair,
  type Slice,
  type Store,
  type Target,
} from "./benchmark.ts"
import { httpBenchmarks } from "./benchmarksHttp.ts"
import { peerBenchmarks } from "./benchmarksPeers.ts"
import { postgresBenchmarks } from "./benchmarksPostgres.ts"
import { sdkBenchmarks } from "./benchmarksSdk.ts"
import { lifecyclesAlone, lifecyclesInGroups, rows } from "./floor.ts"
import { percentile, type Sample, throughput, warmUpSeconds } from "./measure.ts"
import { appendAndSync, createMailbox, promiseRoundTrips, tableLookups, xstateTransitions } from "./raw.ts"
import { concurrent, type History, killed, killedSessions, type Opened } from "./subject.ts"

/** offer, claim, propose, commit, complete */
const commandsPerLifecycle = 5
const historySteps = { full: 1_000_000, quick: 20_000 }

export const benchmarks: readonly Benchmark[] = [
  sqliteAlone(),
  sqliteTogether(16),
  sqliteTogether(128, atLeast(0.3)),
  memory(128),
  rules(),
  history(),
  kill(),
  ...sdkBenchmarks,
  ...postgresBenchmarks,
  ...httpBenchmarks,
  ...peerBenchmarks,
  floor("floor.fdatasync", "appends_per_s", "appends/s", (dir, seconds) => appendAndSync(dir, seconds)),
  floor("floor.sqlite.1", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 1, seconds), "sqlite"),
  floor("floor.sqlite.100", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 100, seconds), "sqlite"),
  floor("floor.sqlite.1000", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 1000, seconds), "sqlite"),
  floor("floor.xstate", "transitions_per_s", "transitions/s", (_, seconds) => xstateTransitions(seconds)),
  floor("floor.table", "lookups_per_s", "lookups/s", (_, seconds) => tableLookups(seconds)),
  floor("floor.promise.1", "round_trips_per_s", "round trips/s", (_, seconds) => promiseRoundTrips(1, seconds)),
  floor("floor.promise.128", "round_trips_per_s", "round trips/s", (_, seconds) => promiseRoundTrips(128, seconds)),
]

function sqliteAlone(): Benchmark {
  return {
    name: "sqlite.alone",
    kind: "system",
    store: "sqlite",
    headline: { figure: "p50_ms", unit: "ms" },
    ratioTarget: atMost(2),
    others: [
      { figure: "p99_ms", unit: "ms" },
      { figure: "lifecycles_per_s", unit: "lifecycles/s" },
    ],
    prepare: async (context) =>
      pair(async (dir) => lifecyclesAlone(dir, context.seconds), lifecycles(context, "sqlite", 1)),
  }
}

function sqliteTogether(workflows: number, ratioTarget?: Target): Benchmark {
  return {
    name: `sqlite.${workflows}`,
    kind: "system",
    store: "sqlite",
    headline: { figure: "lifecycles_per_s", unit: "lifecycles/s" },
    ...(ratioTarget && { ratioTarget }),
    others: [
      { figure: "p50_ms", unit: "ms" },
      { figure: "p99_ms", unit: "ms" },
    ],
    prepare: async (context) =>
      pair(
        async (dir) => lifecyclesInGroups(dir, workflows, context.seconds),
        lifecycles(context, "sqlite", workflows),
      ),
  }
}

/** The floor is the load itself on a mailbox that answers and does nothing: promises and `setImmediate` only. */
function memory(workflows: number): Benchmark {
  const mailbox = async (): Promise<Opened> => {
    const ask = createMailbox()
    const lifecycle = async (): Promise<void> => {
      for (let command = 0; command < commandsPerLifecycle; command++) await ask()
    }
    return { lifecycle, close: async () => {} }
  }
  return {
    name: `memory.${workflows}`,
    kind: "system",
    store: "memory",
    headline: { figure: "lifecycles_per_s", unit: "lifecycles/s", target: atLeast(40_000) },
    others: [
      { figure: "p50_ms", unit: "ms" },
      { figure: "p99_ms", unit: "ms" },
    ],
    prepare: async (context) =>
      pair(
        () => concurrent(mailbox(), { workflows, seconds: context.seconds }),
        lifecycles(context, "memory", workflows),
      ),
  }
}

function rules(): Benchmark {
  return {
    name: "rules",
    kind: "system",
    headline: { figure: "commands_per_s", unit: "commands/s" },
    prepare: async ({ subject, seconds }) => {
      const decide = subject?.rules?.()
      if (decide === undefined) return undefined
      const batch = 100
      return {
        system: async () => ({
          commands_per_s: throughput(seconds, () => {
            decide(batch)
            return batch
          }),
        }),
      }
    },
  }
}

/** The floor of a long history is a fresh workflow in the same runtime: a ratio above 1 is what the history costs. */
function history(): Benchmark {
  return {
    name: "history",
    kind: "system",
    store: "sqlite",
    headline: { figure: "command_us", unit: "µs" },
    ratioTarget: atMost(1.2),
    others: [
      { figure: "open_ms", unit: "ms", target: atMost(50) },
      { figure: "store_ms", unit: "ms" },
      { figure: "steps", unit: "steps" },
    ],
    prepare: async ({ subject, seconds, quick, dir }) => {
      const steps = quick ? historySteps.quick : historySteps.full
      const long = await subject?.history?.(dir, steps)
      if (long === undefined) return undefined
      return {
        floor: async () => ({ command_us: await commandMicroseconds(long, "fresh", seconds) }),
        system: async () => ({
          ...(await openMilliseconds(long)),
          command_us: await commandMicroseconds(long, "long", seconds),
          steps,
        }),
        close: () => long.close(),
      }
    },
  }
}

async function openMilliseconds(long: History): Promise<{ open_ms: number; store_ms: number }> {
  const start = performance.now()
  const opened = await long.openStore()
  const store = performance.now()
  await opened.openLong()
  const workflow = performance.now()
  await opened.close()
  return { open_ms: workflow - store, store_ms: store - start }
}

async function commandMicroseconds(long: History, on: "long" | "fresh", seconds: number): Promise<number> {
  const warmUntil = performance.now() + warmUpSeconds(seconds) * 1000
  while (performance.now() < warmUntil) await long.command(on)
  const taken: number[] = []
  const until = performance.now() + seconds * 1000
  for (let before = performance.now(); before < until; ) {
    await long.command(on)
    const after = performance.now()
    taken.push((after - before) * 1000)
    before = after
  }
  return percentile(taken, 0.5)
}

function kill(): Benchmark {
  return {
    name: `kill.${killedSessions}`,
    kind: "system",
    store: "sqlite",
    headline: { figure: "ms", unit: "ms", target: atMost(50) },
    maxRounds: 5,
    prepare: async ({ subject }) => {
      const build = subject?.killTree?.bind(subject)
      return build && { system: (dir) => killed(build({ store: "sqlite", dir }, killedSessions)) }
    },
  }
}

function floor(
  name: string,
  figure: string,
  unit: string,
  measure: (dir: string, seconds: number) => Sample | Promise<Sample>,
  store?: Store,
): Benchmark {
  return {
    name,
    kind: "floor",
    ...(store && { store }),
    headline: { figure, unit },
    maxRounds: 5,
    prepare: async ({ seconds }) => ({ floor: async (dir) => measure(dir, seconds) }),
  }
}

function lifecycles({ subject, seconds }: Context, store: "sqlite" | "memory", workflows: number): Slice | undefined {
  return subject && ((dir) => concurrent(subject.open({ store, dir }), { workflows, seconds }))
}
