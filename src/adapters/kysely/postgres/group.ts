/** A group of appends as the statements of one pipeline, in the order in which they depend on each other. */
import type { Append } from "../../../runtime/Journal.ts"
import { Changes, type HandoffChange } from "./changes.ts"
import { Rows, type Value } from "./columns.ts"
import type { Part } from "./pipeline.ts"
import type { Write } from "./writes.ts"
import * as Writes from "./writes.ts"

/** What a store keeps for its schema: the text of each statement, compiled once. */
export class Statements {
  readonly #schema: string
  readonly #texts = new Map<string, string>()
  constructor(schema: string) {
    this.#schema = schema
  }
  text({ name, text }: { readonly name: string; text(schema: string): string }): string {
    let found = this.#texts.get(name)
    if (found === undefined) {
      found = text(this.#schema)
      this.#texts.set(name, found)
    }
    return found
  }
}

/** In the order of their execution. */
const order = [
  Writes.guardHeads,
  Writes.insertDefinition,
  Writes.insertEvents,
  Writes.upsertWorkflow,
  Writes.changeWorkflow,
  Writes.insertRole,
  Writes.insertSession,
  Writes.endSession,
  Writes.insertHandoff,
  Writes.changeHandoff,
  Writes.upsertStep,
  Writes.upsertKill,
  Writes.quietKill,
  Writes.upsertResource,
  Writes.upsertAnswer,
  Writes.upsertSnapshot,
] as const satisfies ReadonlyArray<Write>

export class Group {
  readonly #rows = new Map<Write, Rows>()
  readonly #definitions = new Set<string>()
  /** Workflow and role as one text; a role that is known to be written is not written again. */
  readonly roles: Array<string> = []

  constructor(appends: ReadonlyArray<Append>, knownRoles: ReadonlySet<string>) {
    // Two nodes that write some of the same workflows take their keys in the same order, or each would wait for the other.
    for (const append of appends.toSorted(byKey)) this.#add(append, knownRoles)
  }

  /** False where all there is to do is to look at the heads. */
  get writes(): boolean {
    return this.#rows.size > 1
  }

  parts(statements: Statements): ReadonlyArray<Part> {
    return order.flatMap((write) => {
      const rows = this.#rows.get(write)
      return rows === undefined ? [] : [{ text: statements.text(write), values: rows.parameters() }]
    })
  }

  #push(write: Write, ...row: ReadonlyArray<Value>): void {
    let rows = this.#rows.get(write)
    if (rows === undefined) {
      rows = new Rows(write.layout)
      this.#rows.set(write, rows)
    }
    rows.push(...row)
  }

