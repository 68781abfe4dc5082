/**
 * Projections as flat lists: how pending groups are stored, and how they reach the writer's thread.
 *
 * An op is a code and the values of its row or change, in the order in which the fold's statements bind them, so a created row
 * is bound as it was parsed. Without the names of the fields a group is less than half as long, which the thread that
 * writes it, the disk, and the thread that folds it all save.
 *
 * Codes and orders are a stored format: they may be added to, never changed.
 */
import type { KillReceipt } from "../../machines/answers.ts"
import type {
  AnswerRow,
  HandoffRow,
  Projection,
  ResourceRow,
  SessionRow,
  StepRow,
  WorkflowRow,
} from "../../machines/projection.ts"

export const op = {
  workflowCreated: 0,
  workflowEnded: 1,
  wakeAt: 2,
  sessionCreated: 3,
  sessionEnded: 4,
  sessionsKilled: 5,
  handoffOffered: 6,
  handoffChanged: 7,
  handoffCompleted: 8,
  handoffsKilled: 9,
  stepResolved: 10,
  killIssued: 11,
  killQuiescent: 12,
  resourceIdled: 13,
  answered: 14,
} as const satisfies Record<Projection["_tag"], number>

/** Where the fold finds what later changes of the same batch touch. */
export const workflowField = { status: 4, endedAt: 6 } as const
export const sessionField = { id: 0, role: 1, status: 7, version: 8, endedAt: 11, killId: 12, reason: 13 } as const
export const handoffField = {
  id: 0,
  status: 4,
  generation: 5,
  sessionId: 6,
  updatedAt: 9,
  deadline: 10,
  summary: 11,
  artifacts: 12,
  resources: 13,
  result: 14,
  resultArtifacts: 15,
  reason: 16,
} as const

export type Values = Array<unknown>

/** Appends the code and the values of `p`. */
export const encodeOp = (ops: Array<unknown>, p: Projection): void => {
  ops.push(op[p._tag], valuesOf(p))
}

const valuesOf = (p: Projection): Values => {
  switch (p._tag) {
    case "workflowCreated": {
      const r = p.row
      return [r.workflow, r.definitionHash, r.rootSessionId, r.rootRole, r.status, r.createdAt, r.endedAt]
    }
    case "workflowEnded":
      return [p.status, p.at]
    case "wakeAt":
      return [p.at]
    case "sessionCreated": {
      const r = p.row
      return [
        r.sessionId,
        r.role,
        r.agent,
        r.parentSessionId,
        r.handoffId,
        r.generation,
        r.depth,
        r.status,
        r.version,
        r.createdAt,
        r.createdSeq,
        r.endedAt,
        r.killId,
        r.reason,
      ]
    }
    case "sessionEnded":
      return [p.status, p.version, p.at, p.killId, p.reason, p.sessionId]
    case "sessionsKilled":
      return [p.at, p.killId, p.reason, p.sessions, p.versions]
    case "handoffOffered": {
      const r = p.row
      return [
        r.handoffId,
        r.fromSessionId,
        r.fromRole,
        r.toRole,
        r.status,
        r.generation,
        r.sessionId,
        r.offeredAt,
        r.offeredSeq,
        r.updatedAt,
        r.deadline,
        r.summary,
        r.artifacts,
        r.resources,
        r.result,
        r.resultArtifacts,
        r.reason,
      ]
    }
    case "handoffChanged":
      return [p.status, p.generation, p.sessionId, p.deadline, p.at, p.reason, p.handoffId]
    case "handoffCompleted":
      return [p.at, p.result, p.artifacts, p.handoffId]
    case "handoffsKilled":
      return [p.at, p.reason, p.handoffs]
    case "stepResolved": {
      const r = p.row
      return [r.stepId, r.sessionId, r.tool, r.status, r.outcome, r.cost, r.tokens, r.resolvedAt]
    }
    case "killIssued":
      return [p.receipt.killId, p.receipt.state, p.receipt]
    case "killQuiescent":
      return [p.killId]
    case "resourceIdled":
      return [p.row.name, p.row.key, p.row.fence, p.row.version]
    case "answered":
      return [p.row.key, p.row.fingerprint, p.row.answer]
  }
}

