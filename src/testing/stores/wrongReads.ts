/** Stores that read wrongly: rows that are missing, too many, of somebody else, out of date or in another order. */
import { Effect } from "effect"
import { decodeCursor } from "../../adapters/cursors.ts"
import type { MemoryStore } from "../../adapters/memory/MemoryJournal.ts"
import { Tenant, type WorkflowId } from "../../machines/ids.ts"
import type { HandoffRow, SessionRow, WorkflowRow } from "../../machines/projection.ts"
import type { Entry, Journal, Loaded, MemberQuery, Page, StorageError, WorkflowQuery } from "../../runtime/Journal.ts"
import { changed, oneByOne, projected, type WrongStore, wrong } from "./wrong.ts"

type Service = Journal["Service"]

/** Every listing, with its answer changed. */
const paged = (
  journal: Service,
  change: <A>(page: Page<A>, query: { readonly limit: number }) => Page<A>,
): Partial<Service> => ({
  listWorkflows: (tenant, query) => Effect.map(journal.listWorkflows(tenant, query), (page) => change(page, query)),
  listSessions: (tenant, query) => Effect.map(journal.listSessions(tenant, query), (page) => change(page, query)),
  listHandoffs: (tenant, query) => Effect.map(journal.listHandoffs(tenant, query), (page) => change(page, query)),
})
/** A cursor, if it is one. */
const known = (cursor: string | undefined) =>
  cursor !== undefined && decodeCursor(cursor) !== undefined ? { cursor } : {}
/** A page by the number of its first row, as `OFFSET` gives it, of a listing of all rows. */
const byOffset =
  <Q extends { readonly cursor?: string; readonly limit: number }, A, E>(
    list: (tenant: Tenant, query: Omit<Q, "cursor">) => Effect.Effect<Page<A>, E>,
  ) =>
  (tenant: Tenant, query: Q): Effect.Effect<Page<A>, E> => {
    const { cursor, ...rest } = query
    const from = cursor === undefined ? 0 : Number(cursor)
    return Effect.map(list(tenant, { ...rest, limit: 1000 }), ({ items }) => ({
      items: items.slice(from, from + query.limit),
      cursor: from + query.limit < items.length ? String(from + query.limit) : null,
    }))
  }

const languageOrder = <A>(page: Page<A>): Page<A> => ({
  ...page,
  items: [...page.items].sort((a, b) => JSON.stringify(b).localeCompare(JSON.stringify(a), "en")),
})

const hasEnded = (store: MemoryStore, tenant: Tenant, workflowId: WorkflowId): boolean =>
  store.workflow(tenant, workflowId)?.row?.status !== "active"

const owner = Tenant.make("t1")

