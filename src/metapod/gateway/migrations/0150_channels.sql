-- Channels into running jobs (exec, port-forward, file copy) that are open or about to be.
--
-- A row is the intent and the lease of the server that holds the client; it is deleted, with the end in the audit log, when the
-- channel ends. Rows whose lease ran out are of servers that died.
create table metapod_channels (
  id          text primary key,
  tenant      text not null,
  job_id      text not null,
  attempt_id  text not null,
  rank        integer not null,
  token       bigint not null,
  node_id     text not null references drm_nodes (id),
  kind        text not null check (kind in ('exec', 'forward', 'download', 'upload')),
  -- whose rights it lives by
  key_id      text not null,
  -- process that holds the client, and where other servers reach it; null: nowhere
  holder      text not null,
  holder_url  text,
  -- hash of what the server that the agent reached proves itself to the holder with; set once
  relay_hash  bytea,
  created_at  timestamptz not null default now(),
  claimed_at  timestamptz,
  lease_until timestamptz not null
);
create index metapod_channels_by_tenant on metapod_channels (tenant);
create index metapod_channels_by_holder on metapod_channels (holder);
create index metapod_channels_wanted on metapod_channels (node_id) where claimed_at is null;
select solyx_tenant_policies('metapod_channels');
revoke all on metapod_channels from solyx_app;
