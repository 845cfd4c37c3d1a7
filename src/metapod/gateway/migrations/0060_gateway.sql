-- What passes between control plane and nodes: sessions, commands down, reports and logs up.

create table metapod_sessions (
  node_id     text primary key references drm_nodes (id),
  session_id  text not null,
  gateway_id  text not null,
  protocol    integer not null,
  connected_at timestamptz not null default now(),
  lease_until timestamptz not null,
  -- ranks that the node had on disk when it said hello: [{attemptId, rank, token, state}]
  attempts    jsonb not null default '[]'
);
create index metapod_sessions_by_gateway on metapod_sessions (gateway_id);

-- Commands are idempotent and carry the fencing token; they stay until the node acknowledged them.
create table metapod_commands (
  id          bigint generated always as identity primary key,
  node_id     text not null references drm_nodes (id),
  attempt_id  text not null,
  rank        integer not null,
  token       bigint not null,
  kind        text not null check (kind in ('start', 'stop', 'forget')),
  payload     jsonb not null default '{}',
  created_at  timestamptz not null default now(),
  acked_at    timestamptz,
  -- one of each kind per attempt and rank: writing the intent twice writes it once
  unique (attempt_id, rank, kind)
);
create index metapod_commands_open on metapod_commands (node_id, id) where acked_at is null;
-- ranks that their nodes have forgotten: the orchestrator deletes what is kept of them
create index metapod_commands_forgotten on metapod_commands (id) where kind = 'forget' and acked_at is not null;

-- Reports of attempts in the order in which a node made them. Repeats after a reconnect are refused by the key.
create table metapod_reports (
  id          bigint generated always as identity primary key,
  node_id     text not null references drm_nodes (id),
  boot_seq    text not null,
  seq         bigint not null,
  attempt_id  text not null,
  rank        integer not null,
  token       bigint not null,
  body        jsonb not null,
  received_at timestamptz not null default now(),
  applied_at  timestamptz,
  unique (node_id, boot_seq, seq)
);
create index metapod_reports_open on metapod_reports (id) where applied_at is null;
create index metapod_reports_by_attempt on metapod_reports (attempt_id, rank);

-- How far each log came in; chunks are taken only in sequence, so none is lost or doubled.
create table metapod_log_streams (
  attempt_id text not null,
  tenant     text not null,
  rank       integer not null,
  next_line  bigint not null default 0,
  bytes      bigint not null default 0,
  complete   boolean not null default false,
  primary key (attempt_id, rank)
);
select solyx_tenant_policies('metapod_log_streams');

create table metapod_log_chunks (
  attempt_id text not null,
  tenant     text not null,
  rank       integer not null,
  first_line bigint not null,
  line_count integer not null check (line_count > 0),
  -- records {n, t, s, d} as JSON lines
  lines      text not null,
  primary key (attempt_id, rank, first_line)
);
select solyx_tenant_policies('metapod_log_chunks');

-- What a rank kept: the manifest of its artefacts.
create table metapod_artifacts (
  attempt_id    text not null,
  tenant        text not null,
  rank          integer not null,
  manifest_hash text not null check (manifest_hash ~ '^[0-9a-f]{64}$'),
  file_count    integer not null check (file_count >= 0),
  size_bytes    bigint not null check (size_bytes >= 0),
  stored_at     timestamptz not null default now(),
  primary key (attempt_id, rank)
);
select solyx_tenant_policies('metapod_artifacts');

-- Commands carry the environments of all tenants' jobs, reports their ends: no request has business with them.
revoke all on metapod_sessions, metapod_commands, metapod_reports from solyx_app;
