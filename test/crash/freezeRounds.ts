/**
 * Freezes: processes are stopped (SIGSTOP) for longer than every lease, one or two at a time, while others go on with the same
 * workflows; then they are thawed. One whose workflow moved on is refused and goes on by itself; nobody acts twice.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { AgentProcess } from "./AgentProcess.ts"
import type { Random } from "./Random.ts"
import { acknowledgements, count, emptyRace, goesOn, type RaceSummary, raceRound, rounds } from "./raceRounds.ts"
import type { StoreMaker } from "./stores.ts"

export interface FreezeOptions {
  readonly stores: StoreMaker
  readonly seed: number
  readonly rounds: number
  readonly freezes: number
  readonly until: number
  readonly progress?: (summary: RaceSummary) => void
}

export const freezeRounds = (options: FreezeOptions): Promise<RaceSummary> => {
  const summary = emptyRace()
  return rounds(options, summary, async (index) => {
    const store = await options.stores()
    await raceRound(
      {
        store: store.url,
        seed: options.seed + index,
        processes: 3,
        lanes: 3,
        restMs: 12,
        // Less than a freeze: who waits for a lock that a frozen process holds is told so.
        busyTimeoutMs: 400,
        timeoutMs: 2000,
        disturb: (agents, random) => freezes(agents, random, options.freezes, summary),
      },
      summary,
    )
    if (summary.problems.length === 0) await store.remove()
  })
}

/** Longer than the leases of raceTeam.ts. */
const shortestMs = 700
const longestMs = 2600

const freezes = async (
  agents: ReadonlyArray<AgentProcess>,
  random: Random,
  times: number,
  summary: RaceSummary,
): Promise<void> => {
  for (let n = 0; n < times; n++) {
    await sleep(random.between(50, 700))
    const first = random.below(agents.length)
    const both = random.chance(25) ? [first, (first + 1) % agents.length] : [first]
    const frozen = agents.filter((_, index) => both.includes(index))
    const others = agents.filter((_, index) => !both.includes(index))
    const before = frozen.map(acknowledgements)
    const elsewhere = others.map(acknowledgements)
    for (const agent of frozen) agent.send("SIGSTOP")
    try {
      await sleep(random.between(shortestMs, longestMs))
    } finally {
      for (const agent of frozen) agent.send("SIGCONT")
    }
    for (const _ of frozen) count(summary, "freezes")
    if (others.some((agent, index) => acknowledgements(agent) > (elsewhere[index] ?? 0))) count(summary, "overtaken")
    for (const [index, agent] of frozen.entries()) await goesOn(agent, before[index] ?? 0)
  }
}
