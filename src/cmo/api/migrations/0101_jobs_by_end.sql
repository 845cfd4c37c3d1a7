-- How many of a tenant's jobs ended since an instant, and how.
create index cmo_jobs_by_end on cmo_jobs (tenant, state, ended_at) where ended_at is not null;
