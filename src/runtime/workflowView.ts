/** A whole workflow for a reader: what is open from the actor, what has ended from the projections (wire.md, "Routes"). */
import { Effect } from "effect"
import type { Tenant } from "../machines/ids.ts"
import type { HandoffRow, SessionRow } from "../machines/projection.ts"
import type { HandoffSummary, OpenView, SessionSummary } from "../machines/views.ts"
import type { WorkflowView } from "./Client.ts"
import type { Journal, StorageError } from "./Journal.ts"
import { limits } from "./limits.ts"

export const workflowView = (
  journal: Journal["Service"],
  tenant: Tenant,
  open: OpenView,
): Effect.Effect<WorkflowView, StorageError> =>
  Effect.gen(function* () {
    const query = { workflowId: open.workflowId, open: false, limit: limits.page, newestFirst: true }
    const sessions = yield* journal.listSessions(tenant, query)
    const handoffs = yield* journal.listHandoffs(tenant, query)
    const known = new Set(open.sessions.map((session) => session.sessionId))
    const openHandoffs = new Set(open.handoffs.map((handoff) => handoff.handoffId))
    return {
      ...open,
      sessions: [...open.sessions, ...sessions.items.filter((row) => !known.has(row.sessionId)).map(sessionOf)],
      handoffs: [...open.handoffs, ...handoffs.items.filter((row) => !openHandoffs.has(row.handoffId)).map(handoffOf)],
    }
  })

const sessionOf = (row: SessionRow): SessionSummary => ({
  sessionId: row.sessionId,
  role: row.role,
  agent: row.agent,
  parentSessionId: row.parentSessionId,
  handoffId: row.handoffId,
  generation: row.generation,
  depth: row.depth,
  status: row.status,
  stateVersion: row.version,
  createdAt: row.createdAt,
  endedAt: row.endedAt,
  killId: row.killId,
  reason: row.reason,
})

const handoffOf = (row: HandoffRow): HandoffSummary => ({
  handoffId: row.handoffId,
  fromSessionId: row.fromSessionId,
  fromRole: row.fromRole,
  toRole: row.toRole,
  status: row.status,
  generation: row.generation,
  claimedBy: row.sessionId,
  offeredAt: row.offeredAt,
  deadline: row.deadline,
})
