-- As 0265, of usage: each interval's job was looked up, and locked, by a query of its own.
alter table billing_usage_intervals drop constraint billing_usage_intervals_tenant_job_id_fkey;

create function billing_usage_has_jobs() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added where (select true from cmo_jobs j where j.id = added.job_id and j.tenant = added.tenant) is null
  ) then
    raise foreign_key_violation using message = 'usage of a job that its tenant does not have';
  end if;
  return null;
end
$$;
create trigger billing_usage_has_jobs after insert on billing_usage_intervals
  referencing new table as added for each statement execute function billing_usage_has_jobs();

-- The other half of the constraint.
create function billing_keep_billed_jobs() returns trigger language plpgsql as $$
begin
  if exists (select from billing_usage_intervals u where u.tenant = old.tenant and u.job_id = old.id) then
    raise foreign_key_violation using message = 'the job has usage';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger billing_keep_billed_jobs before delete or update of id, tenant on cmo_jobs
  for each row execute function billing_keep_billed_jobs();
