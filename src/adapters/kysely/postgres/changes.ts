/**
 * What the projections of a group make of each row: one insert or one update a row, however many events changed it.
 *
 * A row that was created in the same append is written as it is in the end. Of an older row only what changed is known, and
 * the last word on each column counts.
 */
import type { KillReceipt } from "../../../machines/answers.ts"
import { resourceKey } from "../../../machines/ids.ts"
import type {
  AnswerRow,
  HandoffRow,
  Projection,
  ResourceRow,
  SessionRow,
  StepRow,
  WorkflowRow,
} from "../../../machines/projection.ts"
import * as RowsOf from "../../rows.ts"

export interface SessionEnd {
  readonly status: string
  readonly version: number
  readonly at: number
  readonly killId: string | null
  readonly reason: string | null
}

/** What changed of an older handoff; `moved`, `explained` and `result` only where their columns did. */
export interface HandoffChange {
  status: string
  deadline: number | null
  updatedAt: number
  moved: { readonly generation: number; readonly sessionId: string | null } | undefined
  explained: { readonly reason: string | null } | undefined
  completed: { readonly result: unknown; readonly artifacts: unknown } | undefined
}

/** Of one append. */
export class Changes {
  workflow: WorkflowRow | undefined
  ended: { readonly status: string; readonly at: number } | undefined
  wake: { readonly at: number | null } | undefined
  readonly roles = new Set<string>()
  readonly sessions = new Map<string, SessionRow>()
  readonly sessionEnds = new Map<string, SessionEnd>()
  readonly handoffs = new Map<string, HandoffRow>()
  readonly handoffChanges = new Map<string, HandoffChange>()
  readonly steps = new Map<string, StepRow>()
  readonly kills = new Map<string, KillReceipt>()
  readonly quietKills = new Set<string>()
  readonly resources = new Map<string, ResourceRow>()
  readonly answers = new Map<string, AnswerRow>()

  constructor(projections: ReadonlyArray<Projection>) {
    for (const p of projections) this.#apply(p)
  }

  #apply(p: Projection): void {
    switch (p._tag) {
      case "workflowCreated":
        this.workflow = p.row
        return
      case "workflowEnded":
        if (this.workflow === undefined) this.ended = p
        else this.workflow = RowsOf.workflowEnded(this.workflow, p)
        return
      case "wakeAt":
        this.wake = p
        return
      case "sessionCreated":
        this.roles.add(p.row.role)
        this.sessions.set(p.row.sessionId, p.row)
        return
      case "sessionEnded": {
        const row = this.sessions.get(p.sessionId)
        if (row === undefined) this.sessionEnds.set(p.sessionId, p)
        else this.sessions.set(p.sessionId, RowsOf.sessionEnded(row, p))
        return
      }
      case "sessionsKilled":
        return this.#killSessions(p)
      case "stepResolved":
        this.steps.set(p.row.stepId, p.row)
        return
      case "killIssued":
        this.kills.set(p.receipt.killId, p.receipt)
        return
      case "killQuiescent": {
        const receipt = this.kills.get(p.killId)
        if (receipt === undefined) this.quietKills.add(p.killId)
        else this.kills.set(p.killId, RowsOf.killQuiescent(receipt))
        return
      }
      case "resourceIdled":
        this.resources.set(resourceKey(p.row), p.row)
        return
      case "answered":
        this.answers.set(p.row.key, p.row)
        return
      default:
        return this.#applyHandoff(p)
    }
  }

  #killSessions(p: Extract<Projection, { readonly _tag: "sessionsKilled" }>): void {
    for (const [index, id] of p.sessions.entries()) {
      const row = this.sessions.get(id)
      if (row !== undefined) this.sessions.set(id, RowsOf.sessionKilled(row, p, index))
      else {
        const version = p.versions[index] ?? 1
        this.sessionEnds.set(id, { status: "killed", version, at: p.at, killId: p.killId, reason: p.reason })
      }
    }
  }

  #applyHandoff(
    p: Extract<
      Projection,
      { readonly _tag: "handoffOffered" | "handoffChanged" | "handoffCompleted" | "handoffsKilled" }
    >,
  ): void {
    switch (p._tag) {
      case "handoffOffered":
        this.handoffs.set(p.row.handoffId, p.row)
        return
      case "handoffChanged": {
        const row = this.handoffs.get(p.handoffId)
        if (row !== undefined) this.handoffs.set(p.handoffId, RowsOf.handoffChanged(row, p))
        else {
          const change = this.#handoffChange(p.handoffId, p.status, p.deadline, p.at)
          change.moved = p
          change.explained = p
        }
        return
      }
      case "handoffCompleted": {
        const row = this.handoffs.get(p.handoffId)
        if (row !== undefined) this.handoffs.set(p.handoffId, RowsOf.handoffCompleted(row, p))
        else this.#handoffChange(p.handoffId, "completed", null, p.at).completed = p
        return
      }
      case "handoffsKilled":
        for (const id of p.handoffs) {
          const row = this.handoffs.get(id)
          if (row !== undefined) this.handoffs.set(id, RowsOf.handoffKilled(row, p))
          else this.#handoffChange(id, "killed", null, p.at).explained = p
        }
    }
  }

  #handoffChange(id: string, status: string, deadline: number | null, updatedAt: number): HandoffChange {
    const known = this.handoffChanges.get(id)
    if (known !== undefined) {
      known.status = status
      known.deadline = deadline
      known.updatedAt = updatedAt
      return known
    }
    const change = { status, deadline, updatedAt, moved: undefined, explained: undefined, completed: undefined }
    this.handoffChanges.set(id, change)
    return change
  }
}
