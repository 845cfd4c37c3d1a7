-- One-time links: signing in on another device, and invitations. Only the hash of the token is kept.
create table cmo_links (
  id         text primary key,
  tenant     text not null references cmo_tenants (id),
  kind       text not null check (kind in ('login', 'invite')),
  hash       bytea not null unique,
  -- whom it signs in
  user_id    text,
  -- login: the API key that the session will hang on
  made_by    text,
  -- what using it proves: having been handed it, or reading the mail of an address
  proof      text not null check (proof in ('link', 'email')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at    timestamptz,
  revoked_at timestamptz,
  check (user_id is not null or made_by is not null),
  foreign key (tenant, user_id) references cmo_users (tenant, id)
);
create index cmo_links_by_user on cmo_links (user_id) where user_id is not null;
create index cmo_links_by_end on cmo_links (expires_at);
select solyx_tenant_policies('cmo_links');
