/** The journal of a store, opened for a moment and without a runtime on it: nothing is decided and no deadline fires. */
import { Effect } from "effect"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { WorkflowRow } from "../machines/projection.ts"
import { Journal, type StorageError } from "../runtime/Journal.ts"
import { limits } from "../runtime/limits.ts"
import { journalOf } from "../sdk/Handrail.ts"
import type { StoreChoice } from "./store.ts"

type Store = Journal["Service"]

/** Rejects with what `use` fails with, and with a `StorageError`. */
export const withJournal = <A, E>(choice: StoreChoice, use: (journal: Store) => Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.provide(Effect.flatMap(Journal, use), journalOf(choice)))

/** A workflow's row, from the listing: the port has no other way to it. */
export const findRow = (
  journal: Store,
  tenant: Tenant,
  workflowId: WorkflowId,
): Effect.Effect<WorkflowRow | undefined, StorageError> =>
  Effect.gen(function* () {
    let cursor: string | null = null
    do {
      const page: Effect.Success<ReturnType<Store["listWorkflows"]>> = yield* journal.listWorkflows(tenant, {
        limit: limits.page,
        ...(cursor === null ? {} : { cursor }),
      })
      const row = page.items.find((item) => item.workflowId === workflowId)
      if (row !== undefined) return row
      cursor = page.cursor
    } while (cursor !== null)
    return undefined
  })
