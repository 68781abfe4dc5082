/**
 * The system under test as the benchmarks see it, and the load that drives it.
 *
 * `handrail.ts` implements `Subject`; the frame opens it in a fresh directory for every round, takes every time itself
 * and closes it. A capability that is absent is a benchmark that is left out, never one that fails.
 */
import type { Address } from "./http/protocol.ts"
import { latencies, percentile, type Sample, warmUpSeconds } from "./measure.ts"

/** A new store, and where it is: the directory or the schema is empty and belongs to whoever opens it. */
export type Place =
  | { readonly store: "memory" }
  /** SQLite means `synchronous = FULL`. */
  | { readonly store: "sqlite"; readonly dir: string }
  | { readonly store: "postgres"; readonly url: string; readonly schema: string }

/** How long the frame waits for one slice beyond its length before it says that an answer never came. */
const patienceMs = 60_000

export interface Subject {
  readonly name: string

  /** Opens the runtime on a new store. */
  open(place: Place): Promise<Opened>

  /** The pure rules: a function that decides and evolves `count` commands, synchronously. */
  rules?(): (count: number) => void

  /** A workflow with that many committed steps on SQLite, and a fresh one beside it. Built outside the measured time. */
  history?(dir: string, committedSteps: number): Promise<History>

  /** A tree of that many open sessions, ready to be killed. Built outside the measured time. */
  killTree?(place: Place, sessions: number): Promise<Tree>

  /** That many claimants of one handoff, spread over that many runtimes on one store. */
  contest?(place: Place, runtimes: number, claimants: number): Promise<Contest>

  /** A model's client, bare and governed: in a workflow on SQLite where there is a directory, else outside of one. */
  wrap?(dir: string | undefined): Promise<Wrapped>

  /** The HTTP API on a free port, over a new store on SQLite. */
  serve?(dir: string): Promise<Served>
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

export interface Contest {
  /** Ends what the contest before left, offers one handoff and answers the claims of it: each resolves with whether it won. */
  next(): Promise<ReadonlyArray<() => Promise<boolean>>>
  close(): Promise<void>
}

export interface Served {
  readonly address: Address
  /** A workflow to watch, made on the first call: its sequence as of now, and a command that adds to it and answers where to. */
  watch(): Promise<{ readonly workflowId: string; readonly after: number; commit(): Promise<number> }>
  close(): Promise<void>
}

export interface Wrapped {
  /** A call of the model whose answer has one tool call. */
  bare(): Promise<void>
  /** The same call, governed. Answers with what runs the tool and reports it. */
  governed(): Promise<() => Promise<unknown>>
  close(): Promise<void>
}

export interface Load {
  readonly workflows: number
  readonly seconds: number
}

/**
 * A closed loop: one lifecycle in flight per workflow, from the first to the last moment. Counts what completes within
 * the measured window, in the steady state: nobody stops before the window has closed. Where the disk is so slow that nothing
 * completes within it, the window closes with the last of the lifecycles that were in flight.
 * `lifecycles_per_s`, `p50_ms` and `p99_ms` of a lifecycle, and `stage.*_us` when the subject tells its stages.
 */
export async function concurrent(opening: Promise<Opened>, load: Load): Promise<Sample> {
  const opened = await opening
  try {
    return await drive(opened, load)
  } finally {
    await opened.close()
  }
}

/**
 * Contest after contest: all claims are sent at once, and each is timed to its verdict. `p50_ms` and `p99_ms` of the verdicts,
 * `contests_per_s` of the time in which claims were under way. Fails unless exactly one claim of each contest won.
 */
export async function contested(opening: Promise<Contest>, seconds: number): Promise<Sample> {
  const contest = await opening
  try {
    const measuredFrom = performance.now() + warmUpSeconds(seconds) * 1000
    const measuredUntil = measuredFrom + seconds * 1000
    const taken: number[] = []
    let contests = 0
    let elapsed = 0
    while (performance.now() < measuredUntil || contests === 0) {
      const claims = await contest.next()
      const start = performance.now()
      const verdicts = await within(
        patienceMs,
        Promise.all(claims.map(async (claim) => ({ won: await claim(), ms: performance.now() - start }))),
      )
      const end = performance.now()
      const winners = verdicts.filter(({ won }) => won).length
      if (winners !== 1) throw new Error(`a contested handoff went to ${winners} claimants`)
      if (start < measuredFrom) continue
      contests++
      elapsed += end - start
      for (const { ms } of verdicts) taken.push(ms)
    }
    return {
      p50_ms: percentile(taken, 0.5),
      p99_ms: percentile(taken, 0.99),
      contests_per_s: (contests / elapsed) * 1000,
    }
  } finally {
    await contest.close()
  }
}

/** The size of the tree that is killed, on every store. */
export const killedSessions = 10_000

/** From the command to its answer: by then the whole tree is fenced, and that is durable. `ms`. */
export async function killed(building: Promise<Tree>): Promise<Sample> {
  const tree = await building
  try {
    const before = performance.now()
    await tree.kill()
    return { ms: performance.now() - before }
  } finally {
    await tree.close()
  }
}

async function drive(opened: Opened, { workflows, seconds }: Load): Promise<Sample> {
  const measuredFrom = performance.now() + warmUpSeconds(seconds) * 1000
  const measuredUntil = measuredFrom + seconds * 1000
  const inTime: number[] = []
  const late: number[] = []
  let last = measuredUntil
  let warm = false
  let failed = false

  const loop = async (workflowIndex: number): Promise<void> => {
    let before = performance.now()
    for (let n = 0; before < measuredUntil && !failed; n++) {
      await opened.lifecycle(workflowIndex, n)
      const after = performance.now()
      if (after >= measuredUntil) {
        late.push(after - before)
        last = Math.max(last, after)
      } else if (after >= measuredFrom) inTime.push(after - before)
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
  const [taken, end] = inTime.length > 0 ? [inTime, measuredUntil] : [late, last]
  const stages = Object.entries(opened.stages?.() ?? {}).map(([stage, us]) => [`stage.${stage}_us`, us] as const)
  const rate = (taken.length / (end - measuredFrom)) * 1000
  return { ...latencies(taken, rate, "lifecycles_per_s"), ...Object.fromEntries(stages) }
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