export const wrongReads: ReadonlyArray<WrongStore> = [
  wrong("append.read-back", "gives events the newest first", (journal) => ({
    load: (tenant, id) =>
      Effect.map(journal.load(tenant, id), (loaded) =>
        loaded === undefined ? undefined : { ...loaded, entries: loaded.entries.toReversed() },
      ),
  })),
  wrong("read.unknown", "finds a workflow that nobody made", (journal) => ({
    load: (tenant, id) =>
      Effect.map(
        journal.load(tenant, id),
        (loaded): Loaded => loaded ?? { definition: { hash: "", text: "" }, snapshot: null, entries: [] },
      ),
  })),
  wrong(
    "read.snapshot",
    "keeps the first snapshot",
    changed((append, store) => {
      const { snapshot, ...rest } = append
      const has = store.workflow(append.tenant, append.workflowId)?.snapshot != null
      return has || snapshot === undefined ? rest : append
    }),
  ),
  wrong(
    "read.snapshot-of-conflict",
    "keeps the snapshot of a conflict",
    oneByOne((append, store) => {
      const result = store.append(append)
      const workflow = store.workflow(append.tenant, append.workflowId)
      if (workflow !== undefined && append.snapshot !== undefined) workflow.snapshot = append.snapshot
      return result
    }),
  ),
  wrong("read.pages", "reads one event too many", (journal) => ({
    read: (tenant, id, after, limit) => journal.read(tenant, id, after, limit + 1),
  })),
  wrong(
    "read.definition",
    "replaces the text of a definition",
    oneByOne((append, store) => {
      const result = store.append(append)
      const { definition } = append
      if (definition !== undefined) store.tenant(append.tenant)?.definitions.set(definition.hash, definition)
      return result
    }),
  ),
  wrong(
    "lookup.lifecycle",
    "does not say when a session ended",
    projected((p) => (p._tag === "sessionEnded" ? undefined : p)),
  ),
  wrong(
    "lookup.kill",
    "leaves the last of a kill alive",
    projected((p) => (p._tag === "sessionsKilled" ? { ...p, sessions: p.sessions.slice(0, -1) } : p)),
  ),
  wrong(
    "lookup.latest",
    "keeps the first state of a resource",
    projected((p, append, store) => {
      const known = store.workflow(append.tenant, append.workflowId)?.resources
      const there = p._tag === "resourceIdled" && known?.has(`${p.row.name}\u0000${p.row.key}`)
      return there === true ? undefined : p
    }),
  ),
  wrong("lookup.nothing", "gives the root session unasked", (journal) => ({
    lookup: (tenant, id, refs) => journal.lookup(tenant, id, { ...refs, sessions: refs.sessions ?? [`${id}.root`] }),
  })),
  wrong("lookup.sessions-anywhere", "finds sessions in their own workflow only", (journal) => ({
    lookup: (tenant, id, refs) =>
      Effect.map(journal.lookup(tenant, id, refs), (archive) => ({
        ...archive,
        sessions: new Map([...archive.sessions].filter(([, row]) => row.workflowId === id)),
      })),
  })),
  wrong("list.workflows", "lists the oldest first", (journal) =>
    paged(journal, (page) => ({ ...page, items: page.items.toReversed() })),
  ),
  wrong("list.members", "does not tell open from ended", (journal) => ({
    listSessions: (tenant, { open: _, ...query }) => journal.listSessions(tenant, query),
    listHandoffs: (tenant, { open: _, ...query }) => journal.listHandoffs(tenant, query),
  })),
  wrong("list.last-page", "promises another page after the last", (journal) =>
    paged(journal, (page, { limit }) => ({ ...page, cursor: page.items.length === limit ? "WzAsIiJd" : page.cursor })),
  ),
  wrong("list.bad-cursor", "begins again at a cursor that it does not know", (journal) => ({
    listWorkflows: (tenant, { cursor, ...query }) => journal.listWorkflows(tenant, { ...query, ...known(cursor) }),
    listSessions: (tenant, { cursor, ...query }) => journal.listSessions(tenant, { ...query, ...known(cursor) }),
    listHandoffs: (tenant, { cursor, ...query }) => journal.listHandoffs(tenant, { ...query, ...known(cursor) }),
  })),
  wrong("list.code-order", "sorts as English does", (journal) => paged(journal, languageOrder)),
  wrong("list.while-writing", "counts rows to find its page", (journal) => ({
    listWorkflows: byOffset<WorkflowQuery, WorkflowRow, StorageError>(journal.listWorkflows),
    listSessions: byOffset<MemberQuery, SessionRow, StorageError>(journal.listSessions),
    listHandoffs: byOffset<MemberQuery, HandoffRow, StorageError>(journal.listHandoffs),
  })),
  wrong("deadlines.due", "finds due what was due a millisecond ago", (journal) => ({
    due: (now, limit) => journal.due(now - 1, limit),
  })),
  wrong("deadlines.next-wake", "never wakes", () => ({ nextWake: Effect.succeed(null) })),
  wrong("deadlines.clock-jumps", "forgets a deadline once it was looked at", (journal, store) => ({
    due: (now, limit) =>
      Effect.tap(journal.due(now, limit), (items) =>
        Effect.sync(() => {
          for (const { tenant, workflowId } of items) {
            const workflow = store.workflow(tenant, workflowId)
            if (workflow !== undefined) store.wakes.set(workflow, null)
          }
        }),
      ),
  })),
  wrong("deadlines.after-the-end", "lets ended workflows sleep", (journal, store) => ({
    due: (now, limit) =>
      Effect.map(journal.due(now, limit), (items) =>
        items.filter(({ tenant, workflowId }) => !hasEnded(store, tenant, workflowId)),
      ),
  })),
  wrong("deadlines.all-tenants", "wakes one tenant only", (journal) => ({
    due: (now, limit) => Effect.map(journal.due(now, limit), (items) => items.filter((item) => item.tenant === owner)),
  })),
  wrong("tenants.apart", "leaks another tenant's rows", (journal) => ({
    lookup: (_, id, refs) => journal.lookup(owner, id, refs),
  })),
  wrong("tenants.apart", "leaks another tenant's snapshot", (journal) => ({
    load: (tenant, id) =>
      Effect.all([journal.load(tenant, id), journal.load(owner, id)]).pipe(
        Effect.map(([own, other]) => (own === undefined ? undefined : { ...own, snapshot: other?.snapshot ?? null })),
      ),
  })),
  wrong("tenants.apart", "lists the workflows of all tenants", (journal) => ({
    listWorkflows: (_, query) => journal.listWorkflows(owner, query),
  })),
  wrong("writers.see-each-other", "believes its own memory", (journal) => {
    const known = new Map<string, ReadonlyArray<Entry>>()
    return {
      read: (tenant, id, after, limit) => {
        const key = `${tenant} ${id} ${after}`
        const page = known.get(key)
        if (page !== undefined && page.length > 0) return Effect.succeed(page)
        return Effect.tap(journal.read(tenant, id, after, limit), (entries) =>
          Effect.sync(() => void known.set(key, entries)),
        )
      },
      load: (tenant, id) =>
        Effect.map(journal.load(tenant, id), (loaded) =>
          loaded === undefined || !known.has(`${tenant} ${id} 0`) ? loaded : { ...loaded, snapshot: null },
        ),
    }
  }),
  wrong("subscribe.hears", "never tells a subscriber", () => ({ subscribe: () => () => {} })),
  wrong("subscribe.leaves", "never lets a subscriber go", (journal) => ({
    subscribe: (tenant, id, listener) => {
      journal.subscribe(tenant, id, listener)
      return () => {}
    },
  })),
]
