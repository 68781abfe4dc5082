/**
 * Crashes: `npm run campaign:crash -- --seconds 600 --seed 1 --store sqlite|postgres --only points|moments`.
 *
 * Processes work on a store and are killed with SIGKILL: first at every named point of the write path (test/crash/pointRounds.ts),
 * then, in what time is left, at random moments (test/crash/rounds.ts). After each the store is judged. docs/campaigns.md.
 */
import { crashAtPoints, type PointSummary } from "../../test/crash/pointRounds.ts"
import { type CrashSummary, crashRounds } from "../../test/crash/rounds.ts"
import { begin, end, reporter, withStores } from "./campaign.ts"

const show = (summary: CrashSummary): string =>
  [
    `${summary.rounds} rounds, ${summary.kills} kills, ${summary.finished} finished before`,
    `${summary.sent} commands sent, ${summary.acknowledged} acknowledged, ${summary.replayed} sent again under their keys`,
    `${summary.events} events judged (each file's anew in each round), ${summary.fired} of deadlines`,
  ].join("; ")
const showPoints = (summary: PointSummary): string =>
  `${summary.killedAt.size} of ${summary.known.length} points killed at; ${show(summary)}`

const campaign = begin()
const problems = await withStores(campaign, async (stores) => {
  const { seed, rounds, until, only } = campaign
  const found: Array<string> = []
  if (only !== "moments") {
    const points = await crashAtPoints({ stores, seed, until, progress: reporter(showPoints) })
    for (const point of points.known) console.log(`  ${points.killedAt.get(point) ?? 0} × ${point}`)
    console.log(showPoints(points))
    if (points.killedAt.size < points.known.length) console.log("not all points were come to: give it more --seconds")
    found.push(...points.problems, ...points.missed.map((point) => `no process came by the point ${point}`))
  }
  if (only === "points" || found.length > 0) return found
  const summary = await crashRounds({
    stores,
    seed,
    rounds,
    roundsPerFile: 10,
    lines: 1500,
    until,
    progress: reporter(show),
  })
  console.log(show(summary))
  return [...found, ...summary.problems]
})
end(campaign.store, problems, "nothing that was acknowledged is lost")
