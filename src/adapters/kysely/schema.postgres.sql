create table "answers" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "key" text collate "C" not null,
  "fingerprint" text not null,
  "answer" text not null,
  constraint "answers_key" PRIMARY KEY (tenant, workflow_id, key)
);
CREATE UNIQUE INDEX answers_key ON answers USING btree (tenant, workflow_id, key);

create table "api_keys" (
  "key_id" text not null,
  "tenant" text not null,
  "name" text not null,
  "scopes" text not null,
  "hash" text not null,
  "created_at" bigint not null,
  "expires_at" bigint,
  "revoked_at" bigint,
  constraint "api_keys_hash_check" CHECK ((length(hash) = 64)),
  constraint "api_keys_pkey" PRIMARY KEY (key_id)
);
CREATE UNIQUE INDEX api_keys_pkey ON api_keys USING btree (key_id);

create table "definitions" (
  "tenant" text collate "C" not null,
  "hash" text collate "C" not null,
  "text" text not null,
  constraint "definitions_key" PRIMARY KEY (tenant, hash)
);
CREATE UNIQUE INDEX definitions_key ON definitions USING btree (tenant, hash);

create table "handoffs" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "handoff_id" text collate "C" not null,
  "from_session_id" text not null,
  "from_role" text not null,
  "to_role" text not null,
  "status" text collate "C" not null,
  "generation" bigint not null,
  "session_id" text collate "C",
  "offered_at" bigint not null,
  "offered_seq" bigint not null,
  "updated_at" bigint not null,
  "deadline" bigint,
  "summary" text not null,
  "artifacts" text not null,
  "resources" text not null,
  "result" text not null,
  "result_artifacts" text not null,
  "reason" text,
  "open" bigint,
  constraint "handoffs_generation_check" CHECK ((generation >= 1)),
  constraint "handoffs_key" PRIMARY KEY (tenant, workflow_id, handoff_id),
  constraint "handoffs_status_check" CHECK (((status = ANY (ARRAY['offered'::text, 'claimed'::text, 'in_progress'::text])) OR (status = ANY (ARRAY['completed'::text, 'failed'::text, 'withdrawn'::text, 'expired'::text, 'killed'::text]))))
);
CREATE UNIQUE INDEX handoffs_key ON handoffs USING btree (tenant, workflow_id, handoff_id);
CREATE INDEX handoffs_listing ON handoffs USING btree (tenant, workflow_id, offered_seq, handoff_id) WHERE (offered_seq <> 0);
CREATE INDEX handoffs_open ON handoffs USING btree (tenant, workflow_id, offered_seq, handoff_id) WHERE (open = 1);

create table "journal" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "seq" bigint not null,
  "event" text not null,
  "hash" text not null,
  constraint "journal_key" PRIMARY KEY (tenant, workflow_id, seq),
  constraint "journal_seq_check" CHECK ((seq >= 1))
);
CREATE UNIQUE INDEX journal_key ON journal USING btree (tenant, workflow_id, seq);

create table "kills" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "kill_id" text collate "C" not null,
  "state" text not null,
  "receipt" text not null,
  constraint "kills_key" PRIMARY KEY (tenant, workflow_id, kill_id),
  constraint "kills_state_check" CHECK ((state = ANY (ARRAY['fenced'::text, 'quiescent'::text])))
);
CREATE UNIQUE INDEX kills_key ON kills USING btree (tenant, workflow_id, kill_id);

create table "resources" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "name" text collate "C" not null,
  "key" text collate "C" not null,
  "fence" bigint not null,
  "version" bigint not null,
  constraint "resources_fence_check" CHECK ((fence >= 0)),
  constraint "resources_key" PRIMARY KEY (tenant, workflow_id, name, key),
  constraint "resources_version_check" CHECK ((version >= 0))
);
CREATE UNIQUE INDEX resources_key ON resources USING btree (tenant, workflow_id, name, key);

create table "server_secrets" (
  "name" text not null,
  "value" text not null,
  constraint "server_secrets_pkey" PRIMARY KEY (name)
);
CREATE UNIQUE INDEX server_secrets_pkey ON server_secrets USING btree (name);

