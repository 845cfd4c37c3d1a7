-- Inserting a job locked the row of its project and that of its tenant, and every label locked the job: with many at once they all met on
-- the same two rows, and a quarter of what an insert cost was those checks. Projects and tenants are never deleted, and labels
-- are written by the statement that writes their job; so one look a statement is enough.
alter table cmo_jobs drop constraint cmo_jobs_tenant_fkey;
alter table cmo_jobs drop constraint cmo_jobs_tenant_project_fkey;
alter table cmo_job_labels drop constraint cmo_job_labels_tenant_job_id_fkey;

create function cmo_jobs_have_projects() returns trigger language plpgsql as $$
begin
  if exists (
    select from (select distinct tenant, project from added) as a
    where not exists (select from cmo_projects p where p.tenant = a.tenant and p.id = a.project)
  ) then
    raise foreign_key_violation using message = 'a job of a project that its tenant does not have';
  end if;
  return null;
end
$$;
create trigger cmo_jobs_have_projects after insert on cmo_jobs
  referencing new table as added for each statement execute function cmo_jobs_have_projects();

-- The other half of the constraint, should projects ever become deletable.
create function cmo_projects_keep_jobs() returns trigger language plpgsql as $$
begin
  if exists (select from cmo_jobs j where j.tenant = old.tenant and j.project = old.id) then
    raise foreign_key_violation using message = 'the project has jobs';
  end if;
  return old;
end
$$;
create trigger cmo_projects_keep_jobs before delete on cmo_projects
  for each row execute function cmo_projects_keep_jobs();
