-- What collection needs: when a blob was last asked for as something to use, and which chunks a manifest names.

alter table blob_objects add column referenced_at timestamptz not null default now();
create index blob_objects_by_reference on blob_objects (referenced_at);
create index blob_objects_by_hash on blob_objects (hash);

-- Filled from the manifests' own bytes by the collector, before it deletes anything. The database refuses to lose a chunk
-- of a manifest that is there; a manifest that goes takes its list along.
create table blob_parts (
  tenant   text not null,
  manifest text not null,
  hash     text not null,
  primary key (tenant, manifest, hash),
  foreign key (tenant, manifest) references blob_objects (tenant, hash) on delete cascade,
  foreign key (tenant, hash) references blob_objects (tenant, hash)
);
create index blob_parts_by_hash on blob_parts (tenant, hash);
select solyx_tenant_policies('blob_parts');
