-- Tickets that open one WebSocket, once, within a minute. They are rows, so that a ticket of one replica opens a socket at
-- another. Only the SHA-256 is kept; taking a ticket deletes its row.
create table cmo_live_tickets (
  hash       bytea primary key,
  tenant     text not null references cmo_tenants (id),
  -- who asked; the socket has the rights of this key and dies with it
  key_id     text not null,
  purpose    text not null check (purpose in ('live', 'exec', 'forward')),
  about      jsonb not null default '{}',
  expires_at timestamptz not null
);
create index cmo_live_tickets_by_expiry on cmo_live_tickets (expires_at);
create index cmo_live_tickets_by_key on cmo_live_tickets (tenant, key_id);
select solyx_tenant_policies('cmo_live_tickets');
