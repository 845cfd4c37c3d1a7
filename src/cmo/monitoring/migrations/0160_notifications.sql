-- Notifications: whom to tell what, and every telling with what became of it.

create table monitoring_channels (
  id                  text primary key,
  tenant              text not null references cmo_tenants (id),
  -- null: of every project
  project             text,
  name                text not null,
  kind                text not null check (kind in ('webhook', 'email')),
  url                 text check ((kind = 'webhook') = (url is not null)),
  recipients          text[] check ((kind = 'email') = (recipients is not null)),
  events              text[] not null check (events <@ array['finished', 'failed', 'cancelled', 'stuck'] and events <> '{}'),
  stuck_after_minutes integer not null check (stuck_after_minutes between 1 and 10080),
  enabled             boolean not null default true,
  -- what signs a web-hook, sealed by the secret store
  secret              bytea,
  created_at          timestamptz not null default now(),
  created_by          text not null,
  unique (tenant, name),
  foreign key (tenant, project) references cmo_projects (tenant, id)
);
create index monitoring_channels_by_tenant on monitoring_channels (tenant, id);
select solyx_tenant_policies('monitoring_channels');

-- The outbox and its history. A row is written once for each thing to tell (`dedupe`), in the transaction that moves the cursor.
create table monitoring_deliveries (
  id          text primary key,
  tenant      text not null,
  channel_id  text not null references monitoring_channels (id) on delete cascade,
  dedupe      text not null,
  event       text not null check (event in ('finished', 'failed', 'cancelled', 'stuck', 'test')),
  subject     text not null,
  -- what is told, byte for byte: a repeat is the same
  body        text not null,
  state       text not null default 'pending' check (state in ('pending', 'sent', 'failed')),
  attempts    integer not null default 0,
  next_at     timestamptz not null default now(),
  -- somebody is at it until then
  lease_until timestamptz,
  -- the last tries: [{at, status, error, ms}]
  log         jsonb not null default '[]',
  created_at  timestamptz not null default now(),
  settled_at  timestamptz,
  unique (channel_id, dedupe)
);
create index monitoring_deliveries_due on monitoring_deliveries (next_at) where state = 'pending';
create index monitoring_deliveries_under_way on monitoring_deliveries (tenant) where state = 'pending' and lease_until is not null;
create index monitoring_deliveries_by_tenant on monitoring_deliveries (tenant, id);
create index monitoring_deliveries_by_age on monitoring_deliveries (created_at);
select solyx_tenant_policies('monitoring_deliveries');

-- When something was last seen to move of a job that is on a node.
create table monitoring_progress (
  job_id text primary key,
  tenant text not null,
  mark   text not null,
  since  timestamptz not null default now()
);
select solyx_tenant_policies('monitoring_progress');

-- Up to where the events were read.
create table monitoring_cursors (
  name   text primary key,
  cursor text not null
);
revoke all on monitoring_cursors, monitoring_progress from solyx_app;
