/**
 * Freezes: `npm run campaign:freeze -- --seconds 600 --seed 1 --store sqlite|postgres`.
 *
 * Three processes race on one store and are stopped past every lease, then thawed (test/crash/freezeRounds.ts). docs/campaigns.md.
 */
import { freezeRounds } from "../../test/crash/freezeRounds.ts"
import { begin, end, problemsOf, reporter, shown, withStores } from "./campaign.ts"

const campaign = begin()
const { seed, rounds, until } = campaign
const summary = await withStores(campaign, (stores) =>
  freezeRounds({ stores, seed, rounds, until, freezes: 8, progress: reporter(shown) }),
)
end(shown(summary), problemsOf(summary), "nobody acted twice, and everybody went on")
