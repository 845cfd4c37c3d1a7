-- What a tenant used since an instant, and what is open now: intervals by their end, open ones (null) last.
create index billing_usage_by_end on billing_usage_intervals (tenant, ended_at);
