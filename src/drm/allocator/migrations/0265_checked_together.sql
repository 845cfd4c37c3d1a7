-- Every placement writes a row each of allocations, their nodes and their devices, and the foreign keys of each were checked by a query of their own,
-- which also locked the row that it found: a quarter of what a commit cost the database. A statement's rows are looked at together now,
-- by key whatever the planner thinks; what is missing is refused as before. Nothing that they name is ever deleted, and the triggers
-- at the end keep it so.

alter table drm_allocations drop constraint drm_allocations_tenant_attempt_id_fkey;
alter table drm_allocation_nodes drop constraint drm_allocation_nodes_tenant_allocation_id_fkey;
alter table drm_allocation_nodes drop constraint drm_allocation_nodes_node_id_fkey;
alter table drm_allocation_devices drop constraint drm_allocation_devices_allocation_id_rank_fkey;
alter table drm_allocation_devices drop constraint drm_allocation_devices_device_id_fkey;
-- Was there to be named by those keys.
alter table drm_allocations drop constraint drm_allocations_tenant_id_key;
-- Nothing asks for it: who holds a whole device is found by `drm_allocation_devices_whole`, shares by their allocation.
drop index drm_allocation_devices_live;

create function drm_allocations_have_attempts() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added
    where (select true from cmo_attempts a where a.id = added.attempt_id and a.tenant = added.tenant) is null
  ) then
    raise foreign_key_violation using message = 'an allocation of an attempt that its tenant does not have';
  end if;
  return null;
end
$$;
create trigger drm_allocations_have_attempts after insert on drm_allocations
  referencing new table as added for each statement execute function drm_allocations_have_attempts();

create function drm_allocation_nodes_have_both() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added
    where (select true from drm_allocations a where a.id = added.allocation_id and a.tenant = added.tenant) is null
       or (select true from drm_nodes n where n.id = added.node_id) is null
  ) then
    raise foreign_key_violation using message = 'a part of an allocation, or on a node, that does not exist';
  end if;
  return null;
end
$$;
create trigger drm_allocation_nodes_have_both after insert on drm_allocation_nodes
  referencing new table as added for each statement execute function drm_allocation_nodes_have_both();

create function drm_allocation_devices_have_both() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (
    select from added
    where (select true from drm_allocation_nodes n
           where n.allocation_id = added.allocation_id and n.rank = added.rank and n.tenant = added.tenant) is null
       or (select true from drm_devices d where d.id = added.device_id) is null
  ) then
    raise foreign_key_violation using message = 'a device for a rank, or a device, that does not exist';
  end if;
  return null;
end
$$;
create trigger drm_allocation_devices_have_both after insert on drm_allocation_devices
  referencing new table as added for each statement execute function drm_allocation_devices_have_both();

-- The other half of the constraints: what is named stays.
create function drm_keep_what_is_held() returns trigger language plpgsql as $$
declare
  held boolean;
begin
  case tg_table_name
    when 'drm_allocations' then select true into held from drm_allocation_nodes where allocation_id = old.id limit 1;
    when 'drm_allocation_nodes' then
      select true into held from drm_allocation_devices where allocation_id = old.allocation_id and rank = old.rank limit 1;
    when 'drm_nodes' then select true into held from drm_allocation_nodes where node_id = old.id limit 1;
    else select true into held from drm_allocation_devices where device_id = old.id limit 1;
  end case;
  if held then
    raise foreign_key_violation using message = format('a row of %s is named by an allocation', tg_table_name);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger drm_keep_what_is_held before delete or update of id, tenant on drm_allocations
  for each row execute function drm_keep_what_is_held();
create trigger drm_keep_what_is_held before delete or update of allocation_id, rank on drm_allocation_nodes
  for each row execute function drm_keep_what_is_held();
create trigger drm_keep_what_is_held before delete or update of id on drm_nodes
  for each row execute function drm_keep_what_is_held();
create trigger drm_keep_what_is_held before delete or update of id on drm_devices
  for each row execute function drm_keep_what_is_held();
