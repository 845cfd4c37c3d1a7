-- Who holds what. Counters on nodes and devices (0020) and these rows say the same thing; a test proves the equality.

create table drm_allocations (
  id          text primary key,
  tenant      text not null,
  job_id      text not null,
  attempt_id  text not null unique,
  token       bigint not null,
  state       text not null default 'held' check (state in ('reserved', 'held', 'released')),
  starts_at   timestamptz not null default now(),
  ends_at     timestamptz,
  released_at timestamptz,
  foreign key (tenant, attempt_id) references cmo_attempts (tenant, id),
  unique (tenant, id),
  check ((state = 'released') = (released_at is not null))
);
create index drm_allocations_live on drm_allocations (tenant, job_id) where state <> 'released';
select solyx_tenant_policies('drm_allocations');

create table drm_allocation_nodes (
  allocation_id text not null,
  tenant        text not null,
  rank          integer not null check (rank >= 0),
  node_id       text not null references drm_nodes (id),
  cpu_milli     bigint not null check (cpu_milli >= 0),
  memory_bytes  bigint not null check (memory_bytes >= 0),
  disk_bytes    bigint not null check (disk_bytes >= 0),
  released      boolean not null default false,
  primary key (allocation_id, rank),
  foreign key (tenant, allocation_id) references drm_allocations (tenant, id)
);
create index drm_allocation_nodes_live on drm_allocation_nodes (node_id) where not released;
select solyx_tenant_policies('drm_allocation_nodes');

create table drm_allocation_devices (
  allocation_id text not null,
  tenant        text not null,
  rank          integer not null,
  device_id     text not null references drm_devices (id),
  milli         integer not null check (milli between 1 and 1000),
  released      boolean not null default false,
  primary key (allocation_id, device_id),
  foreign key (allocation_id, rank) references drm_allocation_nodes (allocation_id, rank),
  foreign key (tenant, allocation_id) references drm_allocations (tenant, id)
);
-- a whole device has one holder: the database refuses a second
create unique index drm_allocation_devices_whole on drm_allocation_devices (device_id) where milli = 1000 and not released;
create index drm_allocation_devices_live on drm_allocation_devices (device_id) where not released;
select solyx_tenant_policies('drm_allocation_devices');
