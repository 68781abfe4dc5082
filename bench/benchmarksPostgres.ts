/** The benchmarks on Postgres: lifecycles, contended claims and a kill, each beside the hand-written one of the same run. */
import { atLeast, atMost, type Benchmark, type Context, type Line, type Slice, type Target } from "./benchmark.ts"
import { handwritten, handwrittenContest } from "./floorPostgres.ts"
import type { Schema } from "./postgres.ts"
import { concurrent, contested, killed, killedSessions, type Place } from "./subject.ts"

const claimants = 64

const milliseconds: readonly Line[] = [
  { figure: "p50_ms", unit: "ms" },
  { figure: "p99_ms", unit: "ms" },
]
const lifecyclesPerSecond: Line = { figure: "lifecycles_per_s", unit: "lifecycles/s" }

export const postgresBenchmarks: readonly Benchmark[] = [
  alone(atMost(1.5)),
  together(16),
  together(128, atLeast(2)),
  claims("64", 1),
  claims("4x16", 4),
  kill(),
]

function alone(ratioTarget: Target): Benchmark {
  return {
    name: "postgres.alone",
    kind: "system",
    store: "postgres",
    headline: { figure: "p50_ms", unit: "ms" },
    ratioTarget,
    others: [{ figure: "p99_ms", unit: "ms" }, lifecyclesPerSecond],
    prepare: (context) => lifecycles(context, 1),
  }
}

function together(workflows: number, ratioTarget?: Target): Benchmark {
  return {
    name: `postgres.${workflows}`,
    kind: "system",
    store: "postgres",
    headline: lifecyclesPerSecond,
    ...(ratioTarget && { ratioTarget }),
    others: milliseconds,
    prepare: (context) => lifecycles(context, workflows),
  }
}

/** `64` claimants of one runtime, or `4x16`: four runtimes with sixteen each, which know of each other by the database alone. */
function claims(name: string, runtimes: number): Benchmark {
  return {
    name: `postgres.claims.${name}`,
    kind: "system",
    store: "postgres",
    headline: { figure: "p50_ms", unit: "ms" },
    others: [
      { figure: "p99_ms", unit: "ms" },
      { figure: "contests_per_s", unit: "contests/s" },
    ],
    prepare: async (context) => {
      const { subject, seconds } = context
      const contest = subject?.contest?.bind(subject)
      return sides(
        context,
        (place) => contested(handwrittenContest(place, claimants), seconds),
        contest && ((place) => contested(contest(onPostgres(place), runtimes, claimants), seconds)),
      )
    },
  }
}

function kill(): Benchmark {
  return {
    name: `postgres.kill.${killedSessions}`,
    kind: "system",
    store: "postgres",
    headline: { figure: "ms", unit: "ms" },
    maxRounds: 5,
    prepare: async (context) => {
      const build = context.subject?.killTree?.bind(context.subject)
      return build && { system: await onServer(context, (place) => killed(build(onPostgres(place), killedSessions))) }
    },
  }
}

/** Both sides are the same closed loop with one lifecycle in flight a workflow; only what answers it differs. */
function lifecycles(context: Context, workflows: number) {
  const { subject, seconds } = context
  return sides(
    context,
    (place) => concurrent(handwritten(place, workflows), { workflows, seconds }),
    subject && ((place) => concurrent(subject.open(onPostgres(place)), { workflows, seconds })),
  )
}

type SliceOnServer = Parameters<Awaited<ReturnType<Context["postgres"]>>["inFreshSchema"]>[0]

async function sides(context: Context, floor: SliceOnServer, system: SliceOnServer | undefined) {
  const floorSlice = await onServer(context, floor)
  return system === undefined ? { floor: floorSlice } : { floor: floorSlice, system: await onServer(context, system) }
}

async function onServer(context: Context, slice: SliceOnServer): Promise<Slice> {
  const { inFreshSchema } = await context.postgres()
  return () => inFreshSchema(slice)
}

function onPostgres(place: Schema): Place {
  return { store: "postgres", ...place }
}
