-- New events are found by their transactions alone, and the tenants picked out of these: by tenant and transaction together, a
-- look cost a descent of the index for each tenant that somebody watches and each transaction that was open, thirty
-- times a second. The tenant is compared in a way that no index on it serves.
create or replace function feed_unseen_subjects(seen pg_snapshot, tenants text[])
returns table (tenant text, subject text, revision bigint, at_ms float8)
language sql stable set enable_seqscan = off as $$
  select e.tenant, e.subject, max(e.revision), extract(epoch from min(e.at))::float8 * 1000 from feed_events e
  where tenants @> array[e.tenant] and (e.xid >= pg_snapshot_xmax(seen) or e.xid = any(array(select pg_snapshot_xip(seen))))
  group by e.tenant, e.subject
$$;
