/**
 * Verification of a store, offline: the journal is whole, and everything else follows from it (I7, I9).
 *
 * For each workflow it walks the events from the first: no gap in the sequence, every hash on the one before, every event
 * folds. Then what the store answers is compared with what was folded: the state that a loader would give (snapshot and tail)
 * and every row of sessions, handoffs and the workflow itself. It takes memory for the rows of one workflow at a time.
 */
import { Effect } from "effect"
import { sha256Hex } from "../definition/index.ts"
import { canonicalJson } from "../machines/canonical.ts"
import type { JournalEvent } from "../machines/events.ts"
import { birth, evolve } from "../machines/evolve/index.ts"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { HandoffRow, Projection, SessionRow, WorkflowRow } from "../machines/projection.ts"
import { takeSnapshot } from "../machines/snapshot.ts"
import type { State } from "../machines/state.ts"
import { type Entry, genesisHash, type Journal, type Page, type StorageError } from "./Journal.ts"
import { Loader } from "./Loader.ts"
import { limits } from "./limits.ts"

export interface Problem {
  readonly workflowId: string
  /** The event at which it shows, where there is one. */
  readonly seq: number | null
  readonly problem: string
}
export interface Verification {
  readonly workflows: number
  readonly events: number
  /** Empty when everything holds. */
  readonly problems: ReadonlyArray<Problem>
}

type Store = Journal["Service"]

/** Verifies every workflow of a tenant. */
export const verifyTenant = (journal: Store, tenant: Tenant): Effect.Effect<Verification, StorageError> =>
  Effect.gen(function* () {
    const problems: Array<Problem> = []
    let workflows = 0
    let events = 0
    let cursor: string | null = null
    do {
      const page: Page<WorkflowRow> = yield* journal.listWorkflows(tenant, {
        limit: limits.page,
        ...(cursor === null ? {} : { cursor }),
      })
      for (const row of page.items) {
        const found = yield* verifyWorkflow(journal, tenant, row)
        workflows += 1
        events += found.events
        problems.push(...found.problems)
      }
      cursor = page.cursor
    } while (cursor !== null)
    return { workflows, events, problems }
  })

/** Verifies one workflow against its row. */
export const verifyWorkflow = (
  journal: Store,
  tenant: Tenant,
  row: WorkflowRow,
): Effect.Effect<Verification, StorageError> =>
  Effect.gen(function* () {
    const { workflowId } = row
    const fold = new Fold(workflowId)
    const loader = new Loader(journal)
    const loaded = yield* Effect.result(loader.load(tenant, workflowId))
    if (loaded._tag === "Failure" && loaded.failure._tag === "StorageUnavailable") return yield* loaded.failure
    const stored = yield* journal
      .load(tenant, workflowId)
      .pipe(Effect.catchTag("StorageCorrupt", () => Effect.succeed(undefined)))
    if (stored === undefined) return fold.report("The workflow can't be loaded.")
    if (sha256Hex(stored.definition.text) !== stored.definition.hash)
      return fold.report("Its definition does not have the hash that it is pinned to.")
    const rules = loader.rulesOf(workflowId, stored.definition)
    for (;;) {
      const page: ReadonlyArray<Entry> = yield* journal.read(tenant, workflowId, fold.seq, limits.eventPage)
      if (page.length === 0) break
      for (const entry of page) if (!fold.add(entry, (event) => birth(event, rules))) return fold.report()
    }
    if (loaded._tag === "Failure") return fold.report(loaded.failure.detail)
    const state = loaded.success?.state
    if (state === undefined || fold.state === undefined) return fold.report("The workflow has no events.")
    if (stateText(state) !== stateText(fold.state)) fold.note("Its snapshot and tail are not the fold of its events.")
    fold.compareWorkflow(row)
    fold.compareSessions(yield* everything((cursor) => journal.listSessions(tenant, page(workflowId, cursor))))
    fold.compareHandoffs(yield* everything((cursor) => journal.listHandoffs(tenant, page(workflowId, cursor))))
    return fold.report()
  })

const page = (workflowId: WorkflowId, cursor: string | null) => ({
  workflowId,
  limit: limits.page,
  ...(cursor === null ? {} : { cursor }),
})

const everything = <A>(next: (cursor: string | null) => Effect.Effect<Page<A>, StorageError>) =>
  Effect.gen(function* () {
    const items: Array<A> = []
    let cursor: string | null = null
    do {
      const got: Page<A> = yield* next(cursor)
      items.push(...got.items)
      cursor = got.cursor
    } while (cursor !== null)
    return items
  })

/** Two states are the same when everything that they hold is; the order of free resources is theirs alone. */
const stateText = (state: State): string => {
  const { resources, ...rest } = takeSnapshot(state)
  return canonicalJson({
    ...rest,
    resources: [...resources].sort((a, b) => (canonicalJson(a.ref) < canonicalJson(b.ref) ? -1 : 1)),
  })
}

