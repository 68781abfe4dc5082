/**
 * What each projection does to a row: the one place that says it, for every store that keeps rows as objects.
 *
 * Rows are replaced, never changed: a reader may hold one. Each function gives the same row when it is applied twice, so
 * a change may be carried out again after a crash.
 */
import type { KillReceipt } from "../machines/answers.ts"
import type { HandoffRow, Projection, SessionRow, WorkflowRow } from "../machines/projection.ts"

type Of<T extends Projection["_tag"]> = Extract<Projection, { readonly _tag: T }>

export const workflowEnded = (row: WorkflowRow, p: Of<"workflowEnded">): WorkflowRow => ({
  ...row,
  status: p.status,
  endedAt: p.at,
})

export const sessionEnded = (row: SessionRow, p: Of<"sessionEnded">): SessionRow => ({
  ...row,
  status: p.status,
  version: p.version,
  endedAt: p.at,
  killId: p.killId,
  reason: p.reason,
})

/** `index` is the session's place in the cascade's lists. */
export const sessionKilled = (row: SessionRow, p: Of<"sessionsKilled">, index: number): SessionRow => ({
  ...row,
  status: "killed",
  version: p.versions[index] ?? row.version,
  endedAt: p.at,
  killId: p.killId,
  reason: p.reason,
})

export const handoffChanged = (row: HandoffRow, p: Of<"handoffChanged">): HandoffRow => ({
  ...row,
  status: p.status,
  generation: p.generation,
  sessionId: p.sessionId,
  deadline: p.deadline,
  updatedAt: p.at,
  reason: p.reason,
})

export const handoffCompleted = (row: HandoffRow, p: Of<"handoffCompleted">): HandoffRow => ({
  ...row,
  status: "completed",
  deadline: null,
  updatedAt: p.at,
  result: p.result,
  resultArtifacts: p.artifacts,
})

export const handoffKilled = (row: HandoffRow, p: Of<"handoffsKilled">): HandoffRow => ({
  ...row,
  status: "killed",
  deadline: null,
  updatedAt: p.at,
  reason: p.reason,
})

export const killQuiescent = (receipt: KillReceipt): KillReceipt => ({ ...receipt, state: "quiescent" })

/** A session that is not active, and a handoff that is none of these, has ended. */
export const isOpenSession = (row: SessionRow): boolean => row.status === "active"
export const isOpenHandoff = (row: HandoffRow): boolean =>
  row.status === "offered" || row.status === "claimed" || row.status === "in_progress"
