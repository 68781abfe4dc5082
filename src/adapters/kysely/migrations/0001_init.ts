/** The first schema. Never edited once it has been released: what changes later is another migration. */
import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from "kysely"
import type { Capabilities } from "./index.ts"

const sessionEnds = "'active', 'completed', 'failed', 'killed'"
const openHandoff = "status in ('offered', 'claimed', 'in_progress')"

type Table = <N extends string>(name: N) => CreateTableBuilder<N>
type IntegerType = Capabilities["integer"]
type IdType = RawBuilder<string>

/** Events in the order of commits; where a workflow's are is found through `journal_runs`. */
const denseJournal = async (table: Table, keyed: Table, integer: IntegerType, id: IdType): Promise<void> => {
  await table("journal")
    .addColumn("id", integer, (c) => c.primaryKey())
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("seq", integer, (c) => c.notNull().check(sql`seq >= 1`))
    .addColumn("event", "text", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .execute()
  await keyed("journal_runs")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("first_seq", integer, (c) => c.notNull().check(sql`first_seq >= 1`))
    .addColumn("last_seq", integer, (c) => c.notNull())
    .addColumn("spans", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("journal_runs_key", ["tenant", "workflow_id", "first_seq"])
    .addCheckConstraint("journal_runs_order", sql`last_seq >= first_seq`)
    .execute()
  await table("pending")
    .addColumn("id", integer, (c) => c.primaryKey())
    .addColumn("body", "text", (c) => c.notNull())
    .execute()
}

/** Events by workflow: the key is what two writers of one workflow cannot both take. */
const keyedJournal = (table: Table, integer: IntegerType, id: IdType): Promise<void> =>
  table("journal")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("seq", integer, (c) => c.notNull().check(sql`seq >= 1`))
    .addColumn("event", "text", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("journal_key", ["tenant", "workflow_id", "seq"])
    .execute()

export const init = async (db: Kysely<unknown>, has: Capabilities): Promise<void> => {
  const { integer } = has
  /** An id, or what else is looked up and sorted by. */
  const id = sql.raw<string>(`text${has.sortable}`)
  const table: Table = (name) =>
    has.strictTables ? db.schema.createTable(name).modifyEnd(sql`strict`) : db.schema.createTable(name)
  /** For rows that change soon after they were written. */
  const changing: Table = (name) =>
    has.fill === undefined ? table(name) : table(name).modifyEnd(sql.raw(`with (fillfactor = ${has.fill})`))
  /** Rows stored in the key itself: for narrow rows that are only ever found by it. */
  const keyed: Table = (name) =>
    has.strictTables ? db.schema.createTable(name).modifyEnd(sql`strict, without rowid`) : db.schema.createTable(name)

  await table("definitions")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("hash", id, (c) => c.notNull())
    .addColumn("text", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("definitions_key", ["tenant", "hash"])
    .execute()

  await (has.denseJournal ? denseJournal(table, keyed, integer, id) : keyedJournal(table, integer, id))
  await table("snapshots")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("seq", integer, (c) => c.notNull().check(sql`seq >= 1`))
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("text", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("snapshots_key", ["tenant", "workflow_id"])
    .execute()

  await changing("workflows")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("workflow", "text", (c) => c.notNull())
    .addColumn("definition_hash", "text", (c) => c.notNull())
    .addColumn("root_session_id", "text", (c) => c.notNull())
    .addColumn("root_role", "text", (c) => c.notNull())
    .addColumn("status", id, (c) => c.notNull().check(sql.raw(`status in (${sessionEnds})`)))
    .addColumn("created_at", integer, (c) => c.notNull())
    .addColumn("ended_at", integer)
    .addColumn("wake_at", integer)
    .addPrimaryKeyConstraint("workflows_key", ["tenant", "workflow_id"])
    .addCheckConstraint("workflows_end", sql`(status = 'active') = (ended_at is null)`)
    .execute()
  // An index for listings holds all rows, and has a condition all the same: only a statement that names it may use the index. A
  // planner that has not counted the rows yet takes it for as good as the key, and would read every handoff of a workflow
  // for each that changes.
  await db.schema
    .createIndex("workflows_newest")
    .on("workflows")
    .columns(["tenant", "status", "created_at", "workflow_id"])
    .where(sql.ref("status"), "<>", sql.lit(""))
    .execute()
  await db.schema
    .createIndex("workflows_wake")
    .on("workflows")
    .columns(["wake_at"])
    .where(sql.ref("wake_at"), "is not", null)
    .execute()
  await keyed("workflow_roles")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("role", id, (c) => c.notNull())
    .addColumn("created_at", integer, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addPrimaryKeyConstraint("workflow_roles_key", ["tenant", "role", "created_at", "workflow_id"])
    .execute()

  await changing("sessions")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("session_id", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("role", id, (c) => c.notNull())
    .addColumn("agent", "text", (c) => c.notNull())
    .addColumn("parent_session_id", "text")
    .addColumn("handoff_id", id)
    .addColumn("generation", integer, (c) => c.notNull().check(sql`generation >= 0`))
    .addColumn("depth", integer, (c) => c.notNull().check(sql`depth >= 0`))
    .addColumn("status", id, (c) => c.notNull().check(sql.raw(`status in (${sessionEnds})`)))
    .addColumn("version", integer, (c) => c.notNull().check(sql`version >= 1`))
    .addColumn("created_at", integer, (c) => c.notNull())
    .addColumn("created_seq", integer, (c) => c.notNull())
    .addColumn("ended_at", integer)
    .addColumn("kill_id", id)
    .addColumn("reason", "text")
    .addPrimaryKeyConstraint("sessions_key", ["tenant", "session_id"])
    .addCheckConstraint("sessions_end", sql`(status = 'active') = (ended_at is null)`)
    .execute()
  await db.schema
    .createIndex("sessions_listing")
    .on("sessions")
    .columns(["tenant", "workflow_id", "created_seq", "session_id"])
    .where(sql.ref("created_seq"), "<>", sql.lit(0))
    .execute()
  await db.schema
    .createIndex("sessions_open")
    .on("sessions")
    .columns(["tenant", "workflow_id", "created_seq", "session_id"])
    .where(sql.ref("status"), "=", sql.lit("active"))
    .execute()

  await changing("handoffs")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("handoff_id", id, (c) => c.notNull())
    .addColumn("from_session_id", "text", (c) => c.notNull())
    .addColumn("from_role", "text", (c) => c.notNull())
    .addColumn("to_role", "text", (c) => c.notNull())
    .addColumn("status", id, (c) =>
      c
        .notNull()
        .check(sql.raw(`${openHandoff} or status in ('completed', 'failed', 'withdrawn', 'expired', 'killed')`)),
    )
    .addColumn("generation", integer, (c) => c.notNull().check(sql`generation >= 1`))
    .addColumn("session_id", id)
    .addColumn("offered_at", integer, (c) => c.notNull())
    .addColumn("offered_seq", integer, (c) => c.notNull())
    .addColumn("updated_at", integer, (c) => c.notNull())
    .addColumn("deadline", integer)
    .addColumn("summary", "text", (c) => c.notNull())
    .addColumn("artifacts", "text", (c) => c.notNull())
    .addColumn("resources", "text", (c) => c.notNull())
    .addColumn("result", "text", (c) => c.notNull())
    .addColumn("result_artifacts", "text", (c) => c.notNull())
    .addColumn("reason", "text")
    .addColumn("open", integer, (c) => {
      const open = c.generatedAlwaysAs(sql.raw(`case when ${openHandoff} then 1 else 0 end`))
      return has.storedColumns ? open.stored() : open
    })
    .addPrimaryKeyConstraint("handoffs_key", ["tenant", "workflow_id", "handoff_id"])
    .execute()
  await db.schema
    .createIndex("handoffs_listing")
    .on("handoffs")
    .columns(["tenant", "workflow_id", "offered_seq", "handoff_id"])
    .where(sql.ref("offered_seq"), "<>", sql.lit(0))
    .execute()
  // By `open` and not by `status`: where no indexed column changes, Postgres need not touch the indexes (a heap-only update),
  // and a handoff is claimed and begun more often than it ends.
  await db.schema
    .createIndex("handoffs_open")
    .on("handoffs")
    .columns(["tenant", "workflow_id", "offered_seq", "handoff_id"])
    .where(sql.ref("open"), "=", sql.lit(1))
    .execute()

  await keyed("steps")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("step_id", id, (c) => c.notNull())
    .addColumn("session_id", id, (c) => c.notNull())
    .addColumn("tool", "text", (c) => c.notNull())
    .addColumn("status", id, (c) => c.notNull().check(sql`status in ('committed', 'aborted', 'late')`))
    .addColumn("outcome", "text", (c) => c.notNull().check(sql`outcome in ('committed', 'aborted')`))
    .addColumn("cost", integer, (c) => c.notNull().check(sql`cost >= 0`))
    .addColumn("tokens", integer, (c) => c.notNull().check(sql`tokens >= 0`))
    .addColumn("resolved_at", integer, (c) => c.notNull())
    .addPrimaryKeyConstraint("steps_key", ["tenant", "workflow_id", "step_id"])
    .execute()
  await table("kills")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("kill_id", id, (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull().check(sql`state in ('fenced', 'quiescent')`))
    .addColumn("receipt", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("kills_key", ["tenant", "workflow_id", "kill_id"])
    .execute()
  await keyed("resources")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("name", id, (c) => c.notNull())
    .addColumn("key", id, (c) => c.notNull())
    .addColumn("fence", integer, (c) => c.notNull().check(sql`fence >= 0`))
    .addColumn("version", integer, (c) => c.notNull().check(sql`version >= 0`))
    .addPrimaryKeyConstraint("resources_key", ["tenant", "workflow_id", "name", "key"])
    .execute()
  await table("answers")
    .addColumn("tenant", id, (c) => c.notNull())
    .addColumn("workflow_id", id, (c) => c.notNull())
    .addColumn("key", id, (c) => c.notNull())
    .addColumn("fingerprint", "text", (c) => c.notNull())
    .addColumn("answer", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("answers_key", ["tenant", "workflow_id", "key"])
    .execute()
}
