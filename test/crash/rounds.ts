/**
 * Crash rounds: a process works on a store and is killed with SIGKILL at a random moment; then the store is judged, some of
 * what was acknowledged is sent again under its keys, and the next process goes on from there.
 */
import { isDeepStrictEqual } from "node:util"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { plainAnswer } from "../../src/testing/checkers/history.ts"
import { openRuntime, tenant } from "../runtime/open.ts"
import { AgentProcess, type AgentTask } from "./AgentProcess.ts"
import { audit } from "./audit.ts"
import { type Acknowledged, acknowledged, type Sent } from "./lines.ts"
import { Random } from "./Random.ts"
import { journalAt, type StoreMaker } from "./stores.ts"

export interface CrashOptions {
  readonly stores: StoreMaker
  readonly seed: number
  readonly rounds: number
  /** Rounds on one file, before a new one is begun. */
  readonly roundsPerFile: number
  /** How much a process says at most before it is killed. */
  readonly lines: number
  /** Epoch ms at which no further round begins. */
  readonly until?: number
  readonly progress?: (summary: CrashSummary) => void
}
export interface CrashSummary {
  rounds: number
  kills: number
  /** Processes that had done their share before they were killed. */
  finished: number
  sent: number
  acknowledged: number
  replayed: number
  events: number
  fired: number
  readonly problems: Array<string>
}

export interface History {
  readonly sent: Array<Sent>
  readonly acknowledged: Array<Acknowledged>
}

export const emptySummary = (): CrashSummary => ({
  rounds: 0,
  kills: 0,
  finished: 0,
  sent: 0,
  acknowledged: 0,
  replayed: 0,
  events: 0,
  fired: 0,
  problems: [],
})

export const crashRounds = async (options: CrashOptions): Promise<CrashSummary> => {
  const summary = emptySummary()
  const random = new Random(options.seed)
  const over = () => summary.rounds >= options.rounds || Date.now() >= (options.until ?? Number.POSITIVE_INFINITY)
  while (!over() && summary.problems.length === 0) {
    const store = await options.stores()
    const history: History = { sent: [], acknowledged: [] }
    let next = start(store.url, random, summary.rounds)
    for (let round = 0; round < options.roundsPerFile && !over() && summary.problems.length === 0; round++) {
      const agent = next
      await killed(agent, random, options.lines)
      // It loads while the store is judged, and opens nothing before it is told to.
      next = start(store.url, random, summary.rounds + 1)
      await judge(store.url, agent, history, summary, random)
      options.progress?.(summary)
    }
    await next.kill()
    if (summary.problems.length === 0) await store.remove()
    else summary.problems.unshift(`seed ${options.seed}, round ${summary.rounds}, store ${store.url}`)
  }
  return summary
}

const start = (store: string, random: Random, round: number): AgentProcess =>
  new AgentProcess(loadTask(store, random, round))

/** Random work, with random folds. */
export const loadTask = (store: string, random: Random, round: number): AgentTask => ({
  kind: "load",
  store,
  seed: random.below(2 ** 32),
  prefix: `r${round}`,
  workflows: random.between(1, 8),
  lanes: random.pick([1, 4, 16, 48]) ?? 4,
  commands: 100_000,
  // Folds, rests and snapshots are to be cut through as often as anything else.
  foldAppends: random.pick([1, 8, 64, 4096]) ?? 8,
  idleMs: random.pick([1, 20, 100]) ?? 20,
})

/** Kills after a random number of lines: while it opens, in the midst of its work, or well on. */
const killed = async (agent: AgentProcess, random: Random, lines: number): Promise<void> => {
  agent.tell()
  const count = random.chance(8) ? 1 : random.chance(20) ? random.between(2, 20) : random.between(20, lines)
  await agent.said(count)
  await agent.kill()
}

/** Adds what was said to the history and to the summary, and compares the store with all of it. */
export const judge = async (
  store: string,
  agent: AgentProcess,
  history: History,
  summary: CrashSummary,
  random: Random,
): Promise<void> => {
  const { lines } = agent
  const sent = lines.flatMap((line) => (line.t === "sent" ? [line] : []))
  const fresh = acknowledged(lines)
  history.sent.push(...sent)
  history.acknowledged.push(...fresh)
  summary.rounds += 1
  summary.sent += sent.length
  summary.acknowledged += fresh.length
  if (agent.signal === "SIGKILL") summary.kills += 1
  else if (lines.at(-1)?.t === "done") summary.finished += 1
  else summary.problems.push(`the process ended by itself (${agent.code ?? agent.signal}): ${agent.errors}`)
  for (const line of lines) if (line.t === "bug") summary.problems.push(`an impossible error: ${line.text}`)
  const judged = await audit(store, tenant, history.acknowledged, history.sent)
  summary.events += judged.events
  summary.fired += judged.fired
  summary.problems.push(...judged.problems)
  const keyed = history.acknowledged.filter((one) => one.key !== undefined)
  if (summary.problems.length === 0) await again(store, keyed, summary, random)
}

/** What was acknowledged under a key is answered as it was, after any crash, also where it changed nothing (I8). */
const again = async (
  store: string,
  history: ReadonlyArray<Acknowledged>,
  summary: CrashSummary,
  random: Random,
): Promise<void> => {
  const others = Array.from({ length: 6 }, () => random.pick(history)).filter((one) => one !== undefined)
  const chosen = [...history.slice(-12), ...others]
  const { client } = await openRuntime(journalAt(store))
  try {
    for (const { command, input, key, answer, workflowId } of chosen) {
      const call = client[command] as (input: object, options: object) => Promise<object>
      const told = await call
        .call(client, input, { idempotencyKey: key, workflowId })
        .then(plainAnswer, (error: unknown) => error)
      summary.replayed += 1
      const same = !(told instanceof WorkflowError) && isDeepStrictEqual(normal(told), normal(answer))
      if (!same)
        summary.problems.push(
          `I8: ${command} under ${key} was ${JSON.stringify(answer)} and is ${String(told instanceof WorkflowError ? told : JSON.stringify(told))}`,
        )
    }
  } finally {
    await client.close()
  }
}
const normal = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
