/**
 * The statements that write, one function each. A function's comment gives the order of its parameters.
 *
 * Every row is written with an upsert on its key: a fold that is carried out again after a crash gives the same rows.
 */
import { sql } from "kysely"
import { compile, int, query, type Statement, text } from "./query.ts"

const journalRow = { id: int, tenant: text, workflow_id: text, seq: int, event: text, hash: text }

/** `rows` × (id, tenant, workflow_id, seq, event, hash). */
export const insertEvents = (rows: number): Statement =>
  compile(query.insertInto("journal").values(Array.from({ length: rows }, () => journalRow)))

/** id, body. */
export const insertPending = (): Statement => compile(query.insertInto("pending").values({ id: int, body: text }))

/** Up to this id. */
export const deletePending = (): Statement => compile(query.deleteFrom("pending").where("id", "<=", int))

/** tenant, hash, text. The first text of a hash stays. */
export const insertDefinition = (): Statement =>
  compile(
    query
      .insertInto("definitions")
      .values({ tenant: text, hash: text, text })
      .onConflict((oc) => oc.doNothing()),
  )

/** tenant, workflow_id, seq, hash, text. */
export const upsertSnapshot = (): Statement =>
  compile(
    query
      .insertInto("snapshots")
      .values({ tenant: text, workflow_id: text, seq: int, hash: text, text })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id"]).doUpdateSet((eb) => ({
          seq: eb.ref("excluded.seq"),
          hash: eb.ref("excluded.hash"),
          text: eb.ref("excluded.text"),
        })),
      ),
  )

/** tenant, workflow_id, first_seq, last_seq, spans. */
export const upsertRun = (): Statement =>
  compile(
    query
      .insertInto("journal_runs")
      .values({ tenant: text, workflow_id: text, first_seq: int, last_seq: int, spans: text })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "first_seq"]).doUpdateSet((eb) => ({
          last_seq: eb.ref("excluded.last_seq"),
          spans: eb.ref("excluded.spans"),
        })),
      ),
  )

/** tenant, workflow_id, workflow, definition_hash, root_session_id, root_role, status, created_at, ended_at, wake_at. */
export const upsertWorkflow = (): Statement =>
  compile(
    query
      .insertInto("workflows")
      .values({
        tenant: text,
        workflow_id: text,
        workflow: text,
        definition_hash: text,
        root_session_id: text,
        root_role: text,
        status: text,
        created_at: int,
        ended_at: int,
        wake_at: int,
      })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id"]).doUpdateSet((eb) => ({
          status: eb.ref("excluded.status"),
          ended_at: eb.ref("excluded.ended_at"),
          wake_at: eb.ref("excluded.wake_at"),
        })),
      ),
  )

/** status, ended_at, tenant, workflow_id. */
export const endWorkflow = (): Statement =>
  compile(
    query
      .updateTable("workflows")
      .set({ status: text, ended_at: int })
      .where("tenant", "=", text)
      .where("workflow_id", "=", text),
  )

/** wake_at, tenant, workflow_id. */
export const setWake = (): Statement =>
  compile(
    query.updateTable("workflows").set({ wake_at: int }).where("tenant", "=", text).where("workflow_id", "=", text),
  )

/** role, tenant, workflow_id. The workflow's row has been written. */
export const insertRole = (): Statement =>
  compile(
    query
      .insertInto("workflow_roles")
      .columns(["tenant", "role", "created_at", "workflow_id"])
      .expression((eb) =>
        eb
          .selectFrom("workflows")
          .select(["tenant", sql<string>`${text}`.as("role"), "created_at", "workflow_id"])
          .where("tenant", "=", text)
          .where("workflow_id", "=", text),
      )
      .onConflict((oc) => oc.doNothing()),
  )

/**
 * tenant, workflow_id, session_id, role, agent, parent_session_id, handoff_id, generation, depth, status, version, created_at,
 * created_seq, ended_at, kill_id, reason.
 */
export const upsertSession = (): Statement =>
  compile(
    query
      .insertInto("sessions")
      .values({
        tenant: text,
        workflow_id: text,
        session_id: text,
        role: text,
        agent: text,
        parent_session_id: text,
        handoff_id: text,
        generation: int,
        depth: int,
        status: text,
        version: int,
        created_at: int,
        created_seq: int,
        ended_at: int,
        kill_id: text,
        reason: text,
      })
      .onConflict((oc) =>
        oc.columns(["tenant", "session_id"]).doUpdateSet((eb) => ({
          status: eb.ref("excluded.status"),
          version: eb.ref("excluded.version"),
          ended_at: eb.ref("excluded.ended_at"),
          kill_id: eb.ref("excluded.kill_id"),
          reason: eb.ref("excluded.reason"),
        })),
      ),
  )

/** status, version, ended_at, kill_id, reason, session_id, tenant. */
export const endSession = (): Statement =>
  compile(
    query
      .updateTable("sessions")
      .set({ status: text, version: int, ended_at: int, kill_id: text, reason: text })
      .where("session_id", "=", text)
      .where("tenant", "=", text),
  )