  #add(append: Append, knownRoles: ReadonlySet<string>): void {
    const { tenant, workflowId, definition, snapshot } = append
    this.#push(Writes.guardHeads, tenant, workflowId, append.expectedSeq)
    for (const { seq, text, hash } of append.entries) {
      this.#push(Writes.insertEvents, tenant, workflowId, seq, text, hash)
    }
    if (definition !== undefined && !this.#definitions.has(`${tenant} ${definition.hash}`)) {
      this.#definitions.add(`${tenant} ${definition.hash}`)
      this.#push(Writes.insertDefinition, tenant, definition.hash, definition.text)
    }
    if (append.projections.length > 0) this.#addChanges(append, new Changes(append.projections), knownRoles)
    if (snapshot !== undefined) {
      this.#push(Writes.upsertSnapshot, tenant, workflowId, snapshot.seq, snapshot.hash, snapshot.text)
    }
  }

  #addChanges({ tenant, workflowId }: Append, changes: Changes, knownRoles: ReadonlySet<string>): void {
    this.#addWorkflow(tenant, workflowId, changes)
    for (const role of changes.roles) {
      const key = `${tenant} ${workflowId} ${role}`
      if (knownRoles.has(key)) continue
      this.roles.push(key)
      this.#push(Writes.insertRole, tenant, workflowId, role)
    }
    this.#addSessions(tenant, changes)
    this.#addHandoffs(tenant, workflowId, changes)
    for (const r of changes.steps.values()) {
      const { stepId, sessionId, tool, status, outcome, cost, tokens, resolvedAt } = r
      this.#push(
        Writes.upsertStep,
        tenant,
        workflowId,
        stepId,
        sessionId,
        tool,
        status,
        outcome,
        cost,
        tokens,
        resolvedAt,
      )
    }
    for (const receipt of changes.kills.values()) {
      this.#push(Writes.upsertKill, tenant, workflowId, receipt.killId, receipt.state, JSON.stringify(receipt))
    }
    for (const killId of changes.quietKills) this.#push(Writes.quietKill, tenant, workflowId, killId)
    for (const { name, key, fence, version } of changes.resources.values()) {
      this.#push(Writes.upsertResource, tenant, workflowId, name, key, fence, version)
    }
    for (const { key, fingerprint, answer } of changes.answers.values()) {
      this.#push(Writes.upsertAnswer, tenant, workflowId, key, fingerprint, JSON.stringify(answer))
    }
  }

  #addWorkflow(tenant: string, workflowId: string, { workflow, ended, wake }: Changes): void {
    if (workflow !== undefined) {
      const { definitionHash, rootSessionId, rootRole, status, createdAt, endedAt } = workflow
      const root = [definitionHash, rootSessionId, rootRole] as const
      const times = [createdAt, endedAt, wake?.at ?? null] as const
      this.#push(Writes.upsertWorkflow, tenant, workflowId, workflow.workflow, ...root, status, ...times)
    } else if (ended !== undefined || wake !== undefined) {
      const end = [ended?.status ?? null, ended?.at ?? null] as const
      this.#push(Writes.changeWorkflow, tenant, workflowId, ...end, wake === undefined ? 0 : 1, wake?.at ?? null)
    }
  }

  #addSessions(tenant: string, { sessions, sessionEnds }: Changes): void {
    for (const r of sessions.values()) {
      const who = [r.sessionId, r.role, r.agent, r.parentSessionId, r.handoffId] as const
      const state = [r.generation, r.depth, r.status, r.version, r.createdAt, r.createdSeq] as const
      this.#push(Writes.insertSession, tenant, r.workflowId, ...who, ...state, r.endedAt, r.killId, r.reason)
    }
    for (const [id, { status, version, at, killId, reason }] of sessionEnds) {
      this.#push(Writes.endSession, tenant, id, status, version, at, killId, reason)
    }
  }

  #addHandoffs(tenant: string, workflowId: string, { handoffs, handoffChanges }: Changes): void {
    for (const r of handoffs.values()) {
      const who = [r.handoffId, r.fromSessionId, r.fromRole, r.toRole, r.status, r.generation, r.sessionId] as const
      const times = [r.offeredAt, r.offeredSeq, r.updatedAt, r.deadline] as const
      const content = [json(r.summary), json(r.artifacts), json(r.resources), json(r.result), json(r.resultArtifacts)]
      this.#push(Writes.insertHandoff, tenant, workflowId, ...who, ...times, ...content, r.reason)
    }
    for (const [id, change] of handoffChanges) {
      this.#push(Writes.changeHandoff, tenant, workflowId, id, ...handoffValues(change))
    }
  }
}

const handoffValues = (change: HandoffChange): ReadonlyArray<Value> => {
  const { status, deadline, updatedAt, moved, explained, completed } = change
  return [
    status,
    deadline,
    updatedAt,
    moved === undefined ? 0 : 1,
    moved?.generation ?? null,
    moved?.sessionId ?? null,
    explained === undefined ? 0 : 1,
    explained?.reason ?? null,
    completed === undefined ? null : json(completed.result),
    completed === undefined ? null : json(completed.artifacts),
  ]
}

/** Most lists of a handoff are empty. */
const json = (value: unknown): string => (Array.isArray(value) && value.length === 0 ? "[]" : JSON.stringify(value))

const byKey = (a: Append, b: Append): number =>
  a.tenant === b.tenant ? (a.workflowId < b.workflowId ? -1 : 1) : a.tenant < b.tenant ? -1 : 1
