/**
 * The `Journal` in memory: for tests, for trying things out, and as the model that the durable stores are compared with.
 *
 * It gives the same answers as they do, deep-equal, and loses everything when the process ends. Nothing is parsed or
 * copied on an append; rows are handed out as they are and never changed afterwards.
 */
import { Effect, Layer } from "effect"
import { resourceKey, type Tenant, type WorkflowId } from "../../machines/ids.ts"
import type { Archive, ArchiveRefs, HandoffRow, SessionRow, WorkflowRow } from "../../machines/projection.ts"
import {
  type Append,
  type Appended,
  type DueWorkflow,
  type Entry,
  Journal,
  type Loaded,
  type MemberQuery,
  type Page,
  type WorkflowQuery,
} from "../../runtime/Journal.ts"
import { isOpenHandoff, isOpenSession } from "../rows.ts"
import { MemoryStore } from "./MemoryStore.ts"

export type { MemoryStore }
export const makeMemoryStore = (): MemoryStore => new MemoryStore()

/** A journal on `store`. Each call is another writer: its appends wake the subscribers of the others. */
export const memoryJournal = (store: MemoryStore): Journal["Service"] => {
  const writer = {}
  return {
    append: (group) => Effect.sync(() => appendGroup(store, writer, group)),
    load: (tenant, workflowId) => Effect.sync(() => load(store, tenant, workflowId)),
    read: (tenant, workflowId, after, limit) => Effect.sync(() => read(store, tenant, workflowId, after, limit)),
    lookup: (tenant, workflowId, refs) => Effect.sync(() => lookup(store, tenant, workflowId, refs)),
    listWorkflows: (tenant, query) => Effect.sync(() => listWorkflows(store, tenant, query)),
    listSessions: (tenant, query) => Effect.sync(() => listSessions(store, tenant, query)),
    listHandoffs: (tenant, query) => Effect.sync(() => listHandoffs(store, tenant, query)),
    due: (now, limit) => Effect.sync(() => due(store, now, limit)),
    nextWake: Effect.sync(() => store.wakes.earliest()),
    subscribe: (tenant, workflowId, listener) => store.subscribe(writer, tenant, workflowId, listener),
    stages: () => ({}),
  }
}

/** A journal on a store of its own, or on one that is shared. */
export const memory = (store: MemoryStore = makeMemoryStore()): Layer.Layer<Journal> =>
  Layer.sync(Journal, () => memoryJournal(store))

const appendGroup = (store: MemoryStore, writer: object, group: ReadonlyArray<Append>): ReadonlyArray<Appended> => {
  const results: Array<Appended> = []
  for (const append of group) {
    const result = store.append(append)
    if (result._tag === "appended" && append.entries.length > 0) store.notify(writer, append.tenant, append.workflowId)
    results.push(result)
  }
  return results
}

const load = (store: MemoryStore, tenant: Tenant, workflowId: WorkflowId): Loaded | undefined => {
  const workflow = store.workflow(tenant, workflowId)
  if (workflow?.row === undefined) return undefined
  const definition = workflow.tenant.definitions.get(workflow.row.definitionHash)
  if (definition === undefined) return undefined
  const { snapshot } = workflow
  return { definition, snapshot, entries: workflow.entries.slice(snapshot?.seq ?? 0) }
}

const read = (
  store: MemoryStore,
  tenant: Tenant,
  workflowId: WorkflowId,
  after: number,
  limit: number,
): ReadonlyArray<Entry> =>
  store.workflow(tenant, workflowId)?.entries.slice(Math.max(after, 0), Math.max(after, 0) + limit) ?? []

const found = <A>(
  keys: ReadonlyArray<string> | undefined,
  rows: ReadonlyMap<string, A> | undefined,
): ReadonlyMap<string, A> => {
  const map = new Map<string, A>()
  if (keys === undefined || rows === undefined) return map
  for (const key of keys) {
    const row = rows.get(key)
    if (row !== undefined) map.set(key, row)
  }
  return map
}

const lookup = (store: MemoryStore, tenant: Tenant, workflowId: WorkflowId, refs: ArchiveRefs): Archive => {
  const workflow = store.workflow(tenant, workflowId)
  return {
    sessions: found(refs.sessions, store.tenant(tenant)?.sessions),
    handoffs: found(refs.handoffs, workflow?.handoffs),
    steps: found(refs.steps, workflow?.steps),
    kills: found(refs.kills, workflow?.kills),
    resources: found(refs.resources?.map(resourceKey), workflow?.resources),
    answers: found(refs.answers, workflow?.answers),
  }
}

const nothing: Page<never> = { items: [], cursor: null }

const listWorkflows = (store: MemoryStore, tenant: Tenant, query: WorkflowQuery): Page<WorkflowRow> =>
  store.tenant(tenant)?.order.page({ ...query, newestFirst: true }, (id) => {
    const workflow = store.workflow(tenant, id)
    if (query.status !== undefined && workflow?.row?.status !== query.status) return undefined
    if (query.role !== undefined && workflow?.roles.has(query.role) !== true) return undefined
    return workflow?.row
  }) ?? nothing

const listSessions = (store: MemoryStore, tenant: Tenant, query: MemberQuery): Page<SessionRow> =>
  store
    .workflow(tenant, query.workflowId)
    ?.sessions.page({ ...query, newestFirst: query.newestFirst === true }, (id) => {
      const row = store.tenant(tenant)?.sessions.get(id)
      return row === undefined || (query.open !== undefined && isOpenSession(row) !== query.open) ? undefined : row
    }) ?? nothing

const listHandoffs = (store: MemoryStore, tenant: Tenant, query: MemberQuery): Page<HandoffRow> => {
  const workflow = store.workflow(tenant, query.workflowId)
  return (
    workflow?.handoffOrder.page({ ...query, newestFirst: query.newestFirst === true }, (id) => {
      const row = workflow.handoffs.get(id)
      return row === undefined || (query.open !== undefined && isOpenHandoff(row) !== query.open) ? undefined : row
    }) ?? nothing
  )
}

const due = (store: MemoryStore, now: number, limit: number): ReadonlyArray<DueWorkflow> =>
  store.wakes.due(now, limit).map((workflow) => ({
    tenant: workflow.tenant.tenant,
    workflowId: workflow.workflowId,
    wakeAt: workflow.wakeAt as number,
  }))
