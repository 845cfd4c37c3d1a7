-- Now that projects can be deleted, a job that is being inserted and a deletion must not miss each other. Whoever inserts holds a lock that
-- others who insert share, in memory and not on the project's row, where they all would meet (0212); a deletion takes it alone.
create or replace function cmo_jobs_have_projects() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended(a.project, 261)) from (select distinct project from added) as a;
  if exists (
    select from (select distinct tenant, project from added) as a
    where not exists (select from cmo_projects p where p.tenant = a.tenant and p.id = a.project)
  ) then
    raise foreign_key_violation using message = 'a job of a project that its tenant does not have';
  end if;
  return null;
end
$$;

create or replace function cmo_projects_keep_jobs() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(old.id, 261));
  if exists (select from cmo_jobs j where j.tenant = old.tenant and j.project = old.id) then
    raise foreign_key_violation using message = 'the project has jobs', table = 'cmo_jobs';
  end if;
  return old;
end
$$;
