/**
 * The statements that read on Postgres alone. Listings and deadlines are those of SQLite (../reads.ts); what differs: the journal
 * is found by its key, and rows are looked up many at a time, because each statement is a round trip.
 */
import { sql } from "kysely"
import { compile, int, postgresText, query, type Statement, text } from "../query.ts"
import { handoffColumns, sessionColumns, stepColumns } from "../reads.ts"

const anyOf = sql<string>`any(${text}::text[])`

/** tenant, workflow_id. What opens a workflow beside its events; no row where it does not exist. */
export const opening = (): Statement =>
  compile(
    query
      .selectFrom("workflows as w")
      .leftJoin("definitions as d", (join) =>
        join.onRef("d.tenant", "=", "w.tenant").onRef("d.hash", "=", "w.definition_hash"),
      )
      .leftJoin("snapshots as s", (join) =>
        join.onRef("s.tenant", "=", "w.tenant").onRef("s.workflow_id", "=", "w.workflow_id"),
      )
      .select(["w.definition_hash as definitionHash", "d.text as definition"])
      .select(["s.seq as snapshotSeq", "s.hash as snapshotHash", "s.text as snapshot"])
      .where("w.tenant", "=", text)
      .where("w.workflow_id", "=", text),
  )

/** tenant, workflow_id, after, limit. In order. */
export const eventsAfter = (): Statement =>
  compile(
    query
      .selectFrom("journal")
      .select(["seq", "event as text", "hash"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("seq", ">", int)
      .orderBy("seq")
      .limit(int),
  )

/** tenants, workflow_ids. The last sequence of each, 0 where there is none, in the order of the arrays. */
export const heads = (): Pick<Statement, "postgres"> => ({
  postgres: (schema) =>
    postgresText(sql`
      select coalesce((
        select j.seq from ${sql.id(schema, "journal")} as j
        where j.tenant = c.tenant and j.workflow_id = c.workflow_id
        order by j.seq desc limit 1), 0) as seq
      from unnest(${text}::text[], ${text}::text[]) with ordinality as c(tenant, workflow_id, place)
      order by c.place`),
})

/** tenant, session_ids. */
export const sessions = (): Statement =>
  compile(
    query.selectFrom("sessions").select(sessionColumns).where("tenant", "=", text).where("session_id", "=", anyOf),
  )

/** tenant, workflow_id, handoff_ids. */
export const handoffs = (): Statement =>
  compile(
    query
      .selectFrom("handoffs")
      .select(handoffColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("handoff_id", "=", anyOf),
  )

/** tenant, workflow_id, step_ids. */
export const steps = (): Statement =>
  compile(
    query
      .selectFrom("steps")
      .select(stepColumns)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("step_id", "=", anyOf),
  )

/** tenant, workflow_id, kill_ids. */
export const kills = (): Statement =>
  compile(
    query
      .selectFrom("kills")
      .select(["kill_id as killId", "state", "receipt"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("kill_id", "=", anyOf),
  )

/** tenant, workflow_id, names, keys: pairs. */
export const resources = (): Statement =>
  compile(
    query
      .selectFrom("resources")
      .select(["name", "key", "fence", "version"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where(sql<boolean>`(name, key) in (select * from unnest(${text}::text[], ${text}::text[]))`),
  )

/** tenant, workflow_id, keys. */
export const answers = (): Statement =>
  compile(
    query
      .selectFrom("answers")
      .select(["key", "fingerprint", "answer"])
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("key", "=", anyOf),
  )
