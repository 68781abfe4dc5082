/**
 * A long campaign of simulated runs: `npm run campaign:simulate -- --runs 100000 --seed 1 --seconds 600`.
 *
 * Each seed is one run (src/testing/simulation); several processes share them. Ends after that many runs or seconds, whichever
 * comes first, or at the first failure, which is made smaller and printed with its trace and the command that makes it again.
 * `--replay SEED` makes one run again, smaller with `--nodes`, `--workflows`, `--agents`, `--commands`, `--faults`, on another
 * `--schedule`; `--shrink` makes it smaller by itself. Exits with 1 when a run failed.
 */
import { type ChildProcess, fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { replayCommand, shrink } from "../../src/testing/simulation/shrink.ts"
import { type SimulateOptions, type SimulationResult, simulate } from "../../src/testing/simulation/simulate.ts"
import { type Sweep, sweep } from "../../src/testing/simulation/sweep.ts"

interface Share {
  readonly from: number
  readonly count: number
}

const limitNames = ["nodes", "workflows", "agents", "commands", "faults"] as const
/** Seeds that a process is given at a time. */
const shareSize = 100

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "600" },
    workers: { type: "string", default: String(availableParallelism()) },
    replay: { type: "string" },
    shrink: { type: "boolean", default: false },
    schedule: { type: "string" },
    lines: { type: "string", default: "400" },
    ...Object.fromEntries(limitNames.map((name) => [name, { type: "string" } as const])),
  },
})
const count = (name: string, text: unknown): number => {
  const value = Number(text)
  if (typeof text !== "string" || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} takes a number, not ${String(text)}`)
  return value
}
const given: Readonly<Record<string, unknown>> = values
const limits = Object.fromEntries(
  limitNames.flatMap((name) => (given[name] === undefined ? [] : [[name, count(name, given[name])]])),
)

const tell = (result: SimulationResult, options: SimulateOptions): void => {
  console.log(result.trace.join("\n"))
  const { violation, digest, steps, virtualMs } = result
  console.log(`seed ${result.seed}: ${steps} tasks, ${virtualMs} virtual ms, digest ${digest}`)
  console.log(violation === null ? "it held" : `FAILED: ${violation.rule}: ${violation.detail}`)
  console.log(replayCommand(options))
}

const replay = async (seed: number, smaller: boolean): Promise<boolean> => {
  const schedule = values.schedule === undefined ? {} : { schedule: count("schedule", values.schedule) }
  const options = { seed, ...schedule, limits, traceLines: count("lines", values.lines) }
  const shrunk = smaller ? await shrink(options) : undefined
  const result = shrunk?.result ?? (await simulate(options))
  tell(result, shrunk?.options ?? options)
  if (shrunk !== undefined) console.log(`made smaller in ${shrunk.runs} runs`)
  return result.violation === null
}

/** A process of the campaign: sweeps what it is given, until it is told that there is no more. */
const work = (): void => {
  // Most errors here are refusals that nobody reads: their stacks cost more than the rules. A replay has them.
  Error.stackTraceLimit = 0
  process.on("message", (share: Share) => {
    sweep({ ...share, traceLines: 1, limits }).then(
      (swept) => process.send?.(swept),
      (error: unknown) => {
        console.error(error)
        process.exit(2)
      },
    )
  })
}

const campaign = async (): Promise<boolean> => {
  const [runs, first, seconds] = [
    count("runs", values.runs),
    count("seed", values.seed),
    count("seconds", values.seconds),
  ]
  const started = Date.now()
  const elapsed = () => (Date.now() - started) / 1000
  const totals = { runs: 0, steps: 0, virtualMs: 0 }
  const counts: Record<string, number> = {}
  let next = first
  let failure: SimulationResult | null = null
  const show = (): string => {
    const faults = Object.entries(counts).reduce((sum, [what, n]) => sum + (what.startsWith("fault ") ? n : 0), 0)
    const events = Object.entries(counts).reduce((sum, [what, n]) => sum + (what.startsWith("event ") ? n : 0), 0)
    return [
      `${totals.runs} of ${runs} runs in ${Math.round(elapsed())} s (${Math.round(totals.runs / Math.max(1, elapsed()))}/s)`,
      `${totals.steps} tasks, ${events} events, ${faults} faults, ${Math.round(totals.virtualMs / 3_600_000)} virtual hours`,
    ].join("; ")
  }
  const progress = setInterval(() => console.log(show()), 5000)

  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child: ChildProcess = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
        execArgv: process.execArgv,
        env: { ...process.env, HANDRAIL_SIMULATE: "worker" },
      })
      const share = (): void => {
        const left = first + runs - next
        if (left <= 0 || failure !== null || elapsed() >= seconds) return void child.disconnect()
        const given: Share = { from: next, count: Math.min(shareSize, left) }
        next += given.count
        child.send(given)
      }
      child.on("message", (swept: Sweep) => {
        totals.runs += swept.runs
        totals.steps += swept.steps
        totals.virtualMs += swept.virtualMs
        for (const [what, times] of Object.entries(swept.counts)) counts[what] = (counts[what] ?? 0) + times
        failure ??= swept.failure
        share()
      })
      child.on("exit", (code) =>
        code === 0 ? resolve() : reject(new Error(`a process of the campaign ended with ${code}`)),
      )
      share()
    })

  try {
    await Promise.all(Array.from({ length: Math.max(1, count("workers", values.workers)) }, worker))
  } finally {
    clearInterval(progress)
  }
  console.log(`seeds ${first} to ${next - 1}: ${show()}`)
  if (failure === null) return true
  const { seed }: SimulationResult = failure
  console.log(`seed ${seed} failed; making it smaller`)
  return replay(seed, true)
}

if (process.env.HANDRAIL_SIMULATE === "worker") work()
else {
  const held =
    values.replay === undefined ? await campaign() : await replay(count("replay", values.replay), values.shrink)
  if (values.replay === undefined) console.log(held ? "every run held" : "FAILED")
  process.exitCode = held ? 0 : 1
}
