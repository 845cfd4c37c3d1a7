-- People and programs of a tenant, and browser sessions.

-- One row per tenant and person: whoever works for two tenants has two, with a role in each. A service account is a user
-- that signs in by its own keys only.
create table cmo_users (
  id          text primary key,
  tenant      text not null references cmo_tenants (id),
  -- project of what they submit unless they say otherwise
  project     text not null,
  kind        text not null check (kind in ('person', 'service')),
  name        text not null check (length(name) between 1 and 100),
  email       text check (length(email) between 3 and 254 and email = lower(email)),
  role        text not null check (role in ('admin', 'member', 'viewer')),
  -- null: invited and not yet here
  accepted_at timestamptz,
  disabled_at timestamptz,
  revision    bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  unique (tenant, id),
  foreign key (tenant, project) references cmo_projects (tenant, id),
  check ((kind = 'person') = (email is not null))
);
create unique index cmo_users_by_email on cmo_users (tenant, email) where email is not null;
create unique index cmo_users_service_name on cmo_users (tenant, name) where kind = 'service';
create index cmo_users_of_person on cmo_users (email) where email is not null;
create index cmo_users_by_tenant on cmo_users (tenant, id);
select solyx_tenant_policies('cmo_users');

-- A session is a key that a browser holds in a cookie: it belongs to a user, or to the API key that was shown for it, and
-- dies with them. A person's or program's own API keys carry its user, too.
alter table cmo_api_keys drop constraint cmo_api_keys_kind_check;
alter table cmo_api_keys
  add constraint cmo_api_keys_kind_check check (kind in ('api', 'join', 'node', 'session')),
  add column user_id text,
  -- session: the API key that made it, directly or by a login link
  add column made_by text,
  -- session: ends after so long without a request
  add column idle_seconds integer check (idle_seconds > 0),
  -- session: what the browser called itself
  add column user_agent text check (length(user_agent) <= 300),
  -- session: how it was proved who this is. Other tenants of the same person open by the same proof only.
  add column proof text check (proof in ('key', 'link', 'email', 'oidc')),
  add column proof_issuer text,
  add column proof_subject text,
  add constraint cmo_api_keys_user_fkey foreign key (tenant, user_id) references cmo_users (tenant, id),
  add constraint cmo_api_keys_session_check check (
    (kind = 'session') = (idle_seconds is not null)
    and (kind <> 'session' or (expires_at is not null and proof is not null and (user_id is not null or made_by is not null)))
    and (kind = 'session' or (made_by is null and proof is null))
    and (kind in ('api', 'session') or user_id is null));
create index cmo_api_keys_by_user on cmo_api_keys (user_id, id) where user_id is not null;
create index cmo_api_keys_by_maker on cmo_api_keys (made_by) where made_by is not null;
create index cmo_api_keys_sessions on cmo_api_keys (expires_at) where kind = 'session';
