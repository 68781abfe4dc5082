/** Rows and appends to write in tests: plain values with defaults, and a real hash chain. */
import { createHash } from "node:crypto"
import type { KillReceipt } from "../../src/machines/answers.ts"
import { HandoffId, KillId, SessionId, StepId, Tenant, WorkflowId } from "../../src/machines/ids.ts"
import type { HandoffRow, Projection, SessionRow, StepRow, WorkflowRow } from "../../src/machines/projection.ts"
import {
  type Append,
  type Entry,
  genesisHash,
  type Snapshot,
  type StoredDefinition,
} from "../../src/runtime/Journal.ts"

export const tenantId = (text = "t1") => Tenant.make(text)
export const wf = (text: string) => WorkflowId.make(text)
export const sid = (text: string) => SessionId.make(text)
export const hid = (text: string) => HandoffId.make(text)
export const stid = (text: string) => StepId.make(text)
export const kid = (text: string) => KillId.make(text)

export const definition: StoredDefinition = { hash: "d".repeat(64), text: `{"workflow":"review"}` }

export const workflowRow = (id: string, more: Partial<WorkflowRow> = {}): WorkflowRow => ({
  workflowId: wf(id),
  workflow: "review",
  definitionHash: definition.hash,
  rootSessionId: sid(`${id}.root`),
  rootRole: "orchestrator",
  status: "active",
  createdAt: 1000,
  endedAt: null,
  ...more,
})
export const sessionRow = (workflowId: string, id: string, more: Partial<SessionRow> = {}): SessionRow => ({
  sessionId: sid(id),
  workflowId: wf(workflowId),
  role: "scanner",
  agent: "scan-1",
  parentSessionId: null,
  handoffId: null,
  generation: 0,
  depth: 0,
  status: "active",
  version: 1,
  createdAt: 1000,
  createdSeq: 1,
  endedAt: null,
  killId: null,
  reason: null,
  ...more,
})
export const handoffRow = (workflowId: string, id: string, more: Partial<HandoffRow> = {}): HandoffRow => ({
  handoffId: hid(id),
  workflowId: wf(workflowId),
  fromSessionId: sid(`${workflowId}.root`),
  fromRole: "orchestrator",
  toRole: "scanner",
  status: "offered",
  generation: 1,
  sessionId: null,
  offeredAt: 1000,
  offeredSeq: 2,
  updatedAt: 1000,
  deadline: 5000,
  summary: { task: "scan", nested: [1, null, { ü: '\u2028 "quoted"' }] },
  artifacts: [{ uri: "file:///a", mediaType: "text/plain" }],
  resources: [{ name: "repo", key: "42" }],
  result: null,
  resultArtifacts: [],
  reason: null,
  ...more,
})
export const stepRow = (id: string, more: Partial<StepRow> = {}): StepRow => ({
  stepId: stid(id),
  sessionId: sid("s"),
  tool: "scan",
  status: "committed",
  outcome: "committed",
  cost: 20_000,
  tokens: 10,
  resolvedAt: 1200,
  ...more,
})
export const receipt = (workflowId: string, id: string, more: Partial<KillReceipt> = {}): KillReceipt => ({
  killId: kid(id),
  workflowId: wf(workflowId),
  scope: "workflow",
  sessionId: null,
  reason: "stop",
  actor: "operator:ann",
  at: 2000,
  seq: 3,
  sessions: [sid("a"), sid("b")],
  handoffs: [hid("h")],
  orphanedSteps: [{ stepId: stid("st"), sessionId: sid("a"), tool: "scan", resources: [{ name: "repo", key: "42" }] }],
  counts: { sessions: 2, handoffs: 1, orphanedSteps: 1 },
  state: "fenced",
  ...more,
})

const next = (previous: string, text: string): string =>
  createHash("sha256").update(previous).update(text).digest("hex")

/** Writes the appends of one workflow, one after another, with a hash chain that verifies. */
export class Chain {
  readonly tenant: Tenant
  readonly id: WorkflowId
  seq = 0
  hash = genesisHash
  constructor(id: string, tenant = "t1") {
    this.id = wf(id)
    this.tenant = tenantId(tenant)
  }
  /** Another writer that has seen the same events. */
  fork(): Chain {
    const other = new Chain(this.id, this.tenant)
    other.seq = this.seq
    other.hash = this.hash
    return other
  }
  /** An append of `count` events on the head; moves the head, as if it had been appended. */
  append(projections: ReadonlyArray<Projection> = [], count = 1, body = "event"): Append {
    const expectedSeq = this.seq
    const entries: Array<Entry> = []
    for (let i = 0; i < count; i++) {
      const text = JSON.stringify({ seq: ++this.seq, body })
      this.hash = next(this.hash, text)
      entries.push({ seq: this.seq, text, hash: this.hash })
    }
    return { tenant: this.tenant, workflowId: this.id, expectedSeq, entries, projections }
  }
  create(more: Partial<WorkflowRow> = {}): Append {
    const row = workflowRow(this.id, more)
    const root = sessionRow(this.id, row.rootSessionId, { role: "orchestrator", agent: "planner" })
    return {
      ...this.append([
        { _tag: "workflowCreated", row },
        { _tag: "sessionCreated", row: root },
      ]),
      definition,
    }
  }
  snapshot(text = `{"state":${this.seq}}`): Snapshot {
    return { seq: this.seq, hash: this.hash, text }
  }
  /** Asks whether `seq` is still the head. */
  confirm(expectedSeq = this.seq): Append {
    return { tenant: this.tenant, workflowId: this.id, expectedSeq, entries: [], projections: [] }
  }
}
