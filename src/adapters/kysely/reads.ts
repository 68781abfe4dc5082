/**
 * The statements that read, one function each. A function's comment gives the order of its parameters; columns come back
 * under the names of the port's rows, JSON columns as text.
 */
import { type ExpressionBuilder, sql } from "kysely"
import { compile, int, query, type Statement, text } from "./query.ts"
import type { Schema } from "./schema.ts"

/** No parameters. The first and the last group that is not folded, or nulls. One snapshot with the reads after it. */
export const pendingRange = (): Statement =>
  compile(
    query.selectNoFrom((eb) => [
      eb.selectFrom("pending").select("id").orderBy("id").limit(sql.lit(1)).as("first"),
      eb.selectFrom("pending").select("id").orderBy("id", "desc").limit(sql.lit(1)).as("last"),
    ]),
  )

/** After this id, in order. */
export const pendingAfter = (): Statement =>
  compile(query.selectFrom("pending").select(["id", "body"]).where("id", ">", int).orderBy("id"))

/** No parameters. */
export const pendingIds = (): Statement => compile(query.selectFrom("pending").select("id").orderBy("id"))

/** No parameters. */
export const lastEventId = (): Statement =>
  compile(query.selectFrom("journal").select((eb) => eb.fn.max("id").as("id")))

/** tenant, workflow_id. The last event of a workflow that is folded. */
export const lastRun = (): Statement =>
  compile(
    query
      .selectFrom("journal_runs")
      .select("last_seq as lastSeq")
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .orderBy("first_seq", "desc")
      .limit(sql.lit(1)),
  )

