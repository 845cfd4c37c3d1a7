-- Usage: one interval per attempt and node rank, opened when the attempt runs and closed when it ended. Intervals, not
-- ticks: a row is a fact about a span of time, so a crash can neither lose nor double it.

create table billing_usage_intervals (
  id             text primary key,
  tenant         text not null,
  project        text not null,
  job_id         text not null,
  attempt_id     text not null,
  rank           integer not null,
  node_id        text not null,
  site_id        text not null,
  cpu_milli      bigint not null,
  memory_bytes   bigint not null,
  -- whole devices in thousandths over all devices of the rank
  device_milli   bigint not null,
  devices        jsonb not null,
  -- price snapshot at the opening, micro-dollars an hour: per device, CPU core and GiB
  device_usd_per_hour bigint not null,
  cpu_usd_per_hour    bigint not null,
  memory_usd_per_hour bigint not null,
  started_at     timestamptz not null,
  ended_at       timestamptz,
  energy_joules  double precision check (energy_joules >= 0),
  energy_source  text check (energy_source in ('measured', 'modelled')),
  cpu_seconds    double precision,
  peak_memory_bytes bigint,
  cost_micro_usd bigint,
  unique (attempt_id, rank),
  foreign key (tenant, job_id) references cmo_jobs (tenant, id),
  check (ended_at is null or ended_at >= started_at),
  check ((ended_at is null) = (cost_micro_usd is null))
);
create index billing_usage_by_job on billing_usage_intervals (tenant, job_id);
create index billing_usage_by_project on billing_usage_intervals (tenant, project, started_at);
select solyx_tenant_policies('billing_usage_intervals');
