-- The secret store: values sealed by a data key of their tenant, data keys sealed by a key that no database holds.

create table secret_data_keys (
  id         text primary key,
  -- 'system' for what belongs to no tenant, such as the key that signs the audit log
  tenant     text not null unique check (tenant <> ''),
  -- which key-encryption key wrapped it: the beginning of that key's fingerprint
  kek_id     text not null check (kek_id ~ '^[0-9a-f]{16}$'),
  wrapped    bytea not null check (length(wrapped) = 61),
  created_at timestamptz not null default now(),
  wrapped_at timestamptz not null default now(),
  unique (tenant, id)
);
create index secret_data_keys_by_kek on secret_data_keys (kek_id);
select solyx_tenant_policies('secret_data_keys');

create table secret_values (
  id           text primary key,
  tenant       text not null,
  -- null: for every project of the tenant; a project's own secret of the same name goes before it
  project      text,
  name         text not null check (name ~ '^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$'),
  -- 1, 2, 3 …; 0 only inside the transaction that makes it. A value that was replaced is gone.
  version      integer not null check (version >= 0),
  data_key     text not null,
  sealed       bytea not null check (length(sealed) <= 65600),
  created_at   timestamptz not null default now(),
  created_by   text not null,
  updated_at   timestamptz not null default now(),
  updated_by   text not null,
  last_used_at timestamptz,
  -- the job that was given it last
  last_used_by text,
  unique nulls not distinct (tenant, project, name),
  foreign key (tenant, project) references cmo_projects (tenant, id),
  foreign key (tenant, data_key) references secret_data_keys (tenant, id)
);
create index secret_values_by_tenant on secret_values (tenant, id);
select solyx_tenant_policies('secret_values');