/** tenant, workflow_id, tenant, workflow_id, after + 1, after, limit. The runs that hold events after `after`, in order. */
export const runsAfter = (): Statement =>
  compile(
    query
      .selectFrom("journal_runs")
      .select(["first_seq as firstSeq", "last_seq as lastSeq", "spans"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("first_seq", ">=", (eb) =>
        eb.fn.coalesce(
          eb
            .selectFrom("journal_runs")
            .select("first_seq")
            .where("tenant", "=", text)
            .where("workflow_id", "=", text)
            .where("first_seq", "<=", int)
            .orderBy("first_seq", "desc")
            .limit(sql.lit(1)),
          sql.lit(0),
        ),
      )
      .where("last_seq", ">", int)
      .orderBy("first_seq")
      .limit(int),
  )

const eventColumns = ["id", "tenant", "workflow_id as workflowId", "seq", "event as text", "hash"] as const

/** Ids as a JSON array. In no order. */
export const eventsByIds = (): Statement =>
  compile(
    query
      .selectFrom("journal")
      .select(eventColumns)
      .where("id", "in", (eb) =>
        eb.selectFrom(sql<{ value: number }>`json_each(${text})`.as("ids")).select("ids.value"),
      ),
  )

/** tenant, hash. */
export const definition = (): Statement =>
  compile(query.selectFrom("definitions").select(["hash", "text"]).where("tenant", "=", text).where("hash", "=", text))

/** tenant, workflow_id. */
export const snapshot = (): Statement =>
  compile(
    query
      .selectFrom("snapshots")
      .select(["seq", "hash", "text"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text),
  )

export const workflowColumns = [
  "workflow_id as workflowId",
  "workflow",
  "definition_hash as definitionHash",
  "root_session_id as rootSessionId",
  "root_role as rootRole",
  "status",
  "created_at as createdAt",
  "ended_at as endedAt",
] as const
export const sessionColumns = [
  "session_id as sessionId",
  "workflow_id as workflowId",
  "role",
  "agent",
  "parent_session_id as parentSessionId",
  "handoff_id as handoffId",
  "generation",
  "depth",
  "status",
  "version",
  "created_at as createdAt",
  "created_seq as createdSeq",
  "ended_at as endedAt",
  "kill_id as killId",
  "reason",
] as const
export const handoffColumns = [
  "handoff_id as handoffId",
  "workflow_id as workflowId",
  "from_session_id as fromSessionId",
  "from_role as fromRole",
  "to_role as toRole",
  "status",
  "generation",
  "session_id as sessionId",
  "offered_at as offeredAt",
  "offered_seq as offeredSeq",
  "updated_at as updatedAt",
  "deadline",
  "summary",
  "artifacts",
  "resources",
  "result",
  "result_artifacts as resultArtifacts",
  "reason",
] as const
export const stepColumns = [
  "step_id as stepId",
  "session_id as sessionId",
  "tool",
  "status",
  "outcome",
  "cost",
  "tokens",
  "resolved_at as resolvedAt",
] as const

/** tenant, workflow_id. */
export const workflow = (): Statement =>
  compile(
    query.selectFrom("workflows").select(workflowColumns).where("tenant", "=", text).where("workflow_id", "=", text),
  )

/** tenant, session_id. */
export const session = (): Statement =>
  compile(query.selectFrom("sessions").select(sessionColumns).where("tenant", "=", text).where("session_id", "=", text))

/** tenant, session_id. */
export const sessionExists = (): Statement =>
  compile(
    query
      .selectFrom("sessions")
      .select(sql.lit(1).as("found"))
      .where("tenant", "=", text)
      .where("session_id", "=", text),
  )

/** tenant, workflow_id, handoff_id. */
export const handoff = (): Statement =>
  compile(
    query
      .selectFrom("handoffs")
      .select(handoffColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("handoff_id", "=", text),
  )

/** tenant, workflow_id, handoff_id. */
export const handoffExists = (): Statement =>
  compile(
    query
      .selectFrom("handoffs")
      .select(sql.lit(1).as("found"))
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("handoff_id", "=", text),
  )

/** tenant, workflow_id, step_id. */
export const step = (): Statement =>
  compile(
    query
      .selectFrom("steps")
      .select(stepColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("step_id", "=", text),
  )

/** tenant, workflow_id, kill_id. */
export const kill = (): Statement =>
  compile(
    query
      .selectFrom("kills")
      .select(["state", "receipt"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("kill_id", "=", text),
  )

/** tenant, workflow_id, name, key. */
export const resource = (): Statement =>
  compile(
    query
      .selectFrom("resources")
      .select(["name", "key", "fence", "version"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("name", "=", text)
      .where("key", "=", text),
  )

/** tenant, workflow_id, key. */
export const answer = (): Statement =>
  compile(
    query
      .selectFrom("answers")
      .select(["key", "fingerprint", "answer"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("key", "=", text),
  )

/** tenant, status, createdAt, workflow_id (the place before), limit. Newest first. */
export const workflowsPage = (): Statement =>
  compile(
    query
      .selectFrom("workflows")
      .select(workflowColumns)
      .where("tenant", "=", text)
      .where("status", "=", text)
      .where("status", "<>", sql.lit(""))
      .where((eb) => eb(eb.refTuple("created_at", "workflow_id"), "<", eb.tuple(int, text)))
      .orderBy("created_at", "desc")
      .orderBy("workflow_id", "desc")
      .limit(int),
  )

/** tenant, role, createdAt, workflow_id (the place before), status or null, status, limit. Newest first. */
export const workflowsOfRolePage = (): Statement =>
  compile(
    query
      .selectFrom("workflow_roles as r")
      .innerJoin("workflows as w", (join) =>
        join.onRef("w.tenant", "=", "r.tenant").onRef("w.workflow_id", "=", "r.workflow_id"),
      )
      .select(workflowColumns.map((column) => `w.${column}` as const))
      .where("r.tenant", "=", text)
      .where("r.role", "=", text)
      .where((eb) => eb(eb.refTuple("r.created_at", "r.workflow_id"), "<", eb.tuple(int, text)))
      .where((eb) => eb.or([eb(sql`cast(${text} as text)`, "is", null), eb("w.status", "=", text)]))
      .orderBy("r.created_at", "desc")
      .orderBy("r.workflow_id", "desc")
      .limit(int),
  )

/** Which members a listing shows; each has its own statement, because each has its own index. */
export type MemberSelection = "all" | "open" | "ended"
export type Direction = "asc" | "desc"

const openSession = (eb: ExpressionBuilder<Schema, "sessions">) => eb("status", "=", sql.lit("active"))

/** tenant, workflow_id, createdSeq, session_id (the place before), limit. */
export const sessionsPage = (selection: MemberSelection, direction: Direction): Statement => {
  const after = direction === "asc" ? ">" : "<"
  return compile(
    query
      .selectFrom("sessions")
      .select(sessionColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where((eb) => eb(eb.refTuple("created_seq", "session_id"), after, eb.tuple(int, text)))
      // Always so: it names the index (migrations/0001_init.ts), here and in the other pages.
      .where("created_seq", "<>", sql.lit(0))
      .$if(selection === "open", (qb) => qb.where(openSession))
      .$if(selection === "ended", (qb) => qb.where((eb) => eb.not(openSession(eb))))
      .orderBy("created_seq", direction)
      .orderBy("session_id", direction)
      .limit(int),
  )
}

/** tenant, workflow_id, offeredSeq, handoff_id (the place before), limit. */
export const handoffsPage = (selection: MemberSelection, direction: Direction): Statement => {
  const after = direction === "asc" ? ">" : "<"
  return compile(
    query
      .selectFrom("handoffs")
      .select(handoffColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where((eb) => eb(eb.refTuple("offered_seq", "handoff_id"), after, eb.tuple(int, text)))
      .where("offered_seq", "<>", sql.lit(0))
      .$if(selection !== "all", (qb) => qb.where("open", "=", sql.lit(selection === "open" ? 1 : 0)))
      .orderBy("offered_seq", direction)
      .orderBy("handoff_id", direction)
      .limit(int),
  )
}

/** now, limit. */
export const dueWorkflows = (): Statement =>
  compile(
    query
      .selectFrom("workflows")
      .select(["tenant", "workflow_id as workflowId", "wake_at as wakeAt"])
      .where("wake_at", "is not", null)
      .where("wake_at", "<=", int)
      .orderBy("wake_at")
      .orderBy("tenant")
      .orderBy("workflow_id")
      .limit(int),
  )

/** No parameters. */
export const nextWake = (): Statement =>
  compile(
    query
      .selectFrom("workflows")
      .select((eb) => eb.fn.min("wake_at").as("at"))
      .where("wake_at", "is not", null),
  )

/** tenant, workflow_id (the place before), limit. All workflows that have a row, of all tenants, in the order of their keys. */
export const workflowKeys = (): Statement =>
  compile(
    query
      .selectFrom("workflows")
      .select(["tenant", "workflow_id as workflowId"])
      .where((eb) => eb(eb.refTuple("tenant", "workflow_id"), ">", eb.tuple(text, text)))
      .orderBy("tenant")
      .orderBy("workflow_id")
      .limit(int),
  )

/** No parameters. */
export const countEvents = (): Statement =>
  compile(query.selectFrom("journal").select((eb) => eb.fn.countAll<number>().as("count")))

/** tenant, workflow_id. Looks at the whole journal: for a workflow that can't be walked. */
export const countEventsOf = (): Statement =>
  compile(
    query
      .selectFrom("journal")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("tenant", "=", text)
      .where("workflow_id", "=", text),
  )

/** tenant, workflow_id. */
export const wakeOf = (): Statement =>
  compile(
    query.selectFrom("workflows").select("wake_at as at").where("tenant", "=", text).where("workflow_id", "=", text),
  )

/** tenant, workflow_id, step_id (the place before), limit. */
export const stepsPage = (): Statement =>
  compile(
    query
      .selectFrom("steps")
      .select("step_id as stepId")
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("step_id", ">", text)
      .orderBy("step_id")
      .limit(int),
  )

/** tenant, workflow_id, kill_id (the place before), limit. */
export const killsPage = (): Statement =>
  compile(
    query
      .selectFrom("kills")
      .select(["kill_id as killId"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("kill_id", ">", text)
      .orderBy("kill_id")
      .limit(int),
  )

/** tenant, workflow_id, key (the place before), limit. */
export const answersPage = (): Statement =>
  compile(
    query
      .selectFrom("answers")
      .select(["key"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("key", ">", text)
      .orderBy("key")
      .limit(int),
  )

/** tenant, workflow_id, name, key (the place before), limit. */
export const resourcesPage = (): Statement =>
  compile(
    query
      .selectFrom("resources")
      .select(["name", "key"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where((eb) => eb(eb.refTuple("name", "key"), ">", eb.tuple(text, text)))
      .orderBy("name")
      .orderBy("key")
      .limit(int),
  )
