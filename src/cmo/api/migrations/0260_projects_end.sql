-- Projects can be deleted while nothing belongs to them. Shares and quotas are kept without a foreign key (their rows are shared by tenants and
-- users); this is it.
create function cmo_projects_keep_accounts() returns trigger language plpgsql as $$
begin
  if exists (select from cmo_accounts a where a.tenant = old.tenant and a.project = old.id) then
    raise foreign_key_violation using message = 'the project has a share or quota', table = 'cmo_accounts';
  end if;
  return old;
end
$$;
create trigger cmo_projects_keep_accounts before delete on cmo_projects
  for each row execute function cmo_projects_keep_accounts();
