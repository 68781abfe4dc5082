/**
 * Crashes at every named point of the write path (points.mjs): first it is learned which points there are and how often a
 * process comes by them, then a process is killed at each, at a random one of those times, and the store is judged.
 */
import { AgentProcess, type AgentTask } from "./AgentProcess.ts"
import { Random } from "./Random.ts"
import { type CrashSummary, emptySummary, judge, loadTask } from "./rounds.ts"
import type { StoreMaker, TestStore } from "./stores.ts"

export interface PointOptions {
  readonly stores: StoreMaker
  readonly seed: number
  /** So many points, chosen by chance; all of them unless given. */
  readonly points?: number
  /** How often each is tried. */
  readonly passes?: number
  /** Epoch ms after which no further process is started. */
  readonly until?: number
  readonly progress?: (summary: PointSummary) => void
}
export interface PointSummary extends CrashSummary {
  readonly known: Array<string>
  /** How often the first process came by each. */
  readonly passed: Map<string, number>
  /** How often a process was killed there. */
  readonly killedAt: Map<string, number>
  /** Points that no process came by when one was to be killed there. */
  readonly missed: Array<string>
}

/** Enough for several snapshots of a workflow. */
const commands = 900
const task = (store: string, random: Random, round: number): AgentTask => ({
  ...loadTask(store, random, round),
  kind: "load",
  workflows: 1,
  lanes: 12,
  commands,
  foldAppends: 8,
  idleMs: 5,
})
/** A point is reached by a run of the campaign within so many tries, or it counts as missed. */
const tries = 3
/** Beyond, the times are much alike, and take long to come to. */
const mostNth = 12

export const crashAtPoints = async (options: PointOptions): Promise<PointSummary> => {
  const random = new Random(options.seed)
  const summary: PointSummary = { ...emptySummary(), known: [], passed: new Map(), killedAt: new Map(), missed: [] }
  await learn(options, summary, random)
  const over = () => Date.now() >= (options.until ?? Number.POSITIVE_INFINITY) || summary.problems.length > 0
  for (let pass = 0; pass < (options.passes ?? 1) && !over(); pass++)
    await side(chosen(summary.known, options.points, random), async (point, index) => {
      if (over()) return
      // Each by a seed of its own: how far the others are must not matter.
      await killAt(point, options, summary, new Random(options.seed + 1000 * pass + index))
      options.progress?.(summary)
    })
  return summary
}

/** Most of the time of a process goes into its start. */
const atOnce = 3

const side = async <A>(items: ReadonlyArray<A>, each: (item: A, index: number) => Promise<void>): Promise<void> => {
  const left = [...items.entries()]
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await each(next[1], next[0])
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

const chosen = (known: ReadonlyArray<string>, points: number | undefined, random: Random): ReadonlyArray<string> => {
  const shuffled = known.map((point) => [random.next(), point] as const).sort(([a], [b]) => a - b)
  return shuffled.slice(0, points).map(([, point]) => point)
}

/** One process that is left alone; its store is judged like any other. */
const learn = async (options: PointOptions, summary: PointSummary, random: Random): Promise<void> => {
  const store = await options.stores()
  const agent = new AgentProcess(task(store.url, random, 0), "nowhere")
  agent.tell()
  await agent.ended()
  await judge(store.url, agent, { sent: [], acknowledged: [] }, summary, random)
  const { reached, passed } = agent.points
  summary.known.push(...reached)
  for (const [point, times] of passed) summary.passed.set(point, times)
  await keepIfBroken(store, options, summary)
}

/** On a new store each time: some points are only on the way of the first who opens it. */
const killAt = async (point: string, options: PointOptions, summary: PointSummary, random: Random): Promise<void> => {
  for (let n = 0; n < tries && summary.problems.length === 0; n++) {
    const store = await options.stores()
    // Another process may not come by as often.
    const nth = n === 0 ? random.between(1, Math.min(mostNth, summary.passed.get(point) ?? 1)) : 1
    const agent = new AgentProcess(task(store.url, random, summary.rounds), { point, nth })
    agent.tell()
    await agent.ended()
    await judge(store.url, agent, { sent: [], acknowledged: [] }, summary, random)
    for (const reached of agent.points.reached) if (!summary.known.includes(reached)) summary.known.push(reached)
    await keepIfBroken(store, options, summary)
    if (agent.points.killedAt !== point) continue
    summary.killedAt.set(point, (summary.killedAt.get(point) ?? 0) + 1)
    return
  }
  if (summary.problems.length === 0) summary.missed.push(point)
}

const keepIfBroken = async (store: TestStore, { seed }: PointOptions, summary: PointSummary): Promise<void> => {
  if (summary.problems.length === 0) await store.remove()
  else summary.problems.unshift(`seed ${seed}, round ${summary.rounds}, store ${store.url}`)
}
