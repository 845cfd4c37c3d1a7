-- A device row names its rank's row, which names the allocation: asking for the allocation again cost as much as writing the row.
alter table drm_allocation_devices drop constraint drm_allocation_devices_tenant_allocation_id_fkey;

-- Counters change with every commit and every release and are in no index: with room on the page only the row is written.
alter table drm_nodes set (fillfactor = 80);
alter table drm_devices set (fillfactor = 80);
