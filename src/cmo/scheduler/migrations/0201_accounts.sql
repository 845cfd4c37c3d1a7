-- Who shares the fleet, how, and what each has used. A tenant without a row has weight 1 and no quota; projects of a tenant share among
-- themselves only when one of them has a row, and so do users of a project.

create table cmo_accounts (
  -- tenant, tenant/project or tenant/project/user
  id            text primary key,
  tenant        text not null references cmo_tenants (id),
  project       text,
  -- who submits: id of a user or key
  user_id       text,
  weight        double precision not null default 1 check (weight > 0 and weight < 'infinity'),
  -- most jobs that hold something, and most devices in thousandths, at a time; null: no limit
  running_jobs  integer check (running_jobs >= 0),
  devices_milli bigint check (devices_milli >= 0),
  revision      bigint not null default 1,
  check (id = concat_ws('/', tenant, project, user_id)),
  check (user_id is null or project is not null),
  unique (tenant, id)
);
select solyx_tenant_policies('cmo_accounts');

create table cmo_quotas (
  account          text not null,
  tenant           text not null,
  -- cpu, gpu, tpu, fpga, or one model like gpu/H100
  resource         text not null check (resource ~ '^(cpu|(gpu|tpu|fpga)(/.+)?)$'),
  -- thousandths of cores or devices
  guaranteed_milli bigint not null default 0 check (guaranteed_milli >= 0),
  -- how much more may be used while others leave it; null: as much as there is
  borrow_milli     bigint check (borrow_milli >= 0),
  primary key (account, resource),
  foreign key (tenant, account) references cmo_accounts (tenant, id) on delete cascade
);
create unique index cmo_quotas_by_class on cmo_quotas (account, lower(resource));
select solyx_tenant_policies('cmo_quotas');

-- Past use, halved every half-life: resource-seconds as of `at`. Kept up by whichever scheduler comes first each minute.
create table cmo_account_use (
  account text primary key,
  tenant  text not null,
  cpu     double precision not null,
  memory  double precision not null,
  gpu     double precision not null,
  tpu     double precision not null,
  fpga    double precision not null,
  at      timestamptz not null
);
create index cmo_account_use_by_age on cmo_account_use (at);
select solyx_tenant_policies('cmo_account_use');

-- Tenants see what holds for them; only operators set it.
revoke insert, update, delete on cmo_accounts, cmo_quotas, cmo_account_use from solyx_app;
