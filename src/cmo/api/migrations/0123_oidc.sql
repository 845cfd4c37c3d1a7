-- Sign-in by an OpenID provider: which of its subjects are which users, and sign-ins under way.

-- A person's subject at an issuer: verified once, then the link; an address may change hands, a subject never does.
create table cmo_identities (
  tenant     text not null references cmo_tenants (id),
  user_id    text not null,
  issuer     text not null check (length(issuer) between 1 and 500),
  subject    text not null check (length(subject) between 1 and 255),
  created_at timestamptz not null default now(),
  primary key (tenant, issuer, subject),
  unique (tenant, user_id, issuer),
  foreign key (tenant, user_id) references cmo_users (tenant, id)
);
create index cmo_identities_of_person on cmo_identities (issuer, subject);
select solyx_tenant_policies('cmo_identities');

-- A sign-in between leaving for the provider and coming back: nobody is signed in yet, so it has no tenant and no request
-- may look at it. What stays in the browser is a cookie whose hash is here; state, nonce and verifier never leave the server.
create table cmo_oidc_attempts (
  browser_hash  bytea primary key,
  state         text not null,
  nonce         text not null,
  code_verifier text not null,
  -- invitation that is accepted by it
  invite_hash   bytea,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null
);
create index cmo_oidc_attempts_by_end on cmo_oidc_attempts (expires_at);
revoke all on cmo_oidc_attempts from solyx_app;
