/**
 * Disks that fail: `npm run campaign:disk -- --seconds 600 --seed 1 --only full|io|server`.
 *
 * Two processes race on a store whose disk runs full, or whose writes fail, again and again (test/crash/diskRounds.ts). Says what
 * can't be tried on this machine, and fails when nothing can. docs/campaigns.md.
 */
import { diskKinds, diskRounds } from "../../test/crash/diskRounds.ts"
import { begin, end, problemsOf, reporter, shown } from "./campaign.ts"

const { seed, rounds, until, only } = begin()
const { possible, missing } = diskKinds()
for (const reason of missing) console.log(`left out: ${reason}`)
const kinds = possible.filter((kind) => only === undefined || kind === only)
if (kinds.length === 0) throw new Error("no disk can be made to fail on this machine")
console.log(`rounds of ${kinds.join(", ")}`)
const summary = await diskRounds({ kinds, seed, rounds, until, blows: 8, progress: reporter(shown) })
const felt = kinds.some((kind) => (summary.done[kind] ?? 0) > 0)
const problems = felt ? problemsOf(summary) : [...problemsOf(summary), "no process ever noticed that the disk failed"]
end(shown(summary), problems, "nothing that was acknowledged is lost, and everybody went on")
