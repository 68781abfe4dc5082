/**
 * The tables, as Kysely reads them. Columns are text and integers below 2^53; JSON is text; times are epoch ms.
 *
 * On SQLite the write path is laid out for many busy workflows that share one fsync. What a group of appends must write
 * to be durable is dense, in the order of commits: rows at the end of `journal`, and one row in `pending` that holds what
 * the events change in the projections. From there the changes are *folded* into the tables below and `journal_runs`,
 * many groups at a time, so that a page in the middle of a large table is written once for many rows and not once for
 * each (Fold.ts). A reader sees both together (Tail.ts); nobody sees a workflow without its latest changes.
 *
 * On Postgres there are no such pages: `journal` has the key (tenant, workflow_id, seq) and no `id`, `journal_runs` and `pending`
 * do not exist, and every change goes to its table at once.
 */
import type { Generated } from "kysely"

export interface Schema {
  definitions: { tenant: string; hash: string; text: string }
  /** `id` is the order of commits over all workflows; it never has a gap and is never given again. */
  journal: { id: number; tenant: string; workflow_id: string; seq: number; event: string; hash: string }
  /** Where a workflow's events are: `spans` lists the ids of `first_seq` to `last_seq` as [id, count, id, count, …]. */
  journal_runs: { tenant: string; workflow_id: string; first_seq: number; last_seq: number; spans: string }
  /** A committed group that is not folded yet. `id` is that of its first event; `body` is `PendingItem`s as JSON. */
  pending: { id: number; body: string }
  snapshots: { tenant: string; workflow_id: string; seq: number; hash: string; text: string }
  workflows: {
    tenant: string
    workflow_id: string
    workflow: string
    definition_hash: string
    root_session_id: string
    root_role: string
    status: string
    created_at: number
    ended_at: number | null
    wake_at: number | null
  }
  /** The roles that a workflow ever had a session in. */
  workflow_roles: { tenant: string; role: string; created_at: number; workflow_id: string }
  sessions: {
    tenant: string
    session_id: string
    workflow_id: string
    role: string
    agent: string
    parent_session_id: string | null
    handoff_id: string | null
    generation: number
    depth: number
    status: string
    version: number
    created_at: number
    created_seq: number
    ended_at: number | null
    kill_id: string | null
    reason: string | null
  }
  handoffs: {
    tenant: string
    workflow_id: string
    handoff_id: string
    from_session_id: string
    from_role: string
    to_role: string
    status: string
    generation: number
    session_id: string | null
    offered_at: number
    offered_seq: number
    updated_at: number
    deadline: number | null
    summary: string
    artifacts: string
    resources: string
    result: string
    result_artifacts: string
    reason: string | null
    /** 1 while it has not ended, else 0; follows from the status. */
    open: Generated<number>
  }
  steps: {
    tenant: string
    workflow_id: string
    step_id: string
    session_id: string
    tool: string
    status: string
    outcome: string
    cost: number
    tokens: number
    resolved_at: number
  }
  kills: { tenant: string; workflow_id: string; kill_id: string; state: string; receipt: string }
  resources: { tenant: string; workflow_id: string; name: string; key: string; fence: number; version: number }
  answers: { tenant: string; workflow_id: string; key: string; fingerprint: string; answer: string }
  api_keys: {
    key_id: string
    tenant: string
    name: string
    /** Separated by spaces. */
    scopes: string
    hash: string
    created_at: number
    expires_at: number | null
    revoked_at: number | null
  }
  server_secrets: { name: string; value: string }
}
