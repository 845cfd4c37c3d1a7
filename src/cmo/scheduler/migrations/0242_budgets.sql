-- What accounts may spend in a day or month, beside how much they may hold; and a reason for jobs that wait for the next one.

create table cmo_budgets (
  account text not null,
  tenant  text not null,
  kind    text not null check (kind in ('usd', 'kwh')),
  -- of the calendar, in UTC
  period  text not null check (period in ('day', 'month')),
  -- micro-dollars or watt-hours
  amount  bigint not null check (amount >= 0),
  -- whether running work ends when it is used up
  stops   boolean not null default false,
  -- what was spent in the period that began at `since`, as of when it was counted last; each minute by whichever scheduler comes first
  spent   bigint not null default 0 check (spent >= 0),
  since   timestamptz not null default '-infinity',
  primary key (account, kind, period),
  foreign key (tenant, account) references cmo_accounts (tenant, id) on delete cascade
);
select solyx_tenant_policies('cmo_budgets');
revoke insert, update, delete on cmo_budgets from solyx_app;

alter table cmo_jobs drop constraint cmo_jobs_pending_reason_check;
alter table cmo_jobs add constraint cmo_jobs_pending_reason_check check (pending_reason in (
  'new', 'earliest_start', 'retry_backoff', 'no_matching_node', 'insufficient_capacity', 'nodes_unavailable', 'price_above_limit',
  'placement_rule', 'behind_others', 'reserved_for_others', 'capacity_taken', 'quota_exhausted', 'limit_reached', 'budget_exhausted',
  'waits_for_fair_share', 'waits_for_preempted', 'waits_for_jobs')) not valid;
alter table cmo_jobs validate constraint cmo_jobs_pending_reason_check;
