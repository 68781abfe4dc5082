/**
 * The statements that write on Postgres, one function each; those of SQLite have the same names (../writes.ts). What differs:
 *
 * - Each takes any number of rows, as one array a column (columns.ts): a group of many workflows is a handful of statements.
 * - Rows go to their tables at once. Here the journal has the key (tenant, workflow_id, seq), which decides between writers.
 * - Changes of a row come together, however many events caused them (changes.ts), so each table has one update.
 */
import { type RawBuilder, sql } from "kysely"
import { postgresText } from "../query.ts"
import { type Layout, unnested } from "./columns.ts"

/** What one statement writes: how its rows are laid out, and its text for a schema. */
export interface Write {
  readonly name: string
  readonly layout: Layout
  text(schema: string): string
}

const write = (
  name: string,
  layout: Layout,
  build: (table: (name: string) => RawBuilder<unknown>) => RawBuilder<unknown>,
): Write => ({
  name,
  layout,
  text: (schema) => postgresText(build((table) => sql.id(schema, table))),
})

/** All rows into one table whose columns have the names of the layout. */
const insert = (name: string, table: string, layout: Layout, onConflict = ""): Write =>
  write(name, layout, (at) => {
    const columns = sql.join(Object.keys(layout).map((column) => sql.ref(column)))
    return sql`insert into ${at(table)} (${columns}) select * from ${unnested(layout)} ${sql.raw(onConflict)}`
  })

const replace = (key: ReadonlyArray<string>, columns: ReadonlyArray<string>): string =>
  `on conflict (${key.join(", ")}) do update set ${columns.map((c) => `${c} = excluded.${c}`).join(", ")}`

const workflow = { tenant: "id", workflow_id: "id" } as const

/**
 * Division by zero where a workflow's head is not the expected one, or where an append that writes no event would; so nothing
 * behind it in the pipeline happens.
 */
export const guardHeads = write(
  "guardHeads",
  { ...workflow, expected: "int" },
  (at) => sql`
  select 1 / case when exists (
    select from ${unnested({ ...workflow, expected: "int" })}
    where c.expected <> coalesce((
      select j.seq from ${at("journal")} as j
      where j.tenant = c.tenant and j.workflow_id = c.workflow_id
      order by j.seq desc limit 1), 0)
  ) then 0 else 1 end`,
)

export const insertEvents = insert("insertEvents", "journal", { ...workflow, seq: "int", event: "json", hash: "id" })

export const insertDefinition = insert(
  "insertDefinition",
  "definitions",
  { tenant: "id", hash: "id", text: "json" },
  "on conflict do nothing",
)

export const upsertSnapshot = insert(
  "upsertSnapshot",
  "snapshots",
  { ...workflow, seq: "int", hash: "id", text: "json" },
  replace(["tenant", "workflow_id"], ["seq", "hash", "text"]),
)

export const upsertWorkflow = insert(
  "upsertWorkflow",
  "workflows",
  {
    ...workflow,
    workflow: "id",
    definition_hash: "id",
    root_session_id: "id",
    root_role: "id",
    status: "id",
    created_at: "int",
    ended_at: "int",
    wake_at: "int",
  },
  replace(["tenant", "workflow_id"], ["status", "ended_at", "wake_at"]),
)

const workflowChange = { ...workflow, status: "id", ended_at: "int", wakes: "flag", wake_at: "int" } as const
/** Without `status` it goes on; `wakes` says whether `wake_at` is meant. SQLite: `endWorkflow`, `setWake`. */
export const changeWorkflow = write(
  "changeWorkflow",
  workflowChange,
  (at) => sql`
  update ${at("workflows")} as w set
    status = coalesce(c.status, w.status),
    ended_at = case when c.status is null then w.ended_at else c.ended_at end,
    wake_at = case when c.wakes = 1 then c.wake_at else w.wake_at end
  from ${unnested(workflowChange)}
  where w.tenant = c.tenant and w.workflow_id = c.workflow_id`,
)

const role = { ...workflow, role: "id" } as const
/** The workflow's row has been written. */
export const insertRole = write(
  "insertRole",
  role,
  (at) => sql`
  insert into ${at("workflow_roles")} (tenant, role, created_at, workflow_id)
  select w.tenant, c.role, w.created_at, w.workflow_id
  from ${unnested(role)} join ${at("workflows")} as w on w.tenant = c.tenant and w.workflow_id = c.workflow_id
  on conflict do nothing`,
)

