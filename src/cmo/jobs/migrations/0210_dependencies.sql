-- Jobs that wait for other jobs (`after` of the spec).
--
-- A job with unmet dependencies is queued and no scheduler sees it: `waits_for` counts them, so that one look at the row tells. Rows
-- are met once and stay so: what a dependency becomes later (its record is deleted, say) changes nothing.

alter table cmo_jobs add column waits_for integer not null default 0 check (waits_for >= 0);

alter table cmo_jobs drop constraint cmo_jobs_pending_reason_check;
alter table cmo_jobs add constraint cmo_jobs_pending_reason_check check (pending_reason in (
  'new', 'earliest_start', 'retry_backoff', 'no_matching_node', 'insufficient_capacity', 'nodes_unavailable', 'price_above_limit',
  'behind_others', 'capacity_taken', 'quota_exhausted', 'limit_reached', 'waits_for_fair_share', 'waits_for_preempted',
  'waits_for_jobs')) not valid;
alter table cmo_jobs validate constraint cmo_jobs_pending_reason_check;

create table cmo_job_dependencies (
  tenant    text not null,
  job_id    text not null,
  -- a job, or an array: all of its tasks
  on_id     text not null,
  condition text not null check (condition in ('started', 'succeeded', 'ended')),
  met       boolean not null default false,
  primary key (tenant, job_id, on_id),
  foreign key (tenant, job_id) references cmo_jobs (tenant, id) on delete cascade
);
create index cmo_job_dependencies_unmet on cmo_job_dependencies (on_id, job_id) where not met;
select solyx_tenant_policies('cmo_job_dependencies');

-- What a job that waits says; the first three by name.
create function cmo_awaited_sentence(names text[]) returns text immutable language sql as $$
  select 'It waits for ' || array_to_string(names[1:3], ', ')
    || case when cardinality(names) > 3 then ' and ' || cardinality(names) - 3 || ' more' else '' end || '.'
$$;

-- As before (0102), and: `after` of the spec becomes rows. The keys tell whoever decides about dependencies to look at once,
-- because what is waited for may have ended before this was committed.
create or replace function cmo_submit_jobs(requests jsonb) returns setof integer language plpgsql as $$
declare
  owner text;
begin
  for owner in select distinct r ->> 'tenant' from jsonb_array_elements(requests) as r order by 1 loop
    perform set_config('solyx.tenant', owner, true);
    return query
    with request as (
      select (position - 1)::integer as position, r
      from jsonb_array_elements(requests) with ordinality as all_requests (r, position)
      where r ->> 'tenant' = owner
    ), answered as (
      insert into cmo_idempotency (tenant, key, request_hash, response)
      select owner, r ->> 'key', decode(r ->> 'hash', 'hex'), r -> 'response' from request
      where r ->> 'key' is not null order by r ->> 'key', position
      on conflict (tenant, key) do nothing
      returning response ->> 'id' as first_job
    ), accepted as (
      select position, r, coalesce(jsonb_array_length(r -> 'spec' -> 'after'), 0) as waits_for from request
      where r ->> 'key' is null or r -> 'jobs' ->> 0 in (select first_job from answered)
    ), task as (
      select position, r, waits_for, id, (index - 1)::integer as index
      from accepted, jsonb_array_elements_text(r -> 'jobs') with ordinality as ids (id, index)
    ), job as (
      insert into cmo_jobs (id, tenant, project, name, pending_reason, pending_detail, priority, spec, array_id, array_index,
                            deferred_until, queue_deadline, submitted_by, waits_for)
      select id, owner, r ->> 'project', r ->> 'name', case when waits_for > 0 then 'waits_for_jobs' else 'new' end,
        case when waits_for > 0 then jsonb_build_object('message', cmo_awaited_sentence(array(
          select (d ->> 'job') || ' (' || (d ->> 'when') || ')' from jsonb_array_elements(r -> 'spec' -> 'after') as d))) end,
        (r ->> 'priority')::integer, r -> 'spec', r ->> 'arrayId',
        case when r ->> 'arrayId' is not null then index end, (r ->> 'deferredUntil')::timestamptz,
        now() + make_interval(secs => (r ->> 'queueSeconds')::float8), r ->> 'by', waits_for
      from task
    ), dependency as (
      insert into cmo_job_dependencies (tenant, job_id, on_id, condition)
      select owner, id, d ->> 'job', d ->> 'when' from task, jsonb_array_elements(r -> 'spec' -> 'after') as d
      where waits_for > 0
    ), label as (
      insert into cmo_job_labels (tenant, key, value, job_id)
      select owner, key, value, id from task, jsonb_each_text(r -> 'spec' -> 'labels') as label (key, value)
    ), event as (
      insert into feed_events (tenant, kind, subject, revision, data)
      select owner, 'job.queued', id, 1, jsonb_build_object('from', null, 'to', 'queued', 'who', r ->> 'by')
      from task order by position, index
    ), dirty as (
      insert into feed_dirty (kind, key)
      select 'job', id from task
      union all
      select 'dependency', d ->> 'job' from accepted, jsonb_array_elements(r -> 'spec' -> 'after') as d where waits_for > 0
    )
    select accepted.position from accepted;
  end loop;
end
$$;
