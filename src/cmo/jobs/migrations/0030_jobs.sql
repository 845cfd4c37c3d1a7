-- What users asked for (jobs) and what was tried (attempts).
--
-- Filterable columns are text with a check, never enums: row-level security only lets leakproof operators use an index.

create table cmo_jobs (
  id                 text primary key,
  tenant             text not null references cmo_tenants (id),
  project            text not null,
  name               text not null,
  state              text not null default 'queued'
                     check (state in ('queued', 'starting', 'running', 'stopping', 'suspended', 'succeeded', 'failed', 'cancelled')),
  pending_reason     text check (pending_reason in ('new', 'earliest_start', 'retry_backoff', 'no_matching_node',
                       'insufficient_capacity', 'nodes_unavailable', 'price_above_limit', 'behind_others', 'capacity_taken')),
  pending_detail     jsonb,
  -- not before this instant: earliestStart, retry back-off, or a placement that waits
  deferred_until     timestamptz,
  -- fails when it has not started once by then (timeouts.queue)
  queue_deadline     timestamptz,
  stop_reason        text check (stop_reason in ('cancel', 'preempt', 'move', 'suspend', 'shed')),
  cancel_requested_at timestamptz,
  contact_lost_since timestamptz,
  priority           integer not null check (priority between -1000 and 1000),
  spec               jsonb not null,
  array_id           text,
  array_index        integer check (array_index >= 0),
  -- token of the newest attempt; writes under an older one are refused
  newest_token       bigint not null default 0,
  attempt_count      integer not null default 0,
  retries_used       jsonb not null default '{}',
  -- the newest fenced checkpoint: manifest blob and the attempt that wrote it
  checkpoint_hash    text check (checkpoint_hash ~ '^[0-9a-f]{64}$'),
  checkpoint_token   bigint,
  checkpoint_at      timestamptz,
  exit_code          integer,
  reason             text,
  submitted_by       text not null,
  submitted_at       timestamptz not null default now(),
  started_at         timestamptz,
  ended_at           timestamptz,
  revision           bigint not null default 1,
  foreign key (tenant, project) references cmo_projects (tenant, id),
  unique (tenant, id),
  check ((state = 'queued') = (pending_reason is not null)),
  check ((state in ('succeeded', 'failed', 'cancelled')) = (ended_at is not null)),
  check (state <> 'stopping' or stop_reason is not null)
);
-- lists: newest first, keyset by id (ids sort by time)
create index cmo_jobs_by_tenant on cmo_jobs (tenant, id desc);
create index cmo_jobs_by_tenant_state on cmo_jobs (tenant, state, id desc);
create index cmo_jobs_by_tenant_project on cmo_jobs (tenant, project, id desc);
create index cmo_jobs_by_tenant_name on cmo_jobs (tenant, name text_pattern_ops, id desc);
create index cmo_jobs_by_submitter on cmo_jobs (tenant, submitted_by, id desc);
create index cmo_jobs_by_array on cmo_jobs (tenant, array_id, array_index) where array_id is not null;
-- loops: only what is alive, never all jobs ever
create index cmo_jobs_queued on cmo_jobs (id) where state = 'queued';
create index cmo_jobs_queue_deadline on cmo_jobs (queue_deadline)
  where state = 'queued' and queue_deadline is not null and started_at is null;
create index cmo_jobs_active on cmo_jobs (id) where state in ('starting', 'running', 'stopping');
select solyx_tenant_policies('cmo_jobs');

create table cmo_job_labels (
  tenant text not null,
  key    text not null,
  value  text not null,
  job_id text not null,
  primary key (tenant, key, value, job_id),
  foreign key (tenant, job_id) references cmo_jobs (tenant, id) on delete cascade
);
create index cmo_job_labels_by_job on cmo_job_labels (tenant, job_id);
select solyx_tenant_policies('cmo_job_labels');

