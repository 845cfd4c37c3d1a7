-- What belongs to no tenant has no row-level security, so a request must not be able to write it: it reads these tables, and
-- whatever changes them enters as the system, after it was checked who asks. A mistake in a query of a request then fails
-- instead of renaming a site for everybody.
revoke insert, update, delete on cmo_tenants, drm_sites, drm_nodes, drm_devices, drm_heartbeats, drm_samples, drm_rollups
  from solyx_app;

-- Leases of the orchestrator's processes: no request has business with them.
revoke all on cmo_owners from solyx_app;
