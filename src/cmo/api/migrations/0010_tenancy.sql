-- Who asks and who pays: tenants, their projects and API keys.

create table cmo_tenants (
  id         text primary key,
  name       text not null unique,
  -- the operator's tenant may manage sites, nodes and other tenants; ordinary tenants only use them
  operator   boolean not null default false,
  created_at timestamptz not null default now()
);

create table cmo_projects (
  id         text primary key,
  tenant     text not null references cmo_tenants (id),
  name       text not null,
  created_at timestamptz not null default now(),
  unique (tenant, name),
  unique (tenant, id)
);
select solyx_tenant_policies('cmo_projects');

-- A key is 32 random bytes; only its SHA-256 is kept. High entropy needs no slow hash.
create table cmo_api_keys (
  id           text primary key,
  tenant       text not null references cmo_tenants (id),
  project      text not null,
  name         text not null,
  kind         text not null check (kind in ('api', 'join', 'node')),
  role         text not null check (role in ('admin', 'member', 'viewer')),
  hash         bytea not null unique,
  -- join: the site that nodes join; node: the node that the token is bound to
  site_id      text,
  node_id      text,
  uses_left    integer check (uses_left >= 0),
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,
  foreign key (tenant, project) references cmo_projects (tenant, id)
);
create index cmo_api_keys_by_tenant on cmo_api_keys (tenant, id);
create index cmo_api_keys_by_node on cmo_api_keys (node_id) where node_id is not null;
select solyx_tenant_policies('cmo_api_keys');
