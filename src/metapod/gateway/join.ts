/**
 * How a machine becomes a node: a join token, which an operator made for a site, is exchanged for the node's own.
 *
 * The answer may be lost on its way, so an installation that joins again with the same token is the same node: it gets
 * a new token of its own, the old one ends, and the join token is not used up a second time.
 */
import type { z } from 'zod';
import { recordAudit } from '../../common/audit/index.ts';
import type { joinRequest, joinResponse } from '../../common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { newId } from '../../common/ids.ts';
import { bearerKey, makeKey } from '../../common/keys.ts';
import { joinNode } from '../../drm/tracker/index.ts';

interface JoinKeyRow {
  id: string;
  tenant: string;
  project: string;
  site_id: string;
  uses_left: number | null;
}

/**
 * Exchanges a join token.
 *
 * @throws SolyxError `join_token_used` when it is unknown, revoked, expired or used up, `already_exists` when another
 *   node of the site has this name
 */
export async function joinWithToken(
  db: Database,
  authorization: string | undefined,
  request: z.infer<typeof joinRequest>,
): Promise<z.infer<typeof joinResponse>> {
  const parsed = bearerKey(authorization);
  if (parsed === undefined || parsed.kind !== 'join') throw new SolyxError('join_token_used');
  const token = makeKey('node');
  return withSystem(db, async (tx) => {
    const key = await lockJoinKey(tx, parsed.hash);
    const { nodeId, isNew } = await joinNode(tx, { siteId: key.site_id, ...request });
    if (isNew) {
      if (key.uses_left === 0) throw new SolyxError('join_token_used');
      await tx.query('update cmo_api_keys set uses_left = uses_left - 1, last_used_at = now() where id = $1', [key.id]);
    } else {
      await tx.query(
        `update cmo_api_keys set revoked_at = now() where node_id = $1 and kind = 'node' and revoked_at is null`,
        [nodeId],
      );
    }
    await tx.query(
      `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash, site_id, node_id)
       values ($1, $2, $3, $4, 'node', 'viewer', $5, $6, $7)`,
      [newId('key'), key.tenant, key.project, `node ${request.name}`, token.hash, key.site_id, nodeId],
    );
    const data = { name: request.name, site: key.site_id, token: key.id, again: !isNew };
    await recordAudit(tx, { system: 'join', tenant: key.tenant, action: 'node.joined', subject: nodeId, data });
    return { nodeId, siteId: key.site_id, token: token.text };
  });
}

/** A used-up key is found too: the node that used it up may ask again. */
async function lockJoinKey(tx: Transaction, hash: Buffer): Promise<JoinKeyRow> {
  const { rows } = await tx.query<JoinKeyRow>(
    `select id, tenant, project, site_id, uses_left from cmo_api_keys
     where hash = $1 and kind = 'join' and site_id is not null and revoked_at is null
       and (expires_at is null or expires_at > now())
     for no key update`,
    [hash],
  );
  if (rows[0] === undefined) throw new SolyxError('join_token_used');
  return rows[0];
}
