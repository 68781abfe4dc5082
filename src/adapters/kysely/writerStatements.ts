/**
 * The SQL of everything that the writer runs, compiled in the calling thread: the writer's own thread starts several times
 * faster when it need not load Kysely.
 */
import * as Reads from "./reads.ts"
import * as Writes from "./writes.ts"

/** Events that one `events` statement writes. */
const eventsPerInsert = 16

export const writerStatements = () => ({
  event: Writes.insertEvents(1),
  events: Writes.insertEvents(eventsPerInsert),
  eventsPerInsert,
  pending: Writes.insertPending(),
  definition: Writes.insertDefinition(),
  snapshot: Writes.upsertSnapshot(),
  fold: {
    run: Writes.upsertRun(),
    workflow: Writes.upsertWorkflow(),
    endWorkflow: Writes.endWorkflow(),
    wake: Writes.setWake(),
    role: Writes.insertRole(),
    session: Writes.upsertSession(),
    endSession: Writes.endSession(),
    handoff: Writes.upsertHandoff(),
    changeHandoff: Writes.changeHandoff(),
    completeHandoff: Writes.completeHandoff(),
    killHandoff: Writes.killHandoff(),
    step: Writes.upsertStep(),
    kill: Writes.upsertKill(),
    quietKill: Writes.quietKill(),
    resource: Writes.upsertResource(),
    answer: Writes.upsertAnswer(),
    deletePending: Writes.deletePending(),
  },
  heads: {
    pendingIds: Reads.pendingIds(),
    pendingAfter: Reads.pendingAfter(),
    lastEventId: Reads.lastEventId(),
    lastRun: Reads.lastRun(),
    sessionExists: Reads.sessionExists(),
    handoffExists: Reads.handoffExists(),
  },
})
export type WriterStatements = ReturnType<typeof writerStatements>
