/** Stores that write wrongly: what should be a conflict is taken, what should be whole is half, what was answered is lost. */
import { Effect } from "effect"
import { type MemoryStore, makeMemoryStore } from "../../adapters/memory/MemoryJournal.ts"
import { WorkflowId } from "../../machines/ids.ts"
import type { Append, Appended } from "../../runtime/Journal.ts"
import {
  appended,
  changed,
  conflict,
  headOf,
  oneByOne,
  onHead,
  projected,
  unavailable,
  type Writer,
  type WrongStore,
  wrong,
  wrongVariant,
  wrongWith,
} from "./wrong.ts"

const isTaken = (append: Append, store: MemoryStore): boolean =>
  append.projections.some(
    (p) => p._tag === "sessionCreated" && store.tenant(append.tenant)?.sessions.has(p.row.sessionId) === true,
  )
const withoutTaken = (append: Append, isNew: (id: string) => boolean): Append => ({
  ...append,
  projections: append.projections.filter((p) => p._tag !== "sessionCreated" || isNew(p.row.sessionId)),
})
const sessionsOf = (append: Append): ReadonlyArray<string> =>
  append.projections.flatMap((p) => (p._tag === "sessionCreated" ? [p.row.sessionId] : []))

/** Head check and write as two statements, with whatever may happen in between. */
const checkThenAct: Writer = (_, store, gate) => ({
  append: (group) =>
    Effect.gen(function* () {
      const taken = yield* gate.passSync(() => group.map((append) => headOf(store, append) === append.expectedSeq))
      yield* Effect.yieldNow
      return yield* gate.passSync(() =>
        group.map((append, i) => (taken[i] === true ? store.append(onHead(store, append)) : conflict)),
      )
    }),
})

/** Events in one statement, all that follows from them in another. */
const halfAppends: Writer = (_, store, gate) => ({
  append: (group) =>
    Effect.gen(function* () {
      const results: Array<Appended> = []
      for (const append of group) {
        const { snapshot, projections, ...bare } = append
        const result = yield* gate.passSync(() => store.append({ ...bare, projections: [] }))
        results.push(result)
        if (result._tag !== "appended" || projections.length === 0) continue
        const rest = { ...bare, entries: [], projections, ...(snapshot === undefined ? {} : { snapshot }) }
        yield* gate.passSync(() => store.append(onHead(store, rest)))
      }
      return results
    }),
})
const halfGroups: Writer = (_, store, gate) => ({
  append: (group) => Effect.forEach(group, (append) => gate.passSync(() => store.append(append))),
})

/** A store whose last group is still in the memory of whoever wrote it. */
const answersTooSoon = () => {
  const durable: Array<ReadonlyArray<Append>> = []
  let last: ReadonlyArray<Append> = []
  const flush = (): void => {
    durable.push(last)
    last = []
  }
  return {
    writer: ((journal) => ({
      append: (group) =>
        Effect.tap(journal.append(group), () =>
          Effect.sync(() => {
            flush()
            last = group
          }),
        ),
    })) satisfies Writer,
    afterClose: (store: MemoryStore) => {
      flush()
      return store
    },
    afterDeath: () => {
      last = []
      const store = makeMemoryStore()
      for (const group of durable) for (const append of group) store.append(append)
      return store
    },
  }
}