create table cmo_idempotency (
  tenant       text not null references cmo_tenants (id),
  key          text not null,
  request_hash bytea not null,
  response     jsonb not null,
  created_at   timestamptz not null default now(),
  primary key (tenant, key)
);
create index cmo_idempotency_by_age on cmo_idempotency (created_at);
select solyx_tenant_policies('cmo_idempotency');

-- Fencing tokens grow over all attempts, so that any two can be compared.
create sequence cmo_attempt_tokens as bigint;

create table cmo_attempts (
  id           text primary key,
  tenant       text not null,
  job_id       text not null,
  number       integer not null check (number >= 1),
  token        bigint not null unique default nextval('cmo_attempt_tokens'),
  state        text not null default 'placed' check (state in ('placed', 'starting', 'running', 'stopping', 'unknown', 'ended')),
  -- the state that an unknown attempt goes back to
  state_before_unknown text check (state_before_unknown in ('placed', 'starting', 'running', 'stopping')),
  outcome      text check (outcome in ('succeeded', 'failed', 'cancelled', 'preempted', 'moved', 'suspended',
                 'out-of-memory', 'timed-out', 'start-failed', 'node-lost')),
  backend      text not null,
  site_id      text not null,
  -- why here: candidates, terms, rejections; written once at the decision
  explanation  jsonb not null,
  stop_reason  text check (stop_reason in ('cancel', 'preempt', 'move', 'suspend', 'shed')),
  unknown_since timestamptz,
  exit_code    integer,
  signal       text,
  message      text,
  placed_at    timestamptz not null default now(),
  starting_at  timestamptz,
  running_at   timestamptz,
  ended_at     timestamptz,
  -- the orchestrator that works on it right now; owners heartbeat, rows do not
  owner        text,
  -- when it should be looked at; infinity while it is being looked at, and until something happens
  due_at       timestamptz not null default now(),
  -- ended, and the backend was told that it may forget the attempt
  forgotten_at timestamptz,
  revision     bigint not null default 1,
  foreign key (tenant, job_id) references cmo_jobs (tenant, id),
  unique (job_id, number),
  unique (tenant, id),
  check ((state = 'ended') = (outcome is not null)),
  check ((state = 'unknown') = (unknown_since is not null))
);
-- at most one live attempt per job: the database refuses a second
create unique index cmo_attempts_one_live on cmo_attempts (job_id) where state <> 'ended';
create index cmo_attempts_due on cmo_attempts (due_at) where state <> 'ended' and owner is null;
create index cmo_attempts_claimed on cmo_attempts (owner) where state <> 'ended' and owner is not null;
create index cmo_attempts_unknown on cmo_attempts (id) where state = 'unknown';
create index cmo_attempts_to_forget on cmo_attempts (id) where state = 'ended' and forgotten_at is null;
create index cmo_attempts_by_tenant on cmo_attempts (tenant, job_id, number);
select solyx_tenant_policies('cmo_attempts');

-- One row per node of an attempt: what that node reported.
create table cmo_attempt_ranks (
  attempt_id  text not null,
  tenant      text not null,
  rank        integer not null check (rank >= 0),
  node_id     text not null,
  state       text not null default 'placed' check (state in ('placed', 'starting', 'running', 'ended')),
  reason      text,
  exit_code   integer,
  signal      text,
  message     text,
  started_at  timestamptz,
  ended_at    timestamptz,
  primary key (attempt_id, rank),
  foreign key (tenant, attempt_id) references cmo_attempts (tenant, id),
  check ((state = 'ended') = (ended_at is not null))
);
create index cmo_attempt_ranks_by_node on cmo_attempt_ranks (node_id) where state <> 'ended';
select solyx_tenant_policies('cmo_attempt_ranks');

-- Orchestrator processes at work: the lease of an owner. An owner whose lease ran out has lost its attempts.
create table cmo_owners (
  id          text primary key,
  component   text not null,
  lease_until timestamptz not null
);
