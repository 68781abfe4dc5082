/**
 * The SQL of everything that the writer runs, compiled in the calling thread: the writer's own thread starts several times
 * faster when it need not load Kysely.
 */
import * as Reads from "./reads.ts"
import * as Writes from "./writes.ts"

/** Events that one `events` statement writes. */
const eventsPerInsert = 16

export const writerStatements = () => ({
  event: Writes.insertEvents(1).sqlite,
  events: Writes.insertEvents(eventsPerInsert).sqlite,
  eventsPerInsert,
  pending: Writes.insertPending().sqlite,
  definition: Writes.insertDefinition().sqlite,
  snapshot: Writes.upsertSnapshot().sqlite,
  fold: {
    run: Writes.upsertRun().sqlite,
    workflow: Writes.upsertWorkflow().sqlite,
    endWorkflow: Writes.endWorkflow().sqlite,
    wake: Writes.setWake().sqlite,
    role: Writes.insertRole().sqlite,
    session: Writes.upsertSession().sqlite,
    endSession: Writes.endSession().sqlite,
    handoff: Writes.upsertHandoff().sqlite,
    changeHandoff: Writes.changeHandoff().sqlite,
    completeHandoff: Writes.completeHandoff().sqlite,
    killHandoff: Writes.killHandoff().sqlite,
    step: Writes.upsertStep().sqlite,
    kill: Writes.upsertKill().sqlite,
    quietKill: Writes.quietKill().sqlite,
    resource: Writes.upsertResource().sqlite,
    answer: Writes.upsertAnswer().sqlite,
    deletePending: Writes.deletePending().sqlite,
  },
  heads: {
    pendingIds: Reads.pendingIds().sqlite,
    pendingAfter: Reads.pendingAfter().sqlite,
    lastEventId: Reads.lastEventId().sqlite,
    lastRun: Reads.lastRun().sqlite,
    sessionExists: Reads.sessionExists().sqlite,
    handoffExists: Reads.handoffExists().sqlite,
  },
})
export type WriterStatements = ReturnType<typeof writerStatements>
