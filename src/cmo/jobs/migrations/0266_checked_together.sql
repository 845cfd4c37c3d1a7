-- As 0265, of attempts and their ranks: each was checked by a query of its own, which also locked the row that it found.
alter table cmo_attempts drop constraint cmo_attempts_tenant_job_id_fkey;
alter table cmo_attempt_ranks drop constraint cmo_attempt_ranks_tenant_attempt_id_fkey;
-- Was there to be named by keys, and written by every version of an attempt. Who has metrics names the attempt by its id; the tenant
-- is read from the attempt's own row.
alter table metapod_metric_attempts drop constraint metapod_metric_attempts_tenant_attempt_id_fkey;
alter table metapod_metric_attempts add foreign key (attempt_id) references cmo_attempts (id) on delete cascade;
alter table cmo_attempts drop constraint cmo_attempts_tenant_id_key;

create function cmo_attempts_have_jobs() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added where (select true from cmo_jobs j where j.id = added.job_id and j.tenant = added.tenant) is null
  ) then
    raise foreign_key_violation using message = 'an attempt of a job that its tenant does not have';
  end if;
  return null;
end
$$;
create trigger cmo_attempts_have_jobs after insert on cmo_attempts
  referencing new table as added for each statement execute function cmo_attempts_have_jobs();

create function cmo_attempt_ranks_have_attempts() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added
    where (select true from cmo_attempts a where a.id = added.attempt_id and a.tenant = added.tenant) is null
  ) then
    raise foreign_key_violation using message = 'a rank of an attempt that its tenant does not have';
  end if;
  return null;
end
$$;
create trigger cmo_attempt_ranks_have_attempts after insert on cmo_attempt_ranks
  referencing new table as added for each statement execute function cmo_attempt_ranks_have_attempts();

-- The other half of the constraints: what is named stays.
create function cmo_keep_what_is_named() returns trigger language plpgsql as $$
declare
  named boolean;
begin
  if tg_table_name = 'cmo_jobs' then
    select true into named from cmo_attempts where job_id = old.id limit 1;
  else
    named := exists (select from cmo_attempt_ranks where attempt_id = old.id)
      or exists (select from drm_allocations where attempt_id = old.id);
  end if;
  if named then
    raise foreign_key_violation using message = format('a row of %s is named by others', tg_table_name);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger cmo_keep_what_is_named before delete or update of id, tenant on cmo_jobs
  for each row execute function cmo_keep_what_is_named();
create trigger cmo_keep_what_is_named before delete or update of id, tenant on cmo_attempts
  for each row execute function cmo_keep_what_is_named();
