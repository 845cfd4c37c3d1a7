-- Which tenant may read which blob. Content-addressed bytes are shared on disk, but a hash alone opens nothing.

create table blob_objects (
  tenant     text not null,
  hash       text not null check (hash ~ '^[0-9a-f]{64}$'),
  size_bytes bigint not null check (size_bytes >= 0),
  created_at timestamptz not null default now(),
  primary key (tenant, hash)
);
select solyx_tenant_policies('blob_objects');
