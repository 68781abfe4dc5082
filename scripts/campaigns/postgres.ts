/**
 * A database under blows: `npm run campaign:postgres -- --seconds 600 --seed 1`.
 *
 * A server of its own is killed, frozen and started again, and connections are cut, while three processes race on it
 * (test/crash/postgresRounds.ts). docs/campaigns.md.
 */
import { postgresRounds } from "../../test/crash/postgresRounds.ts"
import { begin, end, problemsOf, reporter, shown, withServer } from "./campaign.ts"

const { seed, rounds, until } = begin()
const summary = await withServer((server) =>
  postgresRounds({ server, seed, rounds, until, blows: 10, progress: reporter(shown) }),
)
end(shown(summary), problemsOf(summary), "nothing that was acknowledged is lost, and everybody went on")
