-- A reason for jobs that free nodes would hold, were they not reserved.

alter table cmo_jobs drop constraint cmo_jobs_pending_reason_check;
alter table cmo_jobs add constraint cmo_jobs_pending_reason_check check (pending_reason in (
  'new', 'earliest_start', 'retry_backoff', 'no_matching_node', 'insufficient_capacity', 'nodes_unavailable', 'price_above_limit',
  'placement_rule', 'behind_others', 'reserved_for_others', 'capacity_taken', 'quota_exhausted', 'limit_reached',
  'waits_for_fair_share', 'waits_for_preempted', 'waits_for_jobs')) not valid;
alter table cmo_jobs validate constraint cmo_jobs_pending_reason_check;
