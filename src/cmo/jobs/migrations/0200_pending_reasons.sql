-- Reasons to wait that come with quotas, fair shares and preemption. The old rows hold the new check already, so it is only checked beside work.
alter table cmo_jobs drop constraint cmo_jobs_pending_reason_check;
alter table cmo_jobs add constraint cmo_jobs_pending_reason_check check (pending_reason in (
  'new', 'earliest_start', 'retry_backoff', 'no_matching_node', 'insufficient_capacity', 'nodes_unavailable', 'price_above_limit',
  'behind_others', 'capacity_taken', 'quota_exhausted', 'limit_reached', 'waits_for_fair_share', 'waits_for_preempted')) not valid;
alter table cmo_jobs validate constraint cmo_jobs_pending_reason_check;
