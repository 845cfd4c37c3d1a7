/**
 * Sessions as rows: which gateway holds a node's socket, until when, and what the node had on disk at its hello.
 */
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import type { Hello } from './session.ts';

/** A session that was not renewed for so long is nobody's, seconds. */
export const leaseSeconds = 20;

export interface SessionIdentity {
  readonly nodeId: string;
  readonly sessionId: string;
  readonly keyId: string;
}

/** Makes this the node's session; one before it is replaced. */
export async function takeSession(
  tx: Transaction,
  session: SessionIdentity & { readonly gatewayId: string; readonly hello: Hello },
): Promise<void> {
  await tx.query(
    `insert into metapod_sessions as s (node_id, session_id, gateway_id, protocol, lease_until, attempts)
     values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6)
     on conflict (node_id) do update set session_id = excluded.session_id, gateway_id = excluded.gateway_id,
       protocol = excluded.protocol, connected_at = now(), lease_until = excluded.lease_until,
       attempts = excluded.attempts`,
    [
      session.nodeId,
      session.sessionId,
      session.gatewayId,
      session.hello.protocol,
      leaseSeconds,
      JSON.stringify(session.hello.attempts),
    ],
  );
}

/**
 * Renews leases.
 * @returns by node id: `kept`, or `revoked` when its token or the node is no longer valid; replaced ones are left out
 */
export async function renewSessions(
  db: Queryable,
  sessions: readonly SessionIdentity[],
): Promise<Map<string, 'kept' | 'revoked'>> {
  const { rows } = await db.query<{ node_id: string; valid: boolean }>(
    `update metapod_sessions s set lease_until = now() + make_interval(secs => $4)
     from unnest($1::text[], $2::text[], $3::text[]) as mine (node_id, session_id, key_id)
     join drm_nodes n on n.id = mine.node_id
     left join cmo_api_keys k on k.id = mine.key_id
     where s.node_id = mine.node_id and s.session_id = mine.session_id
     returning s.node_id, coalesce(n.presence <> 'removed' and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > now()) and k.id is not null, false) as valid`,
    [
      sessions.map((session) => session.nodeId),
      sessions.map((session) => session.sessionId),
      sessions.map((session) => session.keyId),
      leaseSeconds,
    ],
  );
  return new Map(rows.map((row) => [row.node_id, row.valid ? 'kept' : 'revoked']));
}

/** Gives up every session of a gateway that stops. */
export async function dropSessions(db: Queryable, gatewayId: string): Promise<void> {
  await db.query('delete from metapod_sessions where gateway_id = $1', [gatewayId]);
}
