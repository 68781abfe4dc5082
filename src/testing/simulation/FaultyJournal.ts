/**
 * A journal as a node sees it over a network: every call takes its time there and back, so that calls of several nodes meet
 * the store in any order, and any call may fail before the store has done its work or after.
 *
 * The store itself answers at one instant of virtual time; a store that does real I/O can't be simulated.
 */
import { Effect, Exit } from "effect"
import type { Append, Appended, Journal, StorageError } from "../../runtime/Journal.ts"
import { StorageUnavailable } from "../../runtime/Journal.ts"
import type { Faults } from "./Faults.ts"
import type { Host } from "./Host.ts"
import type { Trace } from "./Trace.ts"
import type { World } from "./World.ts"

type Store = Journal["Service"]

export interface FaultyJournalOptions {
  /** The shared store, as this node opened it. */
  readonly store: Store
  readonly host: Host
  readonly world: World
  readonly faults: Faults
  readonly trace: Trace
}

export const faultyJournal = (options: FaultyJournalOptions): Store => {
  const { store, host, world, faults, trace } = options

  const call = <A, E extends StorageError>(
    work: Effect.Effect<A, E>,
    isWrite: boolean,
    told?: (exit: Exit.Exit<A, E>) => void,
  ): Effect.Effect<A, E | StorageUnavailable> =>
    Effect.callback<A, E | StorageUnavailable>((resume) => {
      const fault = isWrite ? faults.ofWrite() : faults.ofRead()
      const answer = (exit: Exit.Exit<A, E | StorageUnavailable>): void => {
        world.after(faults.latency(), host, () => resume(exit))
      }
      world.after(faults.latency(), undefined, () => {
        // What a dead node had sent may be under way still.
        if (!host.isAlive && !faults.survives()) return
        if (fault === "before") return answer(Exit.fail(unavailable("it could not be reached")))
        const exit = Effect.runSyncExit(work)
        told?.(exit)
        answer(fault === "after" ? Exit.fail(unavailable("it did not answer")) : exit)
      })
    })
  const reading = <A, E extends StorageError>(work: Effect.Effect<A, E>) => call(work, false)

  return {
    append: (group) =>
      call(store.append(group), true, (exit) => {
        for (const [index, append] of group.entries()) {
          if (append.snapshot !== undefined) trace.count("snapshot")
          if (append.entries.length > 0 || isRefused(exit, index))
            trace.line(`${host.name} store ${written(append)} → ${outcome(exit, index)}`)
        }
        // Its own subscribers were told by the store, in promises.
        world.settled()
      }),
    load: (tenant, workflowId) => reading(store.load(tenant, workflowId)),
    read: (tenant, workflowId, after, limit) => reading(store.read(tenant, workflowId, after, limit)),
    lookup: (tenant, workflowId, refs) => reading(store.lookup(tenant, workflowId, refs)),
    listWorkflows: (tenant, query) => reading(store.listWorkflows(tenant, query)),
    listSessions: (tenant, query) => reading(store.listSessions(tenant, query)),
    listHandoffs: (tenant, query) => reading(store.listHandoffs(tenant, query)),
    due: (now, limit) => reading(store.due(now, limit)),
    nextWake: reading(store.nextWake),
    subscribe: (tenant, workflowId, listener) =>
      store.subscribe(tenant, workflowId, () => {
        world.after(faults.hint(), host, listener)
      }),
    stages: store.stages,
  }
}

const unavailable = (how: string): StorageUnavailable =>
  new StorageUnavailable({ detail: `The simulated store failed: ${how}.`, reason: "simulated" })

const isRefused = (exit: Exit.Exit<ReadonlyArray<Appended>, StorageError>, index: number): boolean =>
  Exit.isFailure(exit) || exit.value[index]?._tag !== "appended"

const outcome = (exit: Exit.Exit<ReadonlyArray<Appended>, StorageError>, index: number): string => {
  if (Exit.isFailure(exit)) return "failed"
  const result = exit.value[index]
  return result?._tag === "exists" ? `exists ${result.id}` : (result?._tag ?? "nothing")
}

/** The kind of each event, without parsing it. */
const written = ({ tenant, workflowId, expectedSeq, entries }: Append): string =>
  `${tenant}/${workflowId} after ${expectedSeq}: ${entries.map(({ text }) => tagIn(text)).join(", ")}`
const tagIn = (text: string): string => /"_tag":"([^"]+)"/.exec(text)?.[1] ?? "?"
