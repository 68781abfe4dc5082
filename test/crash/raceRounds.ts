/**
 * Rounds of a race: several processes work on one store at once while something is done to them or to the store; then all that
 * they said is judged. Each history must be linearizable, the store must verify and hold all that was acknowledged, and every
 * process must have gone on by itself.
 */
import { checkHistory } from "../../src/testing/checkers/checkHistory.ts"
import { tenant } from "../runtime/open.ts"
import { AgentProcess } from "./AgentProcess.ts"
import { audit, raceDefinition } from "./audit.ts"
import { acknowledged } from "./lines.ts"
import { Random } from "./Random.ts"
import { raceRules } from "./raceTeam.ts"
import { historyOf } from "./recording.ts"

export interface RaceRound {
  /** Where the processes reach the store. */
  readonly store: string
  /** Where the judge does, if elsewhere. */
  readonly judgedAt?: string
  readonly seed: number
  readonly processes: number
  readonly lanes: number
  readonly restMs: number
  readonly busyTimeoutMs?: number
  readonly timeoutMs?: number
  /** Done while they work; when it resolves they are told to stop. */
  readonly disturb: (agents: ReadonlyArray<AgentProcess>, random: Random) => Promise<void>
  /** Makes the store whole again, before it is judged. */
  readonly mend?: () => Promise<void>
}
export interface RaceSummary {
  rounds: number
  /** What was done to processes or store, as `disturb` counts it. */
  readonly done: Record<string, number>
  operations: number
  acknowledged: number
  /** Commands that were told `storage_unavailable`. */
  unavailable: number
  /** Appends that found their workflow moved on. */
  conflicts: number
  /** Histories: of handoffs, resources and ledgers. */
  checked: number
  undecided: number
  events: number
  readonly problems: Array<string>
}

export const emptyRace = (): RaceSummary => ({
  rounds: 0,
  done: {},
  operations: 0,
  acknowledged: 0,
  unavailable: 0,
  conflicts: 0,
  checked: 0,
  undecided: 0,
  events: 0,
  problems: [],
})
export const count = (summary: RaceSummary, what: string): void => {
  summary.done[what] = (summary.done[what] ?? 0) + 1
}

/** A process that was told to stop ends within this, or it hangs. */
const endMs = 60_000
/** How much two clocks of one machine may differ within a round. */
const slackMs = 250

export const raceRound = async (round: RaceRound, summary: RaceSummary): Promise<void> => {
  const random = new Random(round.seed)
  const agents = Array.from({ length: round.processes }, (_, index) => start(round, random, index))
  const problems: Array<string> = []
  try {
    for (const agent of agents) await agent.says((line) => line.t === "opening")
    for (const agent of agents) agent.tell()
    for (const agent of agents) await agent.says((line) => line.t === "open")
    await round.disturb(agents, random)
  } catch (error) {
    problems.push(`the round could not be carried out: ${error instanceof Error ? error.message : String(error)}`)
  }
  for (const agent of agents) agent.tell()
  await Promise.all(agents.map((agent) => endedWithin(agent, problems)))
  await round.mend?.()
  for (const agent of agents) {
    if (agent.signal === null && agent.code !== 0)
      problems.push(`a process ended by itself (${agent.code}): ${agent.errors}`)
    for (const line of agent.lines) {
      if (line.t === "bug") problems.push(`an impossible error: ${line.text}`)
      if (line.t === "counts") summary.conflicts += line.conflicts
      if (line.t === "no" && line.code === "storage_unavailable") summary.unavailable += 1
    }
  }
  const history = historyOf(agents)
  const report = checkHistory(history, { ...raceRules, slackMs })
  problems.push(...report.violations.map(({ text }) => text))
  const told = agents.flatMap((agent) => acknowledged(agent.lines))
  const sent = agents.flatMap((agent) => agent.lines.flatMap((line) => (line.t === "sent" ? [line] : [])))
  const judged = await audit(round.judgedAt ?? round.store, tenant, told, sent, raceDefinition)
  problems.push(...judged.problems)
  summary.rounds += 1
  summary.operations += history.length
  summary.acknowledged += told.length
  summary.checked += report.parts.handoff + report.parts.resource + report.parts.ledger
  summary.undecided += report.undecided.length
  summary.events += judged.events
  if (problems.length > 0) summary.problems.push(`seed ${round.seed}, store ${round.store}`, ...problems)
}

const start = (round: RaceRound, random: Random, index: number): AgentProcess =>
  new AgentProcess({
    kind: "race",
    store: round.store,
    seed: random.below(2 ** 32),
    prefix: `${"abcdefgh"[index] ?? "z"}`,
    race: "race",
    lanes: round.lanes,
    commands: 100_000,
    perWorkflow: 120,
    restMs: round.restMs,
    foldAppends: random.pick([1, 8, 64]) ?? 8,
    idleMs: random.pick([1, 20, 100]) ?? 20,
    ...(round.busyTimeoutMs === undefined ? {} : { busyTimeoutMs: round.busyTimeoutMs }),
    ...(round.timeoutMs === undefined ? {} : { timeoutMs: round.timeoutMs }),
  })

const endedWithin = async (agent: AgentProcess, problems: Array<string>): Promise<void> => {
  const hangs = setTimeout(() => {
    problems.push(`a process that was told to stop had not ended ${endMs / 1000} s later: ${agent.errors}`)
    agent.kill().catch(() => {})
  }, endMs)
  await agent.ended()
  clearTimeout(hangs)
}

/** How many acknowledgements a process has given so far. */
export const acknowledgements = (agent: AgentProcess): number => agent.lines.filter((line) => line.t === "ok").length

/** Resolves when the process has been acknowledged again, or has ended; throws when that takes too long. */
export const goesOn = async (agent: AgentProcess, before: number, ms = 30_000): Promise<void> => {
  const until = Date.now() + ms
  while (acknowledgements(agent) <= before && !agent.isOver) {
    if (Date.now() > until) throw new Error(`a process was not acknowledged again within ${ms / 1000} s`)
    await agent.saysMore(100)
  }
}

/** One round after the other, on a new store each. */
export const rounds = async (
  options: { readonly rounds: number; readonly until: number; readonly progress?: (summary: RaceSummary) => void },
  summary: RaceSummary,
  one: (index: number) => Promise<void>,
): Promise<RaceSummary> => {
  for (let n = 0; n < options.rounds && Date.now() < options.until && summary.problems.length === 0; n++) {
    await one(n)
    options.progress?.(summary)
  }
  return summary
}
