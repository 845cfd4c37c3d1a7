/**
 * Who connects: a node's token is a row of `cmo_api_keys` of kind `node`, bound to one node and found by its hash.
 */

import type { Queryable } from '../../common/database/queryable.ts';
import { bearerKey } from '../../common/keys.ts';

export interface NodeIdentity {
  readonly keyId: string;
  readonly nodeId: string;
  readonly siteId: string;
}

export type Authentication =
  | { readonly kind: 'node'; readonly identity: NodeIdentity }
  /** `unauthenticated`: no such token ever · `key_revoked`: revoked, expired, or its node was removed. */
  | { readonly kind: 'refused'; readonly code: 'unauthenticated' | 'key_revoked' };

const refused = (code: 'unauthenticated' | 'key_revoked'): Authentication => ({ kind: 'refused', code });

/** Finds the node of an `Authorization` header. Enters as the system: a node belongs to no tenant. */
export async function authenticateNode(db: Queryable, header: string | undefined): Promise<Authentication> {
  const key = bearerKey(header);
  if (key === undefined || key.kind !== 'node') return refused('unauthenticated');
  const { rows } = await db.query<{ key_id: string; node_id: string; site_id: string; valid: boolean }>(
    `select k.id as key_id, n.id as node_id, n.site_id,
       k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and n.presence <> 'removed' as valid
     from cmo_api_keys k join drm_nodes n on n.id = k.node_id
     where k.hash = $1 and k.kind = 'node'`,
    [key.hash],
  );
  const row = rows[0];
  if (row === undefined) return refused('unauthenticated');
  if (!row.valid) return refused('key_revoked');
  return { kind: 'node', identity: { keyId: row.key_id, nodeId: row.node_id, siteId: row.site_id } };
}