export const wrongWrites: ReadonlyArray<WrongStore> = [
  wrong("append.answers-in-order", "answers a group backwards", (journal) => ({
    append: (group) => Effect.map(journal.append(group), (results) => results.toReversed()),
  })),
  wrong("append.nothing", "refuses an empty group", (journal) => ({
    append: (group) => (group.length === 0 ? Effect.fail(unavailable) : journal.append(group)),
  })),
  wrong(
    "append.stale",
    "lets the last write win",
    oneByOne((append, store) => store.append(onHead(store, append))),
  ),
  wrong(
    "append.ahead",
    "refuses only what is behind the head",
    oneByOne((append, store) =>
      store.append(append.expectedSeq > headOf(store, append) ? onHead(store, append) : append),
    ),
  ),
  wrong(
    "append.confirm",
    "confirms any head",
    oneByOne((append, store) => (append.entries.length === 0 ? appended : store.append(append))),
  ),
  wrong(
    "append.answers-without-events",
    "drops what comes without events",
    changed((append) => (append.entries.length === 0 ? { ...append, projections: [] } : append)),
  ),
  wrongWith(
    "append.in-order",
    "lets every other group wait",
    () => ({ calls: 0 }),
    (shared) => (journal) => ({
      append: (group) => Effect.delay(journal.append(group), shared.calls++ % 2 === 0 ? 5 : 0),
    }),
  ),
  wrong(
    "exists.session",
    "does not look whether a session exists",
    oneByOne((append, store) =>
      store.append(withoutTaken(append, (id) => !store.tenant(append.tenant)?.sessions.has(id))),
    ),
  ),
  wrong("exists.within-group", "looks for sessions before the group only", (_, store, gate) => ({
    append: (group) =>
      gate.passSync(() => {
        const before = new Set(group.filter((append) => isTaken(append, store)))
        return group.map((append) =>
          store.append(
            before.has(append) ? append : withoutTaken(append, (id) => !store.tenant(append.tenant)?.sessions.has(id)),
          ),
        )
      }),
  })),
  wrong(
    "exists.within-append",
    "creates a session twice in one append",
    changed((append) => {
      const seen = new Set<string>()
      return withoutTaken(append, (id) => !seen.has(id) && seen.add(id).has(id))
    }),
  ),
  wrongWith(
    "exists.handoff",
    "takes a handoff id for the whole tenant",
    () => new Set<string>(),
    (ids) =>
      oneByOne((append, store) => {
        const offered = append.projections.flatMap((p) => (p._tag === "handoffOffered" ? [p.row.handoffId] : []))
        const known = offered.find((id) => ids.has(`${append.tenant} ${id}`))
        if (known !== undefined) return { _tag: "exists", kind: "handoff", id: known }
        for (const id of offered) ids.add(`${append.tenant} ${id}`)
        return store.append(append)
      }),
  ),
  wrong(
    "exists.after-conflict",
    "looks for sessions before it looks at the head",
    oneByOne((append, store) => store.append(isTaken(append, store) ? onHead(store, append) : append)),
  ),
  wrong("lookup.absent-target", "fails on a change to what is not there", (journal, store) => ({
    append: (group) =>
      group.some((append) =>
        append.projections.some(
          (p) => p._tag === "killQuiescent" && !store.workflow(append.tenant, append.workflowId)?.kills.has(p.killId),
        ),
      )
        ? Effect.fail(unavailable)
        : journal.append(group),
  })),
  wrongWith(
    "tenants.same-ids",
    "takes a session id for all tenants",
    () => new Map<string, string>(),
    (owners) =>
      oneByOne((append, store) => {
        const known = sessionsOf(append).find((id) => (owners.get(id) ?? append.tenant) !== append.tenant)
        if (known !== undefined && !known.endsWith(".root")) return { _tag: "exists", kind: "session", id: known }
        for (const id of sessionsOf(append)) owners.set(id, append.tenant)
        return store.append(append)
      }),
  ),
  wrong("writers.one-head", "checks, then acts", checkThenAct),
  wrongWith(
    "writers.many",
    "takes a conflict for a success now and then",
    () => ({ conflicts: 0 }),
    (shared) =>
      oneByOne((append, store) => {
        const result = store.append(append)
        return result._tag === "conflict" && ++shared.conflicts % 30 === 0 ? appended : result
      }),
  ),
  wrong("writers.one-session", "knows only the sessions of its own process", (_, store, gate) => {
    const own = new Set<string>()
    return {
      append: (group) =>
        gate.passSync(() =>
          group.map((append) => {
            const kept = withoutTaken(
              append,
              (id) => own.has(id) || store.tenant(append.tenant)?.sessions.has(id) !== true,
            )
            for (const id of sessionsOf(append)) own.add(id)
            return store.append(kept)
          }),
        ),
    }
  }),
  wrong(
    "delivery.twice",
    "writes a redelivery again",
    oneByOne((append, store) => {
      const [first] = append.entries
      const there = store.workflow(append.tenant, append.workflowId)?.entries.slice(append.expectedSeq)[0]
      const again = first !== undefined && there?.hash === first.hash
      return store.append(again ? { ...onHead(store, append), projections: [] } : append)
    }),
  ),
  wrong(
    "delivery.at-once",
    "takes a redelivery for a success",
    oneByOne((append, store) => {
      const result = store.append(append)
      const there = store.workflow(append.tenant, append.workflowId)?.entries.slice(append.expectedSeq)[0]
      return result._tag === "conflict" && there?.hash === append.entries[0]?.hash ? appended : result
    }),
  ),
  wrong(
    "delivery.frozen-writer",
    "forgets who is behind once it is far behind",
    oneByOne((append, store) =>
      store.append(headOf(store, append) - append.expectedSeq > 8 ? onHead(store, append) : append),
    ),
  ),
  wrongVariant("durability.reopen", "forgets on restart", () => ({ afterClose: () => makeMemoryStore() })),
  wrongVariant("durability.kill", "answers before it is durable", answersTooSoon),
  wrong("crash.every-statement", "writes an append in two halves", halfAppends),
  wrong("crash.every-statement", "writes a group one append at a time", halfGroups),
  wrong("error.every-statement", "leaves half a group behind an error", halfGroups),
  wrong("error.every-statement", "throws what is no error of the port", (journal) => ({
    append: (group) => Effect.orDie(journal.append(group)),
  })),
  wrong("error.every-statement", "says that nothing was written where it was", (journal) => ({
    append: (group) => Effect.mapError(journal.append(group), () => unavailable),
  })),
  wrong("error.every-statement", "is stuck after an error", (journal) => {
    let stuck = false
    return {
      append: (group) =>
        Effect.suspend(() => (stuck ? Effect.fail(unavailable) : journal.append(group))).pipe(
          Effect.tapError(() =>
            Effect.sync(() => {
              stuck = true
            }),
          ),
        ),
    }
  }),
  wrong("freeze.every-statement", "acts on what it saw before it was frozen", checkThenAct),
  wrong("bounds.group", "takes a hundred appends and no more", (journal) => ({
    append: (group) => (group.length > 100 ? Effect.fail(unavailable) : journal.append(group)),
  })),
  wrong(
    "bounds.append",
    "ends a thousand sessions and no more",
    projected((p) => (p._tag === "sessionsKilled" ? { ...p, sessions: p.sessions.slice(0, 1000) } : p)),
  ),
  wrong(
    "bounds.payload",
    "cuts a snapshot off",
    changed((append) =>
      append.snapshot === undefined
        ? append
        : { ...append, snapshot: { ...append.snapshot, text: append.snapshot.text.slice(0, 65_535) } },
    ),
  ),
  wrong(
    "bounds.numbers",
    "keeps a cost in 32 bits",
    projected((p) => (p._tag === "stepResolved" ? { ...p, row: { ...p.row, cost: p.row.cost | 0 } } : p)),
  ),
  wrong(
    "text.plain",
    "trims a reason",
    projected((p) => (p._tag === "sessionEnded" ? { ...p, reason: p.reason?.trim() ?? null } : p)),
  ),
  wrong(
    "text.plain",
    "folds the case of an idempotency key",
    projected((p) => (p._tag === "answered" ? { ...p, row: { ...p.row, key: p.row.key.toLowerCase() } } : p)),
  ),
  wrong(
    "text.json",
    "loses NUL characters",
    projected((p) =>
      p._tag === "handoffOffered"
        ? { ...p, row: { ...p.row, summary: JSON.parse(JSON.stringify(p.row.summary).replaceAll("\\u0000", "")) } }
        : p,
    ),
  ),
  wrong(
    "text.ids",
    "folds the case of an id",
    changed((append) => ({ ...append, workflowId: WorkflowId.make(append.workflowId.toLowerCase()) })),
  ),
]