/** The fold of one workflow's journal, with the rows that ought to follow from it. */
class Fold {
  readonly #workflowId: WorkflowId
  readonly #problems: Array<Problem> = []
  readonly #sessions = new Map<string, SessionRow>()
  readonly #handoffs = new Map<string, HandoffRow>()
  #workflow: WorkflowRow | undefined
  #hash = genesisHash
  state: State | undefined
  seq = 0

  constructor(workflowId: WorkflowId) {
    this.#workflowId = workflowId
  }

  /** False when the journal is broken here, so that nothing after it can be judged. */
  add(entry: Entry, first: (event: JournalEvent) => State): boolean {
    if (entry.seq !== this.seq + 1) return this.#broken(`Event ${this.seq + 1} is missing.`)
    const hash = sha256Hex(this.#hash + entry.text)
    if (hash !== entry.hash) return this.#broken("It does not fit the hash chain.", entry.seq)
    const rows: Array<Projection> = []
    try {
      const event = JSON.parse(entry.text) as JournalEvent
      this.state ??= first(event)
      evolve(this.state, event, rows)
    } catch (cause) {
      return this.#broken(`It does not fold: ${cause instanceof Error ? cause.message : String(cause)}.`, entry.seq)
    }
    for (const change of rows) this.#project(change)
    this.#hash = hash
    this.seq = entry.seq
    return true
  }

  note(problem: string, seq: number | null = null): void {
    this.#problems.push({ workflowId: this.#workflowId, seq, problem })
  }

  report(problem?: string): Verification {
    if (problem !== undefined) this.note(problem)
    return { workflows: 1, events: this.seq, problems: this.#problems }
  }

  compareWorkflow(row: WorkflowRow): void {
    if (canonicalJson(row) !== canonicalJson(this.#workflow))
      this.note("Its row in workflows does not follow from its events.")
  }

  compareSessions(rows: ReadonlyArray<SessionRow>): void {
    this.#compare("session", rows, this.#sessions, (row) => row.sessionId)
  }

  compareHandoffs(rows: ReadonlyArray<HandoffRow>): void {
    this.#compare("handoff", rows, this.#handoffs, (row) => row.handoffId)
  }

  #compare<A>(what: string, rows: ReadonlyArray<A>, expected: ReadonlyMap<string, A>, idOf: (row: A) => string): void {
    for (const row of rows) {
      const id = idOf(row)
      if (canonicalJson(row) !== canonicalJson(expected.get(id)))
        this.note(`The row of ${what} ${id} does not follow from the events.`)
    }
    if (rows.length !== expected.size)
      this.note(`There are ${rows.length} ${what} rows, and ${expected.size} in the events.`)
  }

  #broken(problem: string, seq: number = this.seq + 1): false {
    this.note(problem, seq)
    return false
  }

  #project(change: Projection): void {
    switch (change._tag) {
      case "workflowCreated":
        this.#workflow = change.row
        return
      case "workflowEnded":
        if (this.#workflow !== undefined)
          this.#workflow = { ...this.#workflow, status: change.status, endedAt: change.at }
        return
      case "sessionCreated":
        this.#sessions.set(change.row.sessionId, change.row)
        return
      case "sessionEnded": {
        const { sessionId, status, version, at, killId, reason } = change
        this.#session(sessionId, { status, version, endedAt: at, killId, reason })
        return
      }
      case "sessionsKilled":
        for (const [index, sessionId] of change.sessions.entries())
          this.#session(sessionId, {
            status: "killed",
            version: change.versions[index] ?? 0,
            endedAt: change.at,
            killId: change.killId,
            reason: change.reason,
          })
        return
      case "handoffOffered":
        this.#handoffs.set(change.row.handoffId, change.row)
        return
      case "handoffChanged": {
        const { handoffId, status, generation, sessionId, deadline, at, reason } = change
        this.#handoff(handoffId, { status, generation, sessionId, deadline, updatedAt: at, reason })
        return
      }
      case "handoffCompleted": {
        const { handoffId, at, result, artifacts } = change
        this.#handoff(handoffId, {
          status: "completed",
          deadline: null,
          updatedAt: at,
          result,
          resultArtifacts: artifacts,
        })
        return
      }
      case "handoffsKilled":
        for (const handoffId of change.handoffs)
          this.#handoff(handoffId, { status: "killed", deadline: null, updatedAt: change.at, reason: change.reason })
        return
      default:
        // Steps, kills, resources and answers are read back one by one, never listed.
        return
    }
  }

  #session(sessionId: string, change: Partial<SessionRow>): void {
    const row = this.#sessions.get(sessionId)
    if (row !== undefined) this.#sessions.set(sessionId, { ...row, ...change })
  }

  #handoff(handoffId: string, change: Partial<HandoffRow>): void {
    const row = this.#handoffs.get(handoffId)
    if (row !== undefined) this.#handoffs.set(handoffId, { ...row, ...change })
  }
}
