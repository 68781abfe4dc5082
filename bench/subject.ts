/**
 * The system under test as the benchmarks see it, and the load that drives it.
 *
 * `handrail.ts` implements `Subject`; the frame opens it in a fresh directory for every round, takes every time itself
 * and closes it. A capability that is absent is a benchmark that is left out, never one that fails.
 */
import { latencies, type Sample, warmUpSeconds } from "./measure.ts"

export type Store = "sqlite" | "memory"

/** How long the frame waits for one slice beyond its length before it says that an answer never came. */
const patienceMs = 60_000

export interface Subject {
  readonly name: string

  /** Opens the runtime on a new store; `dir` is empty and belongs to this call. SQLite means `synchronous = FULL`. */
  open(store: Store, dir: string): Promise<Opened>

  /** The pure rules: a function that decides and evolves `count` commands, synchronously. */
  rules?(): (count: number) => void

  /** A workflow with that many committed steps on SQLite, and a fresh one beside it. Built outside the measured time. */
  history?(dir: string, committedSteps: number): Promise<History>

  /** A tree of that many open sessions on SQLite, ready to be killed. Built outside the measured time. */
  killTree?(dir: string, sessions: number): Promise<Tree>
}

export interface Opened {
  /**
   * One lifecycle in the workflow of that index: offer, claim, propose, commit, complete, each awaited until durable
   * before the next. `n` counts the lifecycles of this workflow from 0. Workflow 0 to N-1 are created on first use.
   */
  lifecycle(workflowIndex: number, n: number): Promise<void>
  /**
   * Microseconds per command, by stage, since the previous call: mailbox, decide, encode, sql, fsync, answer. The frame
   * calls it once after the warm-up and throws that away.
   */
  stages?(): Readonly<Record<string, number>>
  close(): Promise<void>
}

export interface History {
  /** Opens the store: the workflow with the long history is not in memory afterwards. Timed as `history.store_ms`. */
  openStore(): Promise<{
    /** Opens that workflow and answers its session's state. Timed as `history.open_ms`. */
    openLong(): Promise<void>
    close(): Promise<void>
  }>
  /** One command, answered when durable, on the workflow with the history or on the fresh one. */
  command(on: "long" | "fresh"): Promise<void>
  close(): Promise<void>
}

export interface Tree {
  /** Kills the root; settles when the kill of the whole tree is durable. Called once. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface Load {
  readonly store: Store
  readonly dir: string
  readonly workflows: number
  readonly seconds: number
}

/**
 * A closed loop: one lifecycle in flight per workflow, from the first to the last moment. Counts what completes within
 * the measured window, in the steady state: nobody stops before the window has closed.
 * `lifecycles_per_s`, `p50_ms` and `p99_ms` of a lifecycle, and `stage.*_us` when the subject tells its stages.
 */
export async function concurrent(subject: Pick<Subject, "open">, load: Load): Promise<Sample> {
  const opened = await subject.open(load.store, load.dir)
  try {
    return await drive(opened, load)
  } finally {
    await opened.close()
  }
}

async function drive(opened: Opened, { workflows, seconds }: Load): Promise<Sample> {
  const measuredFrom = performance.now() + warmUpSeconds(seconds) * 1000
  const measuredUntil = measuredFrom + seconds * 1000
  const taken: number[] = []
  let warm = false
  let failed = false

  const loop = async (workflowIndex: number): Promise<void> => {
    let before = performance.now()
    for (let n = 0; before < measuredUntil && !failed; n++) {
      await opened.lifecycle(workflowIndex, n)
      const after = performance.now()
      if (after >= measuredFrom && after < measuredUntil) taken.push(after - before)
      if (after >= measuredFrom && !warm) {
        warm = true
        opened.stages?.()
      }
      before = after
    }
  }

  const loops = Array.from({ length: workflows }, (_, index) =>
    loop(index).catch((error: unknown) => {
      failed = true
      throw error
    }),
  )
  const settled = await within(measuredUntil - performance.now() + patienceMs, Promise.allSettled(loops))
  const failure = settled.find((result) => result.status === "rejected")
  if (failure !== undefined) throw failure.reason
  if (taken.length === 0) throw new Error(`no lifecycle completed within ${seconds} s`)
  const stages = Object.entries(opened.stages?.() ?? {}).map(([stage, us]) => [`stage.${stage}_us`, us] as const)
  return { ...latencies(taken, taken.length / seconds, "lifecycles_per_s"), ...Object.fromEntries(stages) }
}

/** Without it a lost answer would leave Node with nothing to wait for, and the run would end without a word. */
async function within<A>(ms: number, promise: Promise<A>): Promise<A> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`an answer did not come within ${Math.round(ms / 1000)} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
