/**
 * A long crash campaign: `npm run campaign:crash -- --rounds 300 --seconds 600 --seed 1`.
 *
 * Processes work on a SQLite file and are killed with SIGKILL at random moments; after each the file is judged
 * (test/crash/rounds.ts). Ends after that many rounds or seconds, whichever comes first, or at the first problem, whose store is
 * kept. Prints a summary; exits with 1 when there was a problem.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type CrashSummary, crashRounds } from "../../test/crash/rounds.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "300" },
    seconds: { type: "string", default: "600" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
})
const number = (name: keyof typeof values): number => {
  const value = Number(values[name])
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not ${values[name]}`)
  return value
}

// The agents run what was built.
const build = spawnSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))], {
  stdio: "inherit",
})
if (build.status !== 0) process.exit(1)
const seed = number("seed")
const started = Date.now()
const show = (summary: CrashSummary): string =>
  [
    `${summary.rounds} rounds, ${summary.kills} kills, ${summary.finished} finished before`,
    `${summary.sent} commands sent, ${summary.acknowledged} acknowledged, ${summary.replayed} sent again under their keys`,
    `${summary.events} events judged (each file's anew in each round), ${summary.fired} of deadlines`,
  ].join("; ")

console.log(`seed ${seed}`)
const summary = await crashRounds({
  seed,
  rounds: number("rounds"),
  roundsPerFile: 10,
  lines: 1500,
  until: started + number("seconds") * 1000,
  progress: (so) => {
    if (so.rounds % 20 === 0) console.log(`${Math.round((Date.now() - started) / 1000)} s: ${show(so)}`)
  },
})
console.log(`${show(summary)}; ${Math.round((Date.now() - started) / 1000)} s`)
for (const problem of summary.problems) console.error(problem)
console.log(summary.problems.length === 0 ? "nothing that was acknowledged is lost" : "FAILED")
process.exitCode = summary.problems.length === 0 ? 0 : 1
