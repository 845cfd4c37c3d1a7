-- Training metrics of jobs, in bounded room: what bounds it is in src/common/contract/agent/metrics.ts.

-- An attempt that has metrics. Its row is locked while series are added, so that all ranks together keep the bound.
create table metapod_metric_attempts (
  attempt_id text primary key,
  tenant     text not null,
  job_id     text not null,
  series     integer not null default 0 check (series between 0 and 256),
  -- metrics go with the job
  foreign key (tenant, attempt_id) references cmo_attempts (tenant, id) on delete cascade
);
create index metapod_metric_attempts_by_job on metapod_metric_attempts (job_id, attempt_id);
select solyx_tenant_policies('metapod_metric_attempts');

-- How far the metrics of a rank came in. Only the agent understands `position`: where it stands in the job's files.
create table metapod_metric_streams (
  attempt_id text not null references metapod_metric_attempts on delete cascade,
  tenant     text not null,
  rank       integer not null,
  next_batch bigint not null default 0,
  position   text not null default '',
  ignored    bigint not null default 0,
  complete   boolean not null default false,
  primary key (attempt_id, rank)
);
select solyx_tenant_policies('metapod_metric_streams');

create table metapod_metric_series (
  id         bigint generated always as identity primary key,
  attempt_id text not null,
  tenant     text not null,
  rank       integer not null,
  name       text not null check (char_length(name) between 1 and 128),
  -- steps that one point covers; doubles when there are too many points
  width      bigint not null default 1 check (width > 0),
  points     integer not null default 0 check (points between 0 and 4096),
  counted    bigint not null default 0,
  gaps       bigint not null default 0,
  low        double precision,
  high       double precision,
  -- of the highest step that had a value
  last_step  bigint,
  last_value double precision,
  last_at    timestamptz,
  foreign key (attempt_id, rank) references metapod_metric_streams on delete cascade
);
-- names compare by their bytes, not by a language
create unique index metapod_metric_series_name on metapod_metric_series (attempt_id, rank, name collate "C");
select solyx_tenant_policies('metapod_metric_series');

create table metapod_metric_points (
  series_id bigint not null references metapod_metric_series on delete cascade,
  tenant    text not null,
  -- step / width
  slot      bigint not null,
  -- lowest step and newest time in it
  step      bigint not null,
  at        timestamptz not null,
  counted   bigint not null,
  gaps      bigint not null,
  low       double precision,
  high      double precision,
  mean      double precision,
  -- number of the batch that changed it last: what a live reader has not seen
  batch     bigint not null,
  primary key (series_id, slot)
);
select solyx_tenant_policies('metapod_metric_points');

-- Requests only read them.
revoke insert, update, delete on
  metapod_metric_attempts, metapod_metric_streams, metapod_metric_series, metapod_metric_points from solyx_app;