create table "sessions" (
  "tenant" text collate "C" not null,
  "session_id" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "role" text collate "C" not null,
  "agent" text not null,
  "parent_session_id" text,
  "handoff_id" text collate "C",
  "generation" bigint not null,
  "depth" bigint not null,
  "status" text collate "C" not null,
  "version" bigint not null,
  "created_at" bigint not null,
  "created_seq" bigint not null,
  "ended_at" bigint,
  "kill_id" text collate "C",
  "reason" text,
  constraint "sessions_depth_check" CHECK ((depth >= 0)),
  constraint "sessions_end" CHECK (((status = 'active'::text) = (ended_at IS NULL))),
  constraint "sessions_generation_check" CHECK ((generation >= 0)),
  constraint "sessions_key" PRIMARY KEY (tenant, session_id),
  constraint "sessions_status_check" CHECK ((status = ANY (ARRAY['active'::text, 'completed'::text, 'failed'::text, 'killed'::text]))),
  constraint "sessions_version_check" CHECK ((version >= 1))
);
CREATE UNIQUE INDEX sessions_key ON sessions USING btree (tenant, session_id);
CREATE INDEX sessions_listing ON sessions USING btree (tenant, workflow_id, created_seq, session_id) WHERE (created_seq <> 0);
CREATE INDEX sessions_open ON sessions USING btree (tenant, workflow_id, created_seq, session_id) WHERE (status = 'active'::text);

create table "snapshots" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "seq" bigint not null,
  "hash" text not null,
  "text" text not null,
  constraint "snapshots_key" PRIMARY KEY (tenant, workflow_id),
  constraint "snapshots_seq_check" CHECK ((seq >= 1))
);
CREATE UNIQUE INDEX snapshots_key ON snapshots USING btree (tenant, workflow_id);

create table "steps" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "step_id" text collate "C" not null,
  "session_id" text collate "C" not null,
  "tool" text not null,
  "status" text collate "C" not null,
  "outcome" text not null,
  "cost" bigint not null,
  "tokens" bigint not null,
  "resolved_at" bigint not null,
  constraint "steps_cost_check" CHECK ((cost >= 0)),
  constraint "steps_key" PRIMARY KEY (tenant, workflow_id, step_id),
  constraint "steps_outcome_check" CHECK ((outcome = ANY (ARRAY['committed'::text, 'aborted'::text]))),
  constraint "steps_status_check" CHECK ((status = ANY (ARRAY['committed'::text, 'aborted'::text, 'late'::text]))),
  constraint "steps_tokens_check" CHECK ((tokens >= 0))
);
CREATE UNIQUE INDEX steps_key ON steps USING btree (tenant, workflow_id, step_id);

create table "workflow_roles" (
  "tenant" text collate "C" not null,
  "role" text collate "C" not null,
  "created_at" bigint not null,
  "workflow_id" text collate "C" not null,
  constraint "workflow_roles_key" PRIMARY KEY (tenant, role, created_at, workflow_id)
);
CREATE UNIQUE INDEX workflow_roles_key ON workflow_roles USING btree (tenant, role, created_at, workflow_id);

create table "workflows" (
  "tenant" text collate "C" not null,
  "workflow_id" text collate "C" not null,
  "workflow" text not null,
  "definition_hash" text not null,
  "root_session_id" text not null,
  "root_role" text not null,
  "status" text collate "C" not null,
  "created_at" bigint not null,
  "ended_at" bigint,
  "wake_at" bigint,
  constraint "workflows_end" CHECK (((status = 'active'::text) = (ended_at IS NULL))),
  constraint "workflows_key" PRIMARY KEY (tenant, workflow_id),
  constraint "workflows_status_check" CHECK ((status = ANY (ARRAY['active'::text, 'completed'::text, 'failed'::text, 'killed'::text])))
);
CREATE UNIQUE INDEX workflows_key ON workflows USING btree (tenant, workflow_id);
CREATE INDEX workflows_newest ON workflows USING btree (tenant, status, created_at, workflow_id) WHERE (status <> ''::text);
CREATE INDEX workflows_wake ON workflows USING btree (wake_at) WHERE (wake_at IS NOT NULL);
