-- What exists: sites, nodes, devices. Capacity rows are locked by every commit, so what changes often (heartbeats,
-- presence times, samples) lives in tables of its own.

create table drm_sites (
  id                  text primary key,
  name                text not null unique,
  latitude            double precision check (latitude between -90 and 90),
  longitude           double precision check (longitude between -180 and 180),
  grid_zone           text,
  pue                 double precision not null default 1.0 check (pue >= 1 and pue <= 10),
  -- list prices, micro-dollars an hour: of a whole device, of a CPU core and of a GiB of memory
  device_usd_per_hour bigint not null default 0 check (device_usd_per_hour >= 0),
  cpu_usd_per_hour    bigint not null default 0 check (cpu_usd_per_hour >= 0),
  memory_usd_per_hour bigint not null default 0 check (memory_usd_per_hour >= 0),
  backend             text not null default 'agent' check (backend in ('agent', 'simulator', 'kubernetes', 'ray', 'slurm')),
  revision            bigint not null default 1,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now()
);

-- capacity = max(used, observed): a node that shrinks while it is used can be recorded, and nothing new fits on it.
create table drm_nodes (
  id               text primary key,
  site_id          text not null references drm_sites (id),
  name             text not null,
  backend          text not null check (backend in ('agent', 'simulator', 'kubernetes', 'ray', 'slurm')),
  presence         text not null default 'joining' check (presence in ('joining', 'ready', 'lost', 'removed')),
  scheduling       text not null default 'open' check (scheduling in ('open', 'cordoned', 'draining')),
  health           text not null default 'ok' check (health in ('ok', 'degraded')),
  health_reasons   jsonb not null default '[]',
  isolation        text[] not null default '{}',
  host_network     boolean not null default false,
  labels           jsonb not null default '{}',
  facts            jsonb not null default '{}',
  -- made by the node once: who joins again under the same name is the same node
  installation_id  text,
  observed_cpu_milli    bigint not null default 0 check (observed_cpu_milli >= 0),
  observed_memory_bytes bigint not null default 0 check (observed_memory_bytes >= 0),
  observed_disk_bytes   bigint not null default 0 check (observed_disk_bytes >= 0),
  cpu_milli        bigint not null default 0,
  memory_bytes     bigint not null default 0,
  disk_bytes       bigint not null default 0,
  used_cpu_milli   bigint not null default 0,
  used_memory_bytes bigint not null default 0,
  used_disk_bytes  bigint not null default 0,
  revision         bigint not null default 1,
  joined_at        timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  check (used_cpu_milli between 0 and cpu_milli),
  check (used_memory_bytes between 0 and memory_bytes),
  check (used_disk_bytes between 0 and disk_bytes)
);
create index drm_nodes_by_site on drm_nodes (site_id, id);
create unique index drm_nodes_name on drm_nodes (site_id, name) where presence <> 'removed';

create table drm_devices (
  id            text primary key,
  node_id       text not null references drm_nodes (id),
  parent_id     text references drm_devices (id),
  kind          text not null check (kind in ('gpu', 'tpu', 'fpga')),
  vendor        text not null,
  model         text not null,
  local_index   integer not null,
  uuid          text not null,
  memory_bytes  bigint not null check (memory_bytes >= 0),
  driver        text,
  facts         jsonb not null default '{}',
  health        text not null default 'ok' check (health in ('ok', 'degraded')),
  -- thousandths; a parent of slices has 0, a device that the node no longer reports has observed 0
  observed_milli integer not null default 1000 check (observed_milli in (0, 1000)),
  milli         integer not null default 1000,
  used_milli    integer not null default 0,
  revision      bigint not null default 1,
  check (used_milli between 0 and milli),
  unique (node_id, uuid)
);
create index drm_devices_by_node on drm_devices (node_id, local_index);

-- Last heartbeat acknowledged to the node, by the database's clock; durable within 10 s of the acknowledgement.
create table drm_heartbeats (
  node_id       text primary key references drm_nodes (id),
  boot_id       text not null,
  last_acked_at timestamptz not null
);

-- Latest sample per device or node (subject_id = node_id for the node itself), and sums of the current 10 seconds as
-- {name: [count, sum, maximum]}. Unlogged: nothing decides or bills by it.
create unlogged table drm_samples (
  subject_id text primary key,
  node_id    text not null,
  at         timestamptz not null,
  data       jsonb not null,
  slot       timestamptz not null,
  sums       jsonb not null default '{}'
);
create index drm_samples_by_node on drm_samples (node_id);

-- What samples said per 10 seconds, as {name: [count, sum, maximum]}, which adds up to any longer span.
create table drm_rollups (
  subject_id text not null,
  slot       timestamptz not null,
  data       jsonb not null,
  primary key (subject_id, slot)
);
create index drm_rollups_by_slot on drm_rollups (slot);
