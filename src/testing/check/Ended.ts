/**
 * What has ended, as a store would give it back: the rows that `evolve` reports, kept by id.
 *
 * A decision is given all of it instead of the rows that it needs. That is the same to the rules, which look a thing up in the
 * state first, and spares the simulation a look-up for each command.
 */

import type { KillReceipt } from "../../machines/answers.ts"
import { resourceKey } from "../../machines/ids.ts"
import type { Archive, HandoffRow, Projection, ResourceRow, SessionRow, StepRow } from "../../machines/projection.ts"

export class Ended implements Archive {
  readonly sessions = new Map<string, SessionRow>()
  readonly handoffs = new Map<string, HandoffRow>()
  readonly steps = new Map<string, StepRow>()
  readonly kills = new Map<string, KillReceipt>()
  readonly resources = new Map<string, ResourceRow>()
  readonly answers: Archive["answers"] = new Map()

  keep(rows: ReadonlyArray<Projection>): void {
    for (const row of rows) this.#keep(row)
  }

  #keep(change: Projection): void {
    switch (change._tag) {
      case "sessionCreated":
        this.sessions.set(change.row.sessionId, change.row)
        return
      case "sessionEnded":
        this.#session(change.sessionId, {
          status: change.status,
          version: change.version,
          endedAt: change.at,
          killId: change.killId,
          reason: change.reason,
        })
        return
      case "sessionsKilled":
        for (const [index, sessionId] of change.sessions.entries())
          this.#session(sessionId, {
            status: "killed",
            version: change.versions[index] ?? 1,
            endedAt: change.at,
            killId: change.killId,
            reason: change.reason,
          })
        return
      case "handoffOffered":
        this.handoffs.set(change.row.handoffId, change.row)
        return
      case "handoffChanged":
        this.#handoff(change.handoffId, {
          status: change.status,
          generation: change.generation,
          sessionId: change.sessionId,
          deadline: change.deadline,
          updatedAt: change.at,
          reason: change.reason,
        })
        return
      case "handoffCompleted":
        this.#handoff(change.handoffId, { status: "completed", updatedAt: change.at, deadline: null })
        return
      case "handoffsKilled":
        for (const handoffId of change.handoffs)
          this.#handoff(handoffId, { status: "killed", updatedAt: change.at, deadline: null, reason: change.reason })
        return
      case "stepResolved":
        this.steps.set(change.row.stepId, change.row)
        return
      case "killIssued":
        this.kills.set(change.receipt.killId, change.receipt)
        return
      case "resourceIdled":
        this.resources.set(resourceKey(change.row), change.row)
        return
      default:
        return
    }
  }

  #session(id: string, change: Partial<SessionRow>): void {
    const row = this.sessions.get(id)
    if (row !== undefined) this.sessions.set(id, { ...row, ...change })
  }

  #handoff(id: string, change: Partial<HandoffRow>): void {
    const row = this.handoffs.get(id)
    if (row !== undefined) this.handoffs.set(id, { ...row, ...change })
  }
}