/** Without a clause for conflicts: a session that exists in the tenant fails the pipeline. */
export const insertSession = insert("insertSession", "sessions", {
  ...workflow,
  session_id: "id",
  role: "id",
  agent: "id",
  parent_session_id: "id",
  handoff_id: "id",
  generation: "int",
  depth: "int",
  status: "id",
  version: "int",
  created_at: "int",
  created_seq: "int",
  ended_at: "int",
  kill_id: "id",
  reason: "free",
})

const sessionEnd = {
  tenant: "id",
  session_id: "id",
  status: "id",
  version: "int",
  ended_at: "int",
  kill_id: "id",
  reason: "free",
} as const
export const endSession = write(
  "endSession",
  sessionEnd,
  (at) => sql`
  update ${at("sessions")} as s set
    status = c.status, version = c.version, ended_at = c.ended_at, kill_id = c.kill_id, reason = c.reason
  from ${unnested(sessionEnd)}
  where s.tenant = c.tenant and s.session_id = c.session_id`,
)

/** Without a clause for conflicts: a handoff that exists in the workflow fails the pipeline. */
export const insertHandoff = insert("insertHandoff", "handoffs", {
  ...workflow,
  handoff_id: "id",
  from_session_id: "id",
  from_role: "id",
  to_role: "id",
  status: "id",
  generation: "int",
  session_id: "id",
  offered_at: "int",
  offered_seq: "int",
  updated_at: "int",
  deadline: "int",
  summary: "json",
  artifacts: "json",
  resources: "json",
  result: "json",
  result_artifacts: "json",
  reason: "free",
})

const handoffChange = {
  ...workflow,
  handoff_id: "id",
  status: "id",
  deadline: "int",
  updated_at: "int",
  moves: "flag",
  generation: "int",
  session_id: "id",
  explains: "flag",
  reason: "free",
  result: "json",
  result_artifacts: "json",
} as const
/**
 * `moves` says whether `generation` and `session_id` are meant, `explains` whether `reason` is; a result that is null stays.
 * SQLite: `changeHandoff`, `completeHandoff`, `killHandoff`.
 */
export const changeHandoff = write(
  "changeHandoff",
  handoffChange,
  (at) => sql`
  update ${at("handoffs")} as h set
    status = c.status, deadline = c.deadline, updated_at = c.updated_at,
    generation = case when c.moves = 1 then c.generation else h.generation end,
    session_id = case when c.moves = 1 then c.session_id else h.session_id end,
    reason = case when c.explains = 1 then c.reason else h.reason end,
    result = coalesce(c.result, h.result),
    result_artifacts = coalesce(c.result_artifacts, h.result_artifacts)
  from ${unnested(handoffChange)}
  where h.tenant = c.tenant and h.workflow_id = c.workflow_id and h.handoff_id = c.handoff_id`,
)

export const upsertStep = insert(
  "upsertStep",
  "steps",
  {
    ...workflow,
    step_id: "id",
    session_id: "id",
    tool: "id",
    status: "id",
    outcome: "id",
    cost: "int",
    tokens: "int",
    resolved_at: "int",
  },
  replace(
    ["tenant", "workflow_id", "step_id"],
    ["session_id", "tool", "status", "outcome", "cost", "tokens", "resolved_at"],
  ),
)

export const upsertKill = insert(
  "upsertKill",
  "kills",
  { ...workflow, kill_id: "id", state: "id", receipt: "json" },
  replace(["tenant", "workflow_id", "kill_id"], ["state", "receipt"]),
)

const quiet = { ...workflow, kill_id: "id" } as const
/** The receipt's own `state` is read from the column. */
export const quietKill = write(
  "quietKill",
  quiet,
  (at) => sql`
  update ${at("kills")} as k set state = 'quiescent'
  from ${unnested(quiet)}
  where k.tenant = c.tenant and k.workflow_id = c.workflow_id and k.kill_id = c.kill_id`,
)

export const upsertResource = insert(
  "upsertResource",
  "resources",
  { ...workflow, name: "id", key: "id", fence: "int", version: "int" },
  replace(["tenant", "workflow_id", "name", "key"], ["fence", "version"]),
)

export const upsertAnswer = insert(
  "upsertAnswer",
  "answers",
  { ...workflow, key: "free", fingerprint: "id", answer: "json" },
  replace(["tenant", "workflow_id", "key"], ["fingerprint", "answer"]),
)
