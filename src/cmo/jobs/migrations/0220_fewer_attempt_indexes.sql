-- `unique (job_id, number)` gives the attempts of a job in order as well. And a check of a foreign key to (tenant, id) that was planned
-- while the table was empty took this index, and then read all attempts of the tenant for every row.
drop index cmo_attempts_by_tenant;
