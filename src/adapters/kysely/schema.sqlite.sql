CREATE TABLE "answers" ("tenant" text not null,
  "workflow_id" text not null,
  "key" text not null,
  "fingerprint" text not null,
  "answer" text not null,
  constraint "answers_key" primary key ("tenant",
  "workflow_id",
  "key")) strict;

CREATE TABLE "api_keys" ("key_id" text primary key,
  "tenant" text not null,
  "name" text not null,
  "scopes" text not null,
  "hash" text not null check (length(hash) = 64),
  "created_at" integer not null,
  "expires_at" integer,
  "revoked_at" integer) strict;

CREATE TABLE "definitions" ("tenant" text not null,
  "hash" text not null,
  "text" text not null,
  constraint "definitions_key" primary key ("tenant",
  "hash")) strict;

CREATE TABLE "handoffs" ("tenant" text not null,
  "workflow_id" text not null,
  "handoff_id" text not null,
  "from_session_id" text not null,
  "from_role" text not null,
  "to_role" text not null,
  "status" text not null check (status in ('offered',
  'claimed',
  'in_progress') or status in ('completed',
  'failed',
  'withdrawn',
  'expired',
  'killed')),
  "generation" integer not null check (generation >= 1),
  "session_id" text,
  "offered_at" integer not null,
  "offered_seq" integer not null,
  "updated_at" integer not null,
  "deadline" integer,
  "summary" text not null,
  "artifacts" text not null,
  "resources" text not null,
  "result" text not null,
  "result_artifacts" text not null,
  "reason" text,
  "open" integer generated always as (case when status in ('offered',
  'claimed',
  'in_progress') then 1 else 0 end),
  constraint "handoffs_key" primary key ("tenant",
  "workflow_id",
  "handoff_id")) strict;

CREATE INDEX "handoffs_listing" on "handoffs" ("tenant",
  "workflow_id",
  "offered_seq",
  "handoff_id") where "offered_seq" <> 0;

CREATE INDEX "handoffs_open" on "handoffs" ("tenant",
  "workflow_id",
  "offered_seq",
  "handoff_id") where "open" = 1;

CREATE TABLE "journal" ("id" integer primary key,
  "tenant" text not null,
  "workflow_id" text not null,
  "seq" integer not null check (seq >= 1),
  "event" text not null,
  "hash" text not null) strict;

CREATE TABLE "journal_runs" ("tenant" text not null,
  "workflow_id" text not null,
  "first_seq" integer not null check (first_seq >= 1),
  "last_seq" integer not null,
  "spans" text not null,
  constraint "journal_runs_key" primary key ("tenant",
  "workflow_id",
  "first_seq"),
  constraint "journal_runs_order" check (last_seq >= first_seq)) strict,
  without rowid;

CREATE TABLE "kills" ("tenant" text not null,
  "workflow_id" text not null,
  "kill_id" text not null,
  "state" text not null check (state in ('fenced',
  'quiescent')),
  "receipt" text not null,
  constraint "kills_key" primary key ("tenant",
  "workflow_id",
  "kill_id")) strict;

CREATE TABLE "pending" ("id" integer primary key,
  "body" text not null) strict;

CREATE TABLE "resources" ("tenant" text not null,
  "workflow_id" text not null,
  "name" text not null,
  "key" text not null,
  "fence" integer not null check (fence >= 0),
  "version" integer not null check (version >= 0),
  constraint "resources_key" primary key ("tenant",
  "workflow_id",
  "name",
  "key")) strict,
  without rowid;

CREATE TABLE "server_secrets" ("name" text primary key,
  "value" text not null) strict;

CREATE TABLE "sessions" ("tenant" text not null,
  "session_id" text not null,
  "workflow_id" text not null,
  "role" text not null,
  "agent" text not null,
  "parent_session_id" text,
  "handoff_id" text,
  "generation" integer not null check (generation >= 0),
  "depth" integer not null check (depth >= 0),
  "status" text not null check (status in ('active',
  'completed',
  'failed',
  'killed')),
  "version" integer not null check (version >= 1),
  "created_at" integer not null,
  "created_seq" integer not null,
  "ended_at" integer,
  "kill_id" text,
  "reason" text,
  constraint "sessions_key" primary key ("tenant",
  "session_id"),
  constraint "sessions_end" check ((status = 'active') = (ended_at is null))) strict;

CREATE INDEX "sessions_listing" on "sessions" ("tenant",
  "workflow_id",
  "created_seq",
  "session_id") where "created_seq" <> 0;

CREATE INDEX "sessions_open" on "sessions" ("tenant",
  "workflow_id",
  "created_seq",
  "session_id") where "status" = 'active';

CREATE TABLE "snapshots" ("tenant" text not null,
  "workflow_id" text not null,
  "seq" integer not null check (seq >= 1),
  "hash" text not null,
  "text" text not null,
  constraint "snapshots_key" primary key ("tenant",
  "workflow_id")) strict;

CREATE TABLE "steps" ("tenant" text not null,
  "workflow_id" text not null,
  "step_id" text not null,
  "session_id" text not null,
  "tool" text not null,
  "status" text not null check (status in ('committed',
  'aborted',
  'late')),
  "outcome" text not null check (outcome in ('committed',
  'aborted')),
  "cost" integer not null check (cost >= 0),
  "tokens" integer not null check (tokens >= 0),
  "resolved_at" integer not null,
  constraint "steps_key" primary key ("tenant",
  "workflow_id",
  "step_id")) strict,
  without rowid;

CREATE TABLE "workflow_roles" ("tenant" text not null,
  "role" text not null,
  "created_at" integer not null,
  "workflow_id" text not null,
  constraint "workflow_roles_key" primary key ("tenant",
  "role",
  "created_at",
  "workflow_id")) strict,
  without rowid;

CREATE TABLE "workflows" ("tenant" text not null,
  "workflow_id" text not null,
  "workflow" text not null,
  "definition_hash" text not null,
  "root_session_id" text not null,
  "root_role" text not null,
  "status" text not null check (status in ('active',
  'completed',
  'failed',
  'killed')),
  "created_at" integer not null,
  "ended_at" integer,
  "wake_at" integer,
  constraint "workflows_key" primary key ("tenant",
  "workflow_id"),
  constraint "workflows_end" check ((status = 'active') = (ended_at is null))) strict;

CREATE INDEX "workflows_newest" on "workflows" ("tenant",
  "status",
  "created_at",
  "workflow_id") where "status" <> '';

CREATE INDEX "workflows_wake" on "workflows" ("wake_at") where "wake_at" is not null;