/**
 * tenant, workflow_id, handoff_id, from_session_id, from_role, to_role, status, generation, session_id, offered_at,
 * offered_seq, updated_at, deadline, summary, artifacts, resources, result, result_artifacts, reason.
 */
export const upsertHandoff = (): Statement =>
  compile(
    query
      .insertInto("handoffs")
      .values({
        tenant: text,
        workflow_id: text,
        handoff_id: text,
        from_session_id: text,
        from_role: text,
        to_role: text,
        status: text,
        generation: int,
        session_id: text,
        offered_at: int,
        offered_seq: int,
        updated_at: int,
        deadline: int,
        summary: text,
        artifacts: text,
        resources: text,
        result: text,
        result_artifacts: text,
        reason: text,
      })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "handoff_id"]).doUpdateSet((eb) => ({
          status: eb.ref("excluded.status"),
          generation: eb.ref("excluded.generation"),
          session_id: eb.ref("excluded.session_id"),
          updated_at: eb.ref("excluded.updated_at"),
          deadline: eb.ref("excluded.deadline"),
          result: eb.ref("excluded.result"),
          result_artifacts: eb.ref("excluded.result_artifacts"),
          reason: eb.ref("excluded.reason"),
        })),
      ),
  )

/** status, generation, session_id, deadline, updated_at, reason, handoff_id, tenant, workflow_id. */
export const changeHandoff = (): Statement =>
  compile(
    query
      .updateTable("handoffs")
      .set({ status: text, generation: int, session_id: text, deadline: int, updated_at: int, reason: text })
      .where("handoff_id", "=", text)
      .where("tenant", "=", text)
      .where("workflow_id", "=", text),
  )

/** updated_at, result, result_artifacts, tenant, workflow_id, handoff_id. */
export const completeHandoff = (): Statement =>
  compile(
    query
      .updateTable("handoffs")
      .set({
        status: sql.lit("completed"),
        deadline: sql.lit(null),
        updated_at: int,
        result: text,
        result_artifacts: text,
      })
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("handoff_id", "=", text),
  )

/** updated_at, reason, tenant, workflow_id, handoff_id. */
export const killHandoff = (): Statement =>
  compile(
    query
      .updateTable("handoffs")
      .set({ status: sql.lit("killed"), deadline: sql.lit(null), updated_at: int, reason: text })
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("handoff_id", "=", text),
  )

/** tenant, workflow_id, step_id, session_id, tool, status, outcome, cost, tokens, resolved_at. */
export const upsertStep = (): Statement =>
  compile(
    query
      .insertInto("steps")
      .values({
        tenant: text,
        workflow_id: text,
        step_id: text,
        session_id: text,
        tool: text,
        status: text,
        outcome: text,
        cost: int,
        tokens: int,
        resolved_at: int,
      })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "step_id"]).doUpdateSet((eb) => ({
          session_id: eb.ref("excluded.session_id"),
          tool: eb.ref("excluded.tool"),
          status: eb.ref("excluded.status"),
          outcome: eb.ref("excluded.outcome"),
          cost: eb.ref("excluded.cost"),
          tokens: eb.ref("excluded.tokens"),
          resolved_at: eb.ref("excluded.resolved_at"),
        })),
      ),
  )

/** tenant, workflow_id, kill_id, state, receipt. */
export const upsertKill = (): Statement =>
  compile(
    query
      .insertInto("kills")
      .values({ tenant: text, workflow_id: text, kill_id: text, state: text, receipt: text })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "kill_id"]).doUpdateSet((eb) => ({
          state: eb.ref("excluded.state"),
          receipt: eb.ref("excluded.receipt"),
        })),
      ),
  )

/** tenant, workflow_id, kill_id. The receipt's own `state` is read from the column. */
export const quietKill = (): Statement =>
  compile(
    query
      .updateTable("kills")
      .set({ state: sql.lit("quiescent") })
      .where("tenant", "=", text)
      .where("workflow_id", "=", text)
      .where("kill_id", "=", text),
  )

/** tenant, workflow_id, name, key, fence, version. */
export const upsertResource = (): Statement =>
  compile(
    query
      .insertInto("resources")
      .values({ tenant: text, workflow_id: text, name: text, key: text, fence: int, version: int })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "name", "key"]).doUpdateSet((eb) => ({
          fence: eb.ref("excluded.fence"),
          version: eb.ref("excluded.version"),
        })),
      ),
  )

/** tenant, workflow_id, key, fingerprint, answer. */
export const upsertAnswer = (): Statement =>
  compile(
    query
      .insertInto("answers")
      .values({ tenant: text, workflow_id: text, key: text, fingerprint: text, answer: text })
      .onConflict((oc) =>
        oc.columns(["tenant", "workflow_id", "key"]).doUpdateSet((eb) => ({
          fingerprint: eb.ref("excluded.fingerprint"),
          answer: eb.ref("excluded.answer"),
        })),
      ),
  )
