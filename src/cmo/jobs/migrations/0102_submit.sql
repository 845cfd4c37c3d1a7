-- Takes in what several requests ask for, of any tenants, in one statement: one round trip and one commit for all of them.
--
-- Each request: tenant, project, name, priority, spec, arrayId, deferredUntil, queueSeconds, by, jobs (ids in array order), and
-- key, hash (hex) and response when it came with an Idempotency-Key. Keys go first and in order, so that whoever comes second with
-- one waits there for the first, and two batches cannot wait for each other. A request whose key is taken makes nothing.
-- Row-level security holds as ever: rows of each tenant are written with that tenant set.
--
-- Returns the positions, from 0, of the requests that made their jobs.
create function cmo_submit_jobs(requests jsonb) returns setof integer language plpgsql as $$
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
      select position, r from request
      where r ->> 'key' is null or r -> 'jobs' ->> 0 in (select first_job from answered)
    ), task as (
      select position, r, id, (index - 1)::integer as index
      from accepted, jsonb_array_elements_text(r -> 'jobs') with ordinality as ids (id, index)
    ), job as (
      insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, array_id, array_index,
                            deferred_until, queue_deadline, submitted_by)
      select id, owner, r ->> 'project', r ->> 'name', 'new', (r ->> 'priority')::integer, r -> 'spec', r ->> 'arrayId',
        case when r ->> 'arrayId' is not null then index end, (r ->> 'deferredUntil')::timestamptz,
        now() + make_interval(secs => (r ->> 'queueSeconds')::float8), r ->> 'by'
      from task
    ), label as (
      insert into cmo_job_labels (tenant, key, value, job_id)
      select owner, key, value, id from task, jsonb_each_text(r -> 'spec' -> 'labels') as label (key, value)
    ), event as (
      insert into feed_events (tenant, kind, subject, revision, data)
      select owner, 'job.queued', id, 1, jsonb_build_object('from', null, 'to', 'queued', 'who', r ->> 'by')
      from task order by position, index
    ), dirty as (
      insert into feed_dirty (kind, key) select 'job', id from task
    )
    select accepted.position from accepted;
  end loop;
end
$$;
revoke execute on function cmo_submit_jobs from public;
grant execute on function cmo_submit_jobs to solyx_app, solyx_system;
