/**
 * Heartbeats: the sign that a node can be reached. One row a node in a table of their own, written in batches, so that five
 * seconds of a large fleet cost a few statements and never touch the rows that commits lock.
 */
import { heartbeatSeconds, missedHeartbeats } from '../../common/contract/agent/protocol.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { recordNodeChanges } from './changes.ts';
import { type NodeSample, writeSamples } from './samples.ts';

/** A node is lost when its last acknowledged heartbeat is this old, seconds. */
export const lostAfterSeconds = heartbeatSeconds * missedHeartbeats;

export interface HeartbeatResult {
  /** Nodes that were lost and are ready again; wake `scheduler` and `orchestrator` after the commit. */
  readonly recovered: readonly string[];
  /** Nodes that have no row or were removed: close their sessions. */
  readonly refused: readonly string[];
}

export interface Heartbeat {
  readonly nodeId: string;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  readonly samples?: readonly NodeSample[];
}

/**
 * Writes heartbeats with their samples by the database's clock; acknowledge them after the commit. A lost node becomes ready again.
 *
 * @param beats at most one a node
 */
export async function recordHeartbeats(tx: Transaction, beats: readonly Heartbeat[]): Promise<HeartbeatResult> {
  if (beats.length === 0) return { recovered: [], refused: [] };
  const { rows } = await tx.query<{ id: string; presence: string }>(
    `select id, presence from drm_nodes where id = any($1::text[]) and presence <> 'removed'`,
    [beats.map(({ nodeId }) => nodeId)],
  );
  const known = new Set(rows.map(({ id }) => id));
  const lost = rows.filter(({ presence }) => presence === 'lost').map(({ id }) => id);
  // Nodes are locked before their heartbeats, as a hello does it.
  const recovered = lost.length === 0 ? [] : await changePresence(tx, lost, 'lost', 'ready', 'its heartbeat is back');
  const taken = beats.filter(({ nodeId }) => known.has(nodeId));
  await tx.query(
    `insert into drm_heartbeats (node_id, boot_id, last_acked_at)
     select id, boot_id, clock_timestamp() from unnest($1::text[], $2::text[]) as beat (id, boot_id) order by id
     on conflict (node_id) do update set boot_id = excluded.boot_id, last_acked_at = excluded.last_acked_at`,
    [taken.map(({ nodeId }) => nodeId), taken.map(({ bootId }) => bootId)],
  );
  await writeSamples(
    tx,
    taken.map(({ nodeId, samples = [] }) => ({ nodeId, samples })),
  );
  return { recovered, refused: beats.map(({ nodeId }) => nodeId).filter((id) => !known.has(id)) };
}

/** Changes the presence of those nodes that still have `from`; returns them. */
export async function changePresence(
  tx: Transaction,
  nodeIds: readonly string[],
  from: 'ready' | 'lost',
  to: 'ready' | 'lost',
  why: string,
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string; revision: bigint }>(
    `with locked as (
       select id from drm_nodes where id = any($1::text[]) and presence = $2 order by id for no key update
     )
     update drm_nodes n set presence = $3, revision = n.revision + 1, updated_at = now()
     from locked where n.id = locked.id returning n.id, n.revision`,
    [nodeIds, from, to],
  );
  await recordNodeChanges(
    tx,
    'presence',
    rows.map(({ id, revision }) => ({ nodeId: id, revision, from, to, who: 'tracker', why })),
  );
  return rows.map(({ id }) => id);
}
