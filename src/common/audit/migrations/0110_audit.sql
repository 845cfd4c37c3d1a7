-- The audit log: who did what to whom, one hash chain per tenant, never changed and never deleted.

create table audit_heads (
  tenant   text primary key check (tenant <> ''),
  -- the newest entry; 0 and 32 zero bytes before the first
  sequence bigint not null default 0 check (sequence >= 0),
  hash     bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32)
);
select solyx_tenant_policies('audit_heads');

create table audit_entries (
  tenant     text not null,
  -- 1, 2, 3 … without gaps
  sequence   bigint not null check (sequence >= 1),
  -- whole milliseconds, as they are hashed
  at         timestamptz(3) not null,
  actor_kind text not null check (actor_kind in ('key', 'person', 'service', 'system')),
  -- id of the key or user, or name of the part of the system
  actor      text not null check (actor ~ '^[[:print:]]{1,200}$'),
  key_id     text check (key_id ~ '^[[:print:]]{1,200}$'),
  action     text not null check (action ~ '^[a-z][a-z0-9.-]{1,63}$'),
  subject    text not null check (subject ~ '^[[:print:]]{1,200}$'),
  address    text check (address ~ '^[0-9A-Za-z.:%-]{1,64}$'),
  request_id text check (request_id ~ '^[[:print:]]{1,200}$'),
  -- canonical JSON, byte for byte as it was hashed
  data       text not null check (length(data) <= 16384),
  previous   bytea not null check (length(previous) = 32),
  hash       bytea not null check (length(hash) = 32),
  primary key (tenant, sequence)
);
create index audit_entries_by_actor on audit_entries (tenant, actor, sequence);
create index audit_entries_by_action on audit_entries (tenant, action text_pattern_ops, sequence);
create index audit_entries_by_subject on audit_entries (tenant, subject, sequence);
create index audit_entries_by_time on audit_entries (tenant, at, sequence);
select solyx_tenant_policies('audit_entries');

create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'restrict_violation';
end
$$;
create trigger audit_entries_append_only before update or delete on audit_entries
  for each row execute function audit_refuse();
create trigger audit_heads_stay before delete on audit_heads for each row execute function audit_refuse();

create function audit_head_grows() returns trigger language plpgsql as $$
begin
  if new.tenant <> old.tenant or new.sequence <> old.sequence + 1 then
    raise exception 'the head of the audit log only grows' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create trigger audit_heads_grow before update on audit_heads for each row execute function audit_head_grows();

revoke update, delete on audit_entries from solyx_app, solyx_system;
revoke delete on audit_heads from solyx_app, solyx_system;

-- Appends an entry in the caller's transaction: takes the lock of the tenant's head, numbers, chains, hashes.
-- Every hashed part is a line of its own and none can hold a line break, so no two entries have the same text.
create function audit_append(
  entry_tenant text, entry_actor_kind text, entry_actor text, entry_key_id text, entry_action text, entry_subject text,
  entry_address text, entry_request_id text, entry_data text
) returns bigint language plpgsql as $$
declare
  head audit_heads;
  moment timestamptz(3);
  content text;
  digest bytea;
begin
  insert into audit_heads (tenant) values (entry_tenant) on conflict (tenant) do nothing;
  select * into strict head from audit_heads where tenant = entry_tenant for no key update;
  moment := date_trunc('milliseconds', clock_timestamp());
  content := concat_ws(E'\n', 'solyx-audit-1', encode(head.hash, 'hex'), entry_tenant, head.sequence + 1,
    to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), entry_actor_kind, entry_actor,
    coalesce(entry_key_id, '-'), entry_action, entry_subject, coalesce(entry_address, '-'),
    coalesce(entry_request_id, '-'), entry_data);
  digest := sha256(convert_to(content, 'UTF8'));
  insert into audit_entries (tenant, sequence, at, actor_kind, actor, key_id, action, subject, address, request_id, data,
    previous, hash)
  values (entry_tenant, head.sequence + 1, moment, entry_actor_kind, entry_actor, entry_key_id, entry_action,
    entry_subject, entry_address, entry_request_id, entry_data, head.hash, digest);
  update audit_heads set sequence = head.sequence + 1, hash = digest where tenant = entry_tenant;
  return head.sequence + 1;
end
$$;
