/** A `Journal` whose every call is measured. It passes everything on as it is, and measures what is interrupted too. */
import { Cause, Effect, Exit } from "effect"
import type { Journal, StorageError } from "../../runtime/Journal.ts"
import type { RuntimeMetrics } from "./RuntimeMetrics.ts"

type Service = Journal["Service"]

export interface JournalWatch {
  readonly metrics: RuntimeMetrics
  /** Seconds, from any moment on. */
  now(): number
  /** A call failed for another reason than being interrupted. */
  onFailure(operation: string, error: StorageError | "defect"): void
}

export const watchedJournal = (journal: Service, { metrics, now, onFailure }: JournalWatch): Service => {
  const watched = <A, E extends StorageError>(operation: string, call: () => Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const start = now()
      return Effect.onExit(call(), (exit) =>
        Effect.sync(() => {
          const error = Exit.isSuccess(exit) ? undefined : errorOf(exit.cause)
          metrics.stored(operation, now() - start, error)
          if (error !== undefined) onFailure(operation, error)
        }),
      )
    })
  return {
    append: (group) =>
      watched("append", () =>
        Effect.tap(journal.append(group), (results) => Effect.sync(() => metrics.appended(group, results))),
      ),
    load: (tenant, workflowId) => watched("load", () => journal.load(tenant, workflowId)),
    read: (tenant, workflowId, after, limit) => watched("read", () => journal.read(tenant, workflowId, after, limit)),
    lookup: (tenant, workflowId, refs) => watched("lookup", () => journal.lookup(tenant, workflowId, refs)),
    listWorkflows: (tenant, query) => watched("list", () => journal.listWorkflows(tenant, query)),
    listSessions: (tenant, query) => watched("list", () => journal.listSessions(tenant, query)),
    listHandoffs: (tenant, query) => watched("list", () => journal.listHandoffs(tenant, query)),
    due: (at, limit) => watched("due", () => journal.due(at, limit)),
    nextWake: watched("next_wake", () => journal.nextWake),
    subscribe: (tenant, workflowId, listener) => journal.subscribe(tenant, workflowId, listener),
    stages: () => journal.stages(),
  }
}

const errorOf = (cause: Cause.Cause<StorageError>): StorageError | "defect" | undefined => {
  const error = Cause.findErrorOption(cause)
  if (error._tag === "Some") return error.value
  return Cause.hasInterruptsOnly(cause) ? undefined : "defect"
}
