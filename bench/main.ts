/**
 * The benchmarks: `npm run bench`. Exit status 0 when everything ran (a target that is not met is a result, not a
 * failure), 1 when a benchmark failed, 2 when the command line was wrong.
 */
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { arch, cpus, platform } from "node:os"
import { join } from "node:path"
import type { Benchmark, Context } from "./benchmark.ts"
import { benchmarks } from "./benchmarks.ts"
import { handrail } from "./handrail.ts"
import { helpText, isWanted, type Options, parse } from "./options.ts"
import { installPeers, type Peers, peerVersions, startPeers } from "./peers.ts"
import { openPostgres, type Postgres } from "./postgres.ts"
import { type Figures, figuresOf, referenceFloor128, renderProfiles, renderTable, unsteady } from "./report.ts"
import { type Result, runBenchmark } from "./rounds.ts"
import type { Subject } from "./subject.ts"

const tmpfsType = 0x01021994

process.exitCode = await main(process.argv.slice(2), handrail)

async function main(argv: readonly string[], subject: Subject | undefined): Promise<number> {
  const parsed = parse(argv, benchmarks)
  if (parsed.kind === "help") {
    process.stdout.write(helpText(benchmarks.map((benchmark) => benchmark.name)))
    return 0
  }
  if (parsed.kind === "mistake") {
    process.stderr.write(`bench: ${parsed.message}\nTry --help.\n`)
    return 2
  }
  return await measure(parsed.options, subject)
}

async function measure(options: Options, subject: Subject | undefined): Promise<number> {
  const chosen = benchmarks.filter((benchmark) => isWanted(benchmark, options))
  if (chosen.some(({ needs }) => needs === "peers")) {
    const missing = installPeers((text) => process.stderr.write(`bench: ${text}\n`))
    if (missing !== undefined) {
      process.stderr.write(`bench: ${missing}\n`)
      return 1
    }
  }
  const dir = mkdtempSync(join(options.dir, "handrail-bench-"))
  const postgres = once(() => openPostgres(options.dir))
  const peers = once(startPeers)
  const clean = async (): Promise<void> => {
    rmSync(dir, { recursive: true, force: true })
    await peers.close()
    await postgres.close()
  }
  const interrupted = (): void => {
    void clean().finally(() => process.exit(130))
  }
  process.once("SIGINT", interrupted)
  process.once("SIGTERM", interrupted)
  const onDisk = statfsSync(dir).type !== tmpfsType
  try {
    const services = { postgres: postgres.open, peers: peers.open }
    const { results, leftOut, failures } = await runAll(chosen, options, dir, { subject, ...services })
    const figures = figuresOf(results)
    process.stdout.write(`${summary(options, results, figures, leftOut, onDisk)}\n`)
    for (const { name, error } of failures) {
      process.stderr.write(
        `bench: ${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
      )
    }
    if (options.json !== undefined) {
      const failed = failures.map(({ name }) => name)
      const status = { leftOut, failed, unsteady: unsteady(results), onDisk }
      const about = {
        subject: subject?.name ?? null,
        postgres: (await postgres.opened())?.about ?? null,
        peers: (await peers.opened()) === undefined ? null : peerVersions(),
      }
      writeFileSync(options.json, `${JSON.stringify(document(options, figures, status, about), null, 2)}\n`)
    }
    return failures.length === 0 ? 0 : 1
  } finally {
    await clean()
    process.off("SIGINT", interrupted)
    process.off("SIGTERM", interrupted)
  }
}

/** Something that is opened when it is first asked for, and closed only if it was. */
function once<A extends Postgres | Peers>(start: () => Promise<A>) {
  let opening: Promise<A> | undefined
  // That it could not be opened has been reported by whoever asked for it.
  const opened = async (): Promise<A | undefined> => opening?.catch(() => undefined)
  return {
    open: (): Promise<A> => {
      opening ??= start()
      return opening
    },
    opened,
    close: async (): Promise<void> => (await opened())?.close(),
  }
}

interface Outcome {
  readonly results: Result[]
  readonly leftOut: string[]
  readonly failures: { readonly name: string; readonly error: unknown }[]
}

/** One that fails does not take the figures of the others with it. */
async function runAll(
  chosen: readonly Benchmark[],
  { rounds, seconds, quick }: Options,
  dir: string,
  services: Pick<Context, "subject" | "postgres" | "peers">,
): Promise<Outcome> {
  const outcome: Outcome = { results: [], leftOut: [], failures: [] }
  for (const benchmark of chosen) {
    try {
      const result = await runBenchmark(benchmark, { rounds, dir, context: { ...services, seconds, quick }, progress })
      if (result !== undefined) outcome.results.push(result)
      if (result === undefined || (benchmark.kind === "system" && result.system.size === 0))
        outcome.leftOut.push(benchmark.name)
    } catch (error) {
      outcome.failures.push({ name: benchmark.name, error })
    }
  }
  progress("")
  return outcome
}

/** On a terminal one line that is overwritten; elsewhere nothing, so that a log holds only the table. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function summary(
  { quick, rounds, seconds }: Options,
  results: readonly Result[],
  figures: Figures,
  leftOut: readonly string[],
  onDisk: boolean,
): string {
  const parts = [renderTable(results, figures)]
  const profiles = renderProfiles(figures)
  if (profiles !== "") parts.push(profiles)
  const notes = [`Medians of up to ${rounds} rounds of ${seconds} s, floor and system in turn. Ratio = system ÷ floor.`]
  const factor = figures.values["machine.factor"]
  if (factor !== undefined) {
    notes.push(
      `This machine now: ${factor.toFixed(2)} × the ${referenceFloor128.toLocaleString("en-US")} lifecycles/s of the reference floor; absolute targets are for 1.00.`,
    )
  }
  const busy = unsteady(results)
  if (busy.length > 0) {
    notes.push(`The machine was busy: the floor varied by more than half in ${busy.join(", ")}. Repeat these.`)
  }
  if (leftOut.length > 0) notes.push(`The system was not measured in: ${leftOut.join(", ")}.`)
  if (!onDisk)
    notes.push(
      "The files were in memory (tmpfs): syncing cost nothing, no SQLite or Postgres figure means anything. Use --dir.",
    )
  if (quick) notes.push("--quick: to see that it runs, not to quote.")
  parts.push(notes.join("\n"))
  return parts.join("\n\n")
}

/** Every figure is a number at the top level, under its stable name; what is no figure is in the four objects. */
function document(
  { quick, rounds, seconds }: Options,
  { values, ranges, verdicts }: Figures,
  status: {
    readonly leftOut: readonly string[]
    readonly failed: readonly string[]
    readonly unsteady: readonly string[]
    readonly onDisk: boolean
  },
  about: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    ...values,
    ranges,
    targets: verdicts,
    status,
    about: {
      ...about,
      quick,
      rounds,
      seconds,
      node: process.version,
      platform: `${platform()} ${arch()}`,
      cores: cpus().length,
      cpu: cpus()[0]?.model ?? "unknown",
    },
  }
}
