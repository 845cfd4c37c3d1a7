/** What operators do with nodes: give them no new work, empty them, take them out. All of it may be repeated. */
import type { NodePresence, NodeScheduling } from '../../common/contract/states/node.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { recordNodeChanges } from './changes.ts';

interface LockedNode {
  readonly presence: NodePresence;
  readonly scheduling: NodeScheduling;
}

/**
 * Opens a node for new work, closes it (`cordoned`: what runs goes on), or empties it (`draining`).
 * Wake `scheduler` and `orchestrator` after the commit.
 *
 * @param who the key that asked, for the event
 * @returns whether anything changed
 * @throws SolyxError `not_found`, `conflict` when the node was removed
 */
export async function setScheduling(
  tx: Transaction,
  nodeId: string,
  scheduling: NodeScheduling,
  who: string,
): Promise<boolean> {
  const node = await lockNode(tx, nodeId);
  if (node.presence === 'removed') throw new SolyxError('conflict', { detail: `Node ${nodeId} was removed.` });
  if (node.scheduling === scheduling) return false;
  const { rows } = await tx.query<{ revision: bigint }>(
    'update drm_nodes set scheduling = $2, revision = revision + 1, updated_at = now() where id = $1 returning revision',
    [nodeId, scheduling],
  );
  const revision = rows[0]!.revision;
  await recordNodeChanges(tx, 'scheduling', [{ nodeId, revision, from: node.scheduling, to: scheduling, who }]);
  return true;
}

/**
 * Takes a node out for good; its name becomes free. With `poweredOff` the operator vouches that nothing runs there any more, and
 * the orchestrator, who finds the node removed, ends its attempts as node-lost. Wake it after the commit.
 *
 * @returns whether anything changed
 * @throws SolyxError `not_found`, `node_in_use` while it holds allocations and is not said to be powered off
 */
export async function removeNode(
  tx: Transaction,
  nodeId: string,
  { poweredOff }: { readonly poweredOff: boolean },
  who: string,
): Promise<boolean> {
  const node = await lockNode(tx, nodeId);
  if (node.presence === 'removed') return false;
  const held = await tx.query<{ n: number }>(
    'select count(distinct allocation_id)::int as n from drm_allocation_nodes where node_id = $1 and not released',
    [nodeId],
  );
  const holds = held.rows[0]!.n;
  if (holds > 0 && !poweredOff) {
    throw new SolyxError('node_in_use', {
      detail: `Node ${nodeId} holds ${holds} allocation${holds === 1 ? '' : 's'}.`,
    });
  }
  const { rows } = await tx.query<{ revision: bigint }>(
    `update drm_nodes set presence = 'removed', revision = revision + 1, updated_at = now()
     where id = $1 returning revision`,
    [nodeId],
  );
  await tx.query('delete from drm_samples where node_id = $1', [nodeId]);
  const why = poweredOff ? 'an operator says that it is powered off' : 'an operator removed it empty';
  const revision = rows[0]!.revision;
  await recordNodeChanges(tx, 'presence', [{ nodeId, revision, from: node.presence, to: 'removed', who, why }]);
  return true;
}

async function lockNode(tx: Transaction, nodeId: string): Promise<LockedNode> {
  const { rows } = await tx.query<LockedNode>(
    'select presence, scheduling from drm_nodes where id = $1 for no key update',
    [nodeId],
  );
  if (!rows[0]) throw new SolyxError('not_found', { detail: `There is no node ${nodeId}.` });
  return rows[0];
}
