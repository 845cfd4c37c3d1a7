-- Signed heads of the audit log. The signing key is sealed by the secret store's key, which no database holds: whoever can write
-- here, the database's owner included, can break a chain but not sign another one.

create table audit_signing_keys (
  public_key bytea primary key,
  sealed     bytea not null,
  created_at timestamptz not null default now(),
  -- one at a time
  active     boolean not null default true
);
create unique index audit_signing_keys_one on audit_signing_keys (active) where active;
revoke all on audit_signing_keys from solyx_app;

create table audit_seals (
  tenant     text not null,
  sequence   bigint not null check (sequence >= 1),
  hash       bytea not null check (length(hash) = 32),
  at         timestamptz(3) not null,
  public_key bytea not null,
  signature  bytea not null check (length(signature) = 64),
  primary key (tenant, sequence)
);
select solyx_tenant_policies('audit_seals');
create trigger audit_seals_append_only before update or delete on audit_seals
  for each row execute function audit_refuse();
revoke insert, update, delete on audit_seals from solyx_app;
revoke update, delete on audit_seals from solyx_system;
