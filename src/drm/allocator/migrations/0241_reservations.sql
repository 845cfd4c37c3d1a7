-- Advance reservations: whole nodes, with all that is on them, promised to a tenant or one of its projects for a time.

create table drm_reservations (
  id         text primary key,
  tenant     text not null references cmo_tenants (id),
  -- null: all projects of the tenant
  project    text,
  name       text not null,
  -- what was asked for, by which a node that vanishes is replaced
  wanted     jsonb not null,
  node_count integer not null check (node_count > 0),
  starts_at  timestamptz not null,
  ends_at    timestamptz not null,
  state      text not null default 'booked' check (state in ('booked', 'cancelled', 'ended')),
  created_by text not null,
  created_at timestamptz not null default now(),
  ended_at   timestamptz,
  foreign key (tenant, project) references cmo_projects (tenant, id),
  unique (tenant, id),
  check (ends_at > starts_at),
  check ((state = 'booked') = (ended_at is null))
);
create index drm_reservations_by_tenant on drm_reservations (tenant, id desc);
create index drm_reservations_booked on drm_reservations (ends_at) where state = 'booked';
select solyx_tenant_policies('drm_reservations');

-- Which nodes; the database refuses a second promise of a node for the same time. Rows go with the reservation's end.
create table drm_calendar (
  reservation text not null,
  tenant      text not null,
  node_id     text not null references drm_nodes (id),
  span        tstzrange not null check (not isempty(span)),
  primary key (reservation, node_id),
  foreign key (tenant, reservation) references drm_reservations (tenant, id) on delete cascade,
  exclude using gist (node_id with =, span with &&)
);
select solyx_tenant_policies('drm_calendar');

-- Until when anything of the node is promised; so that a commit looks into the calendar for those nodes only. Written under the node's lock.
alter table drm_nodes add column promised_until timestamptz;

-- Tenants see their own; the system writes.
revoke insert, update, delete on drm_reservations, drm_calendar from solyx_app;