/** The projections of a stored list, for a reader; the opposite of `encodeOp`. Unknown codes are left out. */
export const decodeOps = (ops: ReadonlyArray<unknown>, workflowId: string): ReadonlyArray<Projection> => {
  const projections: Array<Projection> = []
  for (let i = 0; i + 1 < ops.length; i += 2) {
    const p = decode(ops[i] as number, ops[i + 1] as Values, workflowId)
    // The text was written by `encodeOp`; that the shapes fit is the point of the stored format.
    if (p !== undefined) projections.push(p as unknown as Projection)
  }
  return projections
}

type Loose<A> = { readonly [K in keyof A]: unknown }
type LooseProjection = { readonly _tag: Projection["_tag"] } & Readonly<Record<string, unknown>>

const decode = (code: number, v: Values, workflowId: string): LooseProjection | undefined => {
  switch (code) {
    case op.workflowCreated: {
      const [workflow, definitionHash, rootSessionId, rootRole, status, createdAt, endedAt] = v
      const row: Loose<WorkflowRow> = {
        workflowId,
        workflow,
        definitionHash,
        rootSessionId,
        rootRole,
        status,
        createdAt,
        endedAt,
      }
      return { _tag: "workflowCreated", row }
    }
    case op.workflowEnded:
      return { _tag: "workflowEnded", status: v[0], at: v[1] }
    case op.wakeAt:
      return { _tag: "wakeAt", at: v[0] }
    case op.sessionCreated:
      return { _tag: "sessionCreated", row: decodeSession(v, workflowId) }
    case op.sessionEnded: {
      const [status, version, at, killId, reason, sessionId] = v
      return { _tag: "sessionEnded", sessionId, status, version, at, killId, reason }
    }
    case op.sessionsKilled: {
      const [at, killId, reason, sessions, versions] = v
      return { _tag: "sessionsKilled", sessions, versions, at, killId, reason }
    }
    case op.handoffOffered:
      return { _tag: "handoffOffered", row: decodeHandoff(v, workflowId) }
    case op.handoffChanged: {
      const [status, generation, sessionId, deadline, at, reason, handoffId] = v
      return { _tag: "handoffChanged", handoffId, status, generation, sessionId, deadline, at, reason }
    }
    case op.handoffCompleted: {
      const [at, result, artifacts, handoffId] = v
      return { _tag: "handoffCompleted", handoffId, at, result, artifacts }
    }
    case op.handoffsKilled: {
      const [at, reason, handoffs] = v
      return { _tag: "handoffsKilled", handoffs, at, reason }
    }
    case op.stepResolved: {
      const [stepId, sessionId, tool, status, outcome, cost, tokens, resolvedAt] = v
      const row: Loose<StepRow> = { stepId, sessionId, tool, status, outcome, cost, tokens, resolvedAt }
      return { _tag: "stepResolved", row }
    }
    case op.killIssued:
      return { _tag: "killIssued", receipt: v[2] as KillReceipt }
    case op.killQuiescent:
      return { _tag: "killQuiescent", killId: v[0] }
    case op.resourceIdled: {
      const row: Loose<ResourceRow> = { name: v[0], key: v[1], fence: v[2], version: v[3] }
      return { _tag: "resourceIdled", row }
    }
    case op.answered: {
      const row: Loose<AnswerRow> = { key: v[0], fingerprint: v[1], answer: v[2] }
      return { _tag: "answered", row }
    }
    default:
      return undefined
  }
}

const decodeSession = (v: Values, workflowId: string): Loose<SessionRow> => {
  const [
    sessionId,
    role,
    agent,
    parentSessionId,
    handoffId,
    generation,
    depth,
    status,
    version,
    createdAt,
    createdSeq,
  ] = v
  const [endedAt, killId, reason] = v.slice(sessionField.endedAt)
  return {
    sessionId,
    workflowId,
    role,
    agent,
    parentSessionId,
    handoffId,
    generation,
    depth,
    status,
    version,
    createdAt,
    createdSeq,
    endedAt,
    killId,
    reason,
  }
}

const decodeHandoff = (v: Values, workflowId: string): Loose<HandoffRow> => {
  const [handoffId, fromSessionId, fromRole, toRole, status, generation, sessionId, offeredAt, offeredSeq, updatedAt] =
    v
  const [deadline, summary, artifacts, resources, result, resultArtifacts, reason] = v.slice(handoffField.deadline)
  return {
    handoffId,
    workflowId,
    fromSessionId,
    fromRole,
    toRole,
    status,
    generation,
    sessionId,
    offeredAt,
    offeredSeq,
    updatedAt,
    deadline,
    summary,
    artifacts,
    resources,
    result,
    resultArtifacts,
    reason,
  }
}
