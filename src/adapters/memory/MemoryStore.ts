/**
 * The shared store object of the memory journal: maps of rows and lists of entries, per tenant and workflow.
 *
 * It lives as long as the object does. Two runtimes may share one: a call runs to its end before the next one starts, so
 * an append is atomic without a lock.
 */
import type { KillReceipt } from "../../machines/answers.ts"
import type { WorkflowId } from "../../machines/ids.ts"
import { resourceKey } from "../../machines/ids.ts"
import type {
  AnswerRow,
  HandoffRow,
  Projection,
  ResourceRow,
  SessionRow,
  StepRow,
  WorkflowRow,
} from "../../machines/projection.ts"
import type { Append, Appended, Snapshot, StoredDefinition } from "../../runtime/Journal.ts"
import * as Rows from "../rows.ts"
import { EntryLog } from "./EntryLog.ts"
import { SortedPlaces } from "./SortedPlaces.ts"
import { type Sleeper, WakeQueue } from "./WakeQueue.ts"

const appended: Appended = { _tag: "appended" }
const conflict: Appended = { _tag: "conflict" }

/** One workflow: its entries and everything that follows from them. */
export class MemoryWorkflow implements Sleeper {
  readonly tenant: MemoryTenant
  readonly workflowId: WorkflowId
  readonly key: string
  row: WorkflowRow | undefined
  wakeAt: number | null = null
  snapshot: Snapshot | null = null
  readonly entries = new EntryLog()
  readonly sessions = new SortedPlaces()
  readonly roles = new Set<string>()
  readonly handoffs = new Map<string, HandoffRow>()
  readonly handoffOrder = new SortedPlaces()
  readonly steps = new Map<string, StepRow>()
  readonly kills = new Map<string, KillReceipt>()
  readonly resources = new Map<string, ResourceRow>()
  readonly answers = new Map<string, AnswerRow>()

  constructor(tenant: MemoryTenant, workflowId: WorkflowId) {
    this.tenant = tenant
    this.workflowId = workflowId
    this.key = `${tenant.tenant}\u0000${workflowId}`
  }
}

export class MemoryTenant {
  readonly tenant: Append["tenant"]
  readonly workflows = new Map<string, MemoryWorkflow>()
  readonly order = new SortedPlaces()
  readonly sessions = new Map<string, SessionRow>()
  readonly definitions = new Map<string, StoredDefinition>()
  constructor(tenant: Append["tenant"]) {
    this.tenant = tenant
  }
}

export class MemoryStore {
  readonly #tenants = new Map<string, MemoryTenant>()
  /** By workflow. */
  readonly #listeners = new Map<string, Map<() => void, object>>()
  readonly wakes = new WakeQueue<MemoryWorkflow>()

  tenant(tenant: string): MemoryTenant | undefined {
    return this.#tenants.get(tenant)
  }
  workflow(tenant: string, workflowId: string): MemoryWorkflow | undefined {
    return this.#tenants.get(tenant)?.workflows.get(workflowId)
  }

  append(append: Append): Appended {
    const tenant = this.#tenants.get(append.tenant)
    const workflow = tenant?.workflows.get(append.workflowId)
    if ((workflow?.entries.length ?? 0) !== append.expectedSeq) return conflict
    if (append.entries.length === 0 && append.projections.length === 0) return appended
    const exists = existing(tenant, workflow, append.projections)
    if (exists !== undefined) return exists
    this.#write(workflow ?? this.#workflow(append), append)
    return appended
  }

