/** Rows to write in the clauses: plain values with defaults, each as the rules could have made it. */
import type { KillReceipt } from "../../machines/answers.ts"
import { HandoffId, KillId, SessionId, StepId, Tenant, WorkflowId } from "../../machines/ids.ts"
import type { HandoffRow, SessionRow, StepRow, WorkflowRow } from "../../machines/projection.ts"
import type { StoredDefinition } from "../../runtime/Journal.ts"

export const tenantId = (text = "t1") => Tenant.make(text)
export const wf = (text: string) => WorkflowId.make(text)
export const sid = (text: string) => SessionId.make(text)
export const hid = (text: string) => HandoffId.make(text)
const stid = (text: string) => StepId.make(text)
export const kid = (text: string) => KillId.make(text)

export const definition: StoredDefinition = { hash: "d".repeat(64), text: `{"workflow":"review"}` }

export const workflowRow = (id: string, more: Partial<WorkflowRow> = {}): WorkflowRow => ({
  workflowId: wf(id),
  workflow: "review",
  definitionHash: definition.hash,
  rootSessionId: more.rootSessionId ?? sid(`${id}.root`),
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
  artifacts: [{ uri: "s3://store/a", mediaType: "text/plain" }],
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
