-- `unique (tenant, id)` gives the newest of a tenant's jobs as well as cmo_jobs_by_tenant did, read backwards; each new job, and each change
-- of its state, wrote both.
drop index cmo_jobs_by_tenant;
