-- The helper by which every tenant table gets row-level security, and the two feeds (contracts §2, §7).

-- Enables and forces row-level security and makes the only two policies a tenant table may have.
create function solyx_tenant_policies(target regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format(
    'create policy tenant on %s for all to solyx_app using (tenant = current_setting(''solyx.tenant'', true))'
    || ' with check (tenant = current_setting(''solyx.tenant'', true))', target);
  execute format('create policy system on %s for all to solyx_system using (true) with check (true)', target);
end
$$;
revoke execute on function solyx_tenant_policies from public, solyx_app, solyx_system;

-- The owner migrates and must not be able to see rows; nobody but it may read what was migrated.
revoke all on schema_migrations from solyx_app, solyx_system;
grant select on schema_migrations to solyx_app, solyx_system;

-- Domain events: what happened, for UI, webhooks and audit. Retained; pruned by age.
create table feed_events (
  id bigint generated always as identity primary key,
  -- Written by the default alone; a restore sets it to 0, which every cursor has seen.
  xid xid8 not null default pg_current_xact_id(),
  tenant text not null check (tenant <> ''),
  kind text not null check (kind <> ''),
  -- Id of what it happened to, such as job_…; revision is that row's, and readers apply by it.
  subject text not null,
  revision bigint not null,
  at timestamptz not null default now(),
  data jsonb not null default '{}'
);
create index feed_events_xid on feed_events (xid);
create index feed_events_tenant_xid on feed_events (tenant, xid);
create index feed_events_subject on feed_events (tenant, subject, id);
create index feed_events_at on feed_events (at);
select solyx_tenant_policies('feed_events');

-- Dirty keys: which rows loops should look at again. Six slots of ten minutes by the clock of the write; a slot is truncated when
-- its youngest row is old, which costs nothing, unlike deleting.
create table feed_dirty (
  slot smallint not null default (extract(epoch from clock_timestamp())::bigint / 600) % 6,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  kind text not null,
  key text not null
) partition by list (slot);
create table feed_dirty_0 partition of feed_dirty for values in (0);
create table feed_dirty_1 partition of feed_dirty for values in (1);
create table feed_dirty_2 partition of feed_dirty for values in (2);
create table feed_dirty_3 partition of feed_dirty for values in (3);
create table feed_dirty_4 partition of feed_dirty for values in (4);
create table feed_dirty_5 partition of feed_dirty for values in (5);
create index feed_dirty_xid on feed_dirty (xid);

-- Up to where each feed has been thrown away: a reader that had not seen all of it reads everything again.
create table feed_horizons (
  feed text primary key check (feed in ('dirty', 'events')),
  -- Greatest transaction whose rows were thrown away.
  xid xid8 not null default '0',
  -- What had ended by then: a transaction still open at that time cannot have lost rows.
  snapshot pg_snapshot not null default '1:1:'
);
insert into feed_horizons (feed) values ('dirty'), ('events');

-- Keys name rows of all tenants: requests may add them and not read them.
revoke all on feed_dirty, feed_dirty_0, feed_dirty_1, feed_dirty_2, feed_dirty_3, feed_dirty_4, feed_dirty_5, feed_horizons
  from solyx_app;
grant insert on feed_dirty to solyx_app;
grant select on feed_horizons to solyx_app;
grant truncate on feed_dirty_0, feed_dirty_1, feed_dirty_2, feed_dirty_3, feed_dirty_4, feed_dirty_5 to solyx_system;