  #workflow(append: Append): MemoryWorkflow {
    let tenant = this.#tenants.get(append.tenant)
    if (tenant === undefined) {
      tenant = new MemoryTenant(append.tenant)
      this.#tenants.set(append.tenant, tenant)
    }
    const workflow = new MemoryWorkflow(tenant, append.workflowId)
    tenant.workflows.set(append.workflowId, workflow)
    return workflow
  }

  #write(workflow: MemoryWorkflow, append: Append): void {
    for (const entry of append.entries) workflow.entries.push(entry)
    for (const projection of append.projections) this.#apply(workflow, projection)
    const { definition, snapshot } = append
    if (definition !== undefined && !workflow.tenant.definitions.has(definition.hash)) {
      workflow.tenant.definitions.set(definition.hash, definition)
    }
    if (snapshot !== undefined) workflow.snapshot = snapshot
  }

  #apply(workflow: MemoryWorkflow, p: Projection): void {
    const { sessions } = workflow.tenant
    switch (p._tag) {
      case "workflowCreated": {
        if (workflow.row === undefined) workflow.tenant.order.add(p.row.createdAt, p.row.workflowId)
        workflow.row = p.row
        return
      }
      case "workflowEnded": {
        if (workflow.row !== undefined) workflow.row = Rows.workflowEnded(workflow.row, p)
        return
      }
      case "sessionCreated": {
        sessions.set(p.row.sessionId, p.row)
        workflow.sessions.add(p.row.createdSeq, p.row.sessionId)
        workflow.roles.add(p.row.role)
        return
      }
      case "sessionEnded": {
        const row = sessions.get(p.sessionId)
        if (row !== undefined) sessions.set(p.sessionId, Rows.sessionEnded(row, p))
        return
      }
      case "sessionsKilled": {
        for (let i = 0; i < p.sessions.length; i++) {
          const row = sessions.get(p.sessions[i] as string)
          if (row !== undefined) sessions.set(row.sessionId, Rows.sessionKilled(row, p, i))
        }
        return
      }
      case "killIssued":
        workflow.kills.set(p.receipt.killId, p.receipt)
        return
      case "killQuiescent": {
        const receipt = workflow.kills.get(p.killId)
        if (receipt !== undefined) workflow.kills.set(p.killId, Rows.killQuiescent(receipt))
        return
      }
      case "stepResolved":
        workflow.steps.set(p.row.stepId, p.row)
        return
      case "resourceIdled":
        workflow.resources.set(resourceKey(p.row), p.row)
        return
      case "answered":
        workflow.answers.set(p.row.key, p.row)
        return
      case "wakeAt":
        return this.wakes.set(workflow, p.at)
      default:
        return applyHandoff(workflow, p)
    }
  }

  /** Listens to one workflow. `owner` tells a writer's own listeners from those of others. */
  subscribe(owner: object, tenant: string, workflowId: string, listener: () => void): () => void {
    const key = `${tenant}\u0000${workflowId}`
    const listeners = this.#listeners.get(key) ?? new Map<() => void, object>()
    this.#listeners.set(key, listeners)
    // A wrapper, so that the same function may be subscribed twice.
    const call = () => listener()
    listeners.set(call, owner)
    return () => {
      listeners.delete(call)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key)
    }
  }
  notify(writer: object, tenant: string, workflowId: string): void {
    if (this.#listeners.size === 0) return
    const listeners = this.#listeners.get(`${tenant}\u0000${workflowId}`)
    if (listeners === undefined) return
    for (const [listener, owner] of listeners) if (owner !== writer) queueMicrotask(listener)
  }
}

/** The first session or handoff that the projections create although it exists, or create twice. */
const existing = (
  tenant: MemoryTenant | undefined,
  workflow: MemoryWorkflow | undefined,
  projections: ReadonlyArray<Projection>,
): Appended | undefined => {
  let created: Set<string> | undefined
  for (const p of projections) {
    if (p._tag !== "sessionCreated" && p._tag !== "handoffOffered") continue
    const kind = p._tag === "sessionCreated" ? "session" : "handoff"
    const id = p._tag === "sessionCreated" ? p.row.sessionId : p.row.handoffId
    const known = p._tag === "sessionCreated" ? tenant?.sessions.has(id) === true : workflow?.handoffs.has(id) === true
    if (known || created?.has(`${kind} ${id}`) === true) return { _tag: "exists", kind, id }
    created ??= new Set()
    created.add(`${kind} ${id}`)
  }
  return undefined
}

type HandoffProjection = Extract<
  Projection,
  { readonly _tag: "handoffOffered" | "handoffChanged" | "handoffCompleted" | "handoffsKilled" }
>
const applyHandoff = (workflow: MemoryWorkflow, p: HandoffProjection): void => {
  const { handoffs } = workflow
  switch (p._tag) {
    case "handoffOffered": {
      if (!handoffs.has(p.row.handoffId)) workflow.handoffOrder.add(p.row.offeredSeq, p.row.handoffId)
      handoffs.set(p.row.handoffId, p.row)
      return
    }
    case "handoffsKilled": {
      for (const id of p.handoffs) {
        const row = handoffs.get(id)
        if (row !== undefined) handoffs.set(id, Rows.handoffKilled(row, p))
      }
      return
    }
    default: {
      const row = handoffs.get(p.handoffId)
      if (row === undefined) return
      handoffs.set(
        p.handoffId,
        p._tag === "handoffChanged" ? Rows.handoffChanged(row, p) : Rows.handoffCompleted(row, p),
      )
    }
  }
}
