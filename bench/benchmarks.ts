/**
 * The list: what is measured, against which floor, with which target. Names and figures are stable; BENCHMARKS.md
 * explains each, and other tools read them from the JSON file.
 */
import { lifecyclesAlone, lifecyclesInGroups, rows } from "./floor.ts"
import { percentile, type Sample, throughput, warmUpSeconds } from "./measure.ts"
import { appendAndSync, createMailbox, promiseRoundTrips, tableLookups, xstateTransitions } from "./raw.ts"
import { concurrent, type History, type Store, type Subject } from "./subject.ts"

/** One measured slice in an empty directory of its own. */
export type Slice = (dir: string) => Promise<Sample>

/** The two sides of a benchmark, measured in turn. Without `system` only the floor is measured, and the reverse. */
export interface Pair {
  readonly floor?: Slice
  readonly system?: Slice
  readonly close?: () => Promise<void>
}

export interface Target {
  readonly bound: "at least" | "at most"
  readonly value: number
}

/** A line of the table: a key of the sample, its unit, and the target it must meet by itself. */
export interface Line {
  readonly figure: string
  readonly unit: string
  readonly target?: Target
}

export interface Benchmark {
  readonly name: string
  /** A floor alone is a figure by itself: it has no ratio, and nothing is left out when there is no system. */
  readonly kind: "floor" | "system"
  /** What the ratio compares: system ÷ floor of this figure. */
  readonly headline: Line
  readonly ratioTarget?: Target
  readonly others?: readonly Line[]
  /** Fewer rounds for what is slow to build. */
  readonly maxRounds?: number
  /** Undefined when the subject cannot do it. */
  prepare(context: Context): Promise<Pair | undefined>
}

export interface Context {
  readonly subject: Subject | undefined
  readonly seconds: number
  readonly quick: boolean
  /** An empty directory that lives until the benchmark is over. */
  readonly dir: string
}

const atLeast = (value: number): Target => ({ bound: "at least", value })
const atMost = (value: number): Target => ({ bound: "at most", value })

/** offer, claim, propose, commit, complete */
const commandsPerLifecycle = 5
const killedSessions = 10_000
const historySteps = { full: 1_000_000, quick: 20_000 }

export const benchmarks: readonly Benchmark[] = [
  sqliteAlone(),
  sqliteTogether(16),
  sqliteTogether(128, atLeast(0.3)),
  memory(128),
  rules(),
  history(),
  kill(),
  floor("floor.fdatasync", "appends_per_s", "appends/s", (dir, seconds) => appendAndSync(dir, seconds)),
  floor("floor.sqlite.1", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 1, seconds)),
  floor("floor.sqlite.100", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 100, seconds)),
  floor("floor.sqlite.1000", "rows_per_s", "rows/s", (dir, seconds) => rows(dir, 1000, seconds)),
  floor("floor.xstate", "transitions_per_s", "transitions/s", (_, seconds) => xstateTransitions(seconds)),
  floor("floor.table", "lookups_per_s", "lookups/s", (_, seconds) => tableLookups(seconds)),
  floor("floor.promise.1", "round_trips_per_s", "round trips/s", (_, seconds) => promiseRoundTrips(1, seconds)),
  floor("floor.promise.128", "round_trips_per_s", "round trips/s", (_, seconds) => promiseRoundTrips(128, seconds)),
]

function sqliteAlone(): Benchmark {
  return {
    name: "sqlite.alone",
    kind: "system",
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
  const mailbox: Pick<Subject, "open"> = {
    open: async () => {
      const ask = createMailbox()
      const lifecycle = async (): Promise<void> => {
        for (let command = 0; command < commandsPerLifecycle; command++) await ask()
      }
      return { lifecycle, close: async () => {} }
    },
  }
  return {
    name: `memory.${workflows}`,
    kind: "system",
    headline: { figure: "lifecycles_per_s", unit: "lifecycles/s", target: atLeast(40_000) },
    others: [
      { figure: "p50_ms", unit: "ms" },
      { figure: "p99_ms", unit: "ms" },
    ],
    prepare: async (context) =>
      pair(
        (dir) => concurrent(mailbox, { store: "memory", dir, workflows, seconds: context.seconds }),
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
    headline: { figure: "ms", unit: "ms", target: atMost(50) },
    maxRounds: 5,
    prepare: async ({ subject }) => {
      const build = subject?.killTree?.bind(subject)
      if (build === undefined) return undefined
      return {
        system: async (dir) => {
          const tree = await build(dir, killedSessions)
          try {
            const before = performance.now()
            await tree.kill()
            return { ms: performance.now() - before }
          } finally {
            await tree.close()
          }
        },
      }
    },
  }
}

function floor(
  name: string,
  figure: string,
  unit: string,
  measure: (dir: string, seconds: number) => Sample | Promise<Sample>,
): Benchmark {
  return {
    name,
    kind: "floor",
    headline: { figure, unit },
    maxRounds: 5,
    prepare: async ({ seconds }) => ({ floor: async (dir) => measure(dir, seconds) }),
  }
}

function lifecycles({ subject, seconds }: Context, store: Store, workflows: number): Slice | undefined {
  return subject && ((dir) => concurrent(subject, { store, dir, workflows, seconds }))
}

function pair(floorSlice: Slice, system: Slice | undefined): Pair {
  return system === undefined ? { floor: floorSlice } : { floor: floorSlice, system }
}
