/**
 * The groups that are committed and not yet folded, as a reader needs them: by workflow, and by the row they change.
 *
 * A reader takes the tables and then applies what the tail says on top. The tail always is exactly what the table `pending`
 * holds in the reader's own snapshot (`sync`), so the two can't disagree. Groups of this process are handed over as they
 * were committed (`added`); only those of others are read and parsed.
 */
import { resourceKey, type Tenant, type WorkflowId } from "../../machines/ids.ts"
import type { Projection } from "../../machines/projection.ts"
import type { Append, Appended } from "../../runtime/Journal.ts"
import type { PendingItem } from "./messages.ts"
import { decodeOps } from "./ops.ts"

interface TailItem {
  readonly firstSeq: number
  readonly count: number
  readonly firstId: number
  readonly projections: ReadonlyArray<Projection>
}
/** One change of one row; `index` is the row's place in a projection that changes many. */
export interface Change {
  readonly p: Projection
  readonly index: number
}
const none: ReadonlyArray<Change> = []

export class WorkflowTail {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
  items: Array<TailItem> = []
  /** Built when somebody asks, up to the item that it has seen. */
  #changes = new Map<string, Array<Change>>()
  #seen = 0

  constructor(tenant: Tenant, workflowId: WorkflowId) {
    this.tenant = tenant
    this.workflowId = workflowId
  }

  changes(
    kind: "workflow" | "session" | "handoff" | "step" | "kill" | "resource" | "answer",
    id: string,
  ): ReadonlyArray<Change> {
    for (let item = this.items[this.#seen]; item !== undefined; item = this.items[++this.#seen]) {
      for (const p of item.projections) this.#index(p)
    }
    return this.#changes.get(`${kind} ${id}`) ?? none
  }

  /** The ids of all rows of one kind that the tail touches. */
  ids(kind: string): ReadonlyArray<string> {
    this.changes("workflow", "")
    const prefix = `${kind} `
    return [...this.#changes.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
  }

  dropFirst(): void {
    this.items.shift()
    this.#changes.clear()
    this.#seen = 0
  }

  #index(p: Projection): void {
    switch (p._tag) {
      case "workflowCreated":
      case "workflowEnded":
      case "wakeAt":
        return this.#note("workflow ", p)
      case "sessionCreated":
        return this.#note(`session ${p.row.sessionId}`, p)
      case "sessionEnded":
        return this.#note(`session ${p.sessionId}`, p)
      case "sessionsKilled":
        return p.sessions.forEach((id, index) => this.#note(`session ${id}`, p, index))
      case "handoffOffered":
        return this.#note(`handoff ${p.row.handoffId}`, p)
      case "handoffChanged":
      case "handoffCompleted":
        return this.#note(`handoff ${p.handoffId}`, p)
      case "handoffsKilled":
        return p.handoffs.forEach((id, index) => this.#note(`handoff ${id}`, p, index))
      case "stepResolved":
        return this.#note(`step ${p.row.stepId}`, p)
      case "killIssued":
        return this.#note(`kill ${p.receipt.killId}`, p)
      case "killQuiescent":
        return this.#note(`kill ${p.killId}`, p)
      case "resourceIdled":
        return this.#note(`resource ${resourceKey(p.row)}`, p)
      case "answered":
        return this.#note(`answer ${p.row.key}`, p)
    }
  }
  #note(key: string, p: Projection, index = 0): void {
    const list = this.#changes.get(key)
    if (list === undefined) this.#changes.set(key, [{ p, index }])
    else list.push({ p, index })
  }
}

interface TailGroup {
  readonly id: number
  readonly members: ReadonlyArray<WorkflowTail>
}

export class Tail {
  #last = 0
  #groups: Array<TailGroup> = []
  readonly #workflows = new Map<string, WorkflowTail>()
  /** The workflows of sessions that the tail creates: a session may be named by any workflow of its tenant. */
  readonly #sessions = new Map<string, WorkflowTail>()

  workflow(tenant: string, workflowId: string): WorkflowTail | undefined {
    return this.#workflows.get(`${tenant}\u0000${workflowId}`)
  }
  workflowOfSession(tenant: string, sessionId: string): WorkflowTail | undefined {
    return this.#sessions.get(`${tenant}\u0000${sessionId}`)
  }
  all(): Iterable<WorkflowTail> {
    return this.#workflows.values()
  }

  /**
   * Takes over a group that this process committed, with `first` as the id of its first event, unless groups of others came
   * before it that are not known yet: then all of them are read from the table, in order.
   */
  added(first: number, before: number, group: ReadonlyArray<Append>, results: ReadonlyArray<Appended> | null): void {
    if (before > this.#last || first <= this.#last) return
    let id = first
    const members: Array<WorkflowTail> = []
    for (let i = 0; i < group.length; i++) {
      const append = group[i] as Append
      if (append.entries.length === 0 || (results !== null && results[i]?._tag !== "appended")) continue
      const { tenant, workflowId, expectedSeq, entries, projections } = append
      members.push(this.#add(tenant, workflowId, expectedSeq + 1, entries.length, id, projections))
      id += entries.length
    }
    this.#groups.push({ id: first, members })
    this.#last = first
  }

  /** Makes the tail what `pending` holds from `first` to `last`; `read` gives the groups after an id. */
  sync(
    first: number | null,
    last: number | null,
    read: (after: number) => ReadonlyArray<{ readonly id: number; readonly items: ReadonlyArray<PendingItem> }>,
  ): void {
    this.dropBefore(first ?? Number.POSITIVE_INFINITY)
    if (last === null || last <= this.#last) return
    for (const { id, items } of read(this.#last)) {
      let at = id
      const members: Array<WorkflowTail> = []
      for (const [tenant, workflowId, firstSeq, count, ops] of items) {
        members.push(this.#add(tenant, workflowId, firstSeq, count, at, decodeOps(ops, workflowId)))
        at += count
      }
      this.#groups.push({ id, members })
      this.#last = id
    }
  }

  /** Forgets the groups with a lower id: they have been folded. */
  dropBefore(first: number): void {
    const groups = this.#groups
    const newest = groups.at(-1)
    if (newest === undefined) return
    if (newest.id < first) {
      // A fold takes all there is, so this is the common case.
      this.#groups = []
      this.#workflows.clear()
      this.#sessions.clear()
      return
    }
    let done = 0
    for (let group = groups[0]; group !== undefined && group.id < first; group = groups[++done]) {
      for (const workflow of group.members) this.#drop(workflow)
    }
    groups.splice(0, done)
  }

  #add(
    tenant: Tenant,
    workflowId: WorkflowId,
    firstSeq: number,
    count: number,
    firstId: number,
    projections: ReadonlyArray<Projection>,
  ): WorkflowTail {
    const key = `${tenant}\u0000${workflowId}`
    let workflow = this.#workflows.get(key)
    if (workflow === undefined) {
      workflow = new WorkflowTail(tenant, workflowId)
      this.#workflows.set(key, workflow)
    }
    workflow.items.push({ firstSeq, count, firstId, projections })
    for (const p of projections) {
      if (p._tag === "sessionCreated") this.#sessions.set(`${tenant}\u0000${p.row.sessionId}`, workflow)
    }
    return workflow
  }

  #drop(workflow: WorkflowTail): void {
    for (const p of workflow.items[0]?.projections ?? []) {
      if (p._tag === "sessionCreated") this.#sessions.delete(`${workflow.tenant}\u0000${p.row.sessionId}`)
    }
    workflow.dropFirst()
    if (workflow.items.length === 0) this.#workflows.delete(`${workflow.tenant}\u0000${workflow.workflowId}`)
  }
}
