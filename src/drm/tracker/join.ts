/**
 * How a node comes to have a row: by joining with a token (then it has a name and nothing else), and by its hello.
 *
 * Both may be repeated at will: a node that says the same again changes nothing, raises no revision and wakes nobody.
 */
import type { WireInventory } from '../../common/contract/agent/protocol.ts';
import type { NodePresence } from '../../common/contract/states/node.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { newId } from '../../common/ids.ts';
import { sameJson, setNodeShape } from '../allocator/index.ts';
import { recordNodeChanges } from './changes.ts';

export interface JoiningNode {
  readonly siteId: string;
  readonly name: string;
  /** Made by the node once; the same installation that joins again is the same node. Without it every join is a new one. */
  readonly installationId?: string | undefined;
}

/**
 * Gives a node its id; presence `joining` until its hello.
 *
 * @throws SolyxError `not_found` without such a site, `already_exists` when another installation has that name there
 */
export async function joinNode(tx: Transaction, node: JoiningNode): Promise<{ nodeId: string; isNew: boolean }> {
  const backend = await backendOf(tx, node.siteId);
  const inserted = await tx.query<{ id: string; revision: bigint }>(
    `insert into drm_nodes (id, site_id, name, backend, installation_id) values ($1, $2, $3, $4, $5)
     on conflict (site_id, name) where presence <> 'removed' do nothing returning id, revision`,
    [newId('node'), node.siteId, node.name, backend, node.installationId ?? null],
  );
  const row = inserted.rows[0];
  if (row) {
    await recordNodeChanges(tx, 'presence', [
      { nodeId: row.id, revision: row.revision, from: null, to: 'joining', who: 'join' },
    ]);
    return { nodeId: row.id, isNew: true };
  }
  const { rows } = await tx.query<{ id: string; installation_id: string | null }>(
    `select id, installation_id from drm_nodes where site_id = $1 and name = $2 and presence <> 'removed'`,
    [node.siteId, node.name],
  );
  const same = node.installationId !== undefined && rows[0]?.installation_id === node.installationId;
  if (rows[0] && same) return { nodeId: rows[0].id, isNew: false };
  throw new SolyxError('already_exists', { detail: `Another node of this site is called ${node.name}.` });
}

export interface RegisteringNode {
  readonly nodeId: string;
  /** Needed only by a node that never joined. */
  readonly siteId?: string;
  /** Default: the name that it joined with, or else that of the inventory. */
  readonly name?: string;
  /** Changes with every boot of the machine. */
  readonly bootId?: string;
  readonly agentVersion?: string;
  readonly inventory: WireInventory;
}

interface NodeRow {
  readonly siteId: string;
  readonly name: string;
  readonly presence: NodePresence;
  readonly isolation: string[];
  readonly hostNetwork: boolean;
  readonly labels: unknown;
  readonly facts: unknown;
}

/**
 * Takes over a node's hello or a new inventory: the row is made if need be, presence becomes ready, devices are matched by uuid.
 * Wake `scheduler` and `orchestrator` after the commit when something changed.
 *
 * @throws SolyxError `not_found` without such a node or site, `already_exists` when another node of the site has that name,
 *   `conflict` when the node was removed or belongs to another site
 */
export async function registerNode(tx: Transaction, node: RegisteringNode): Promise<{ changed: boolean }> {
  const before = await lockNodeRow(tx, node.nodeId);
  const siteId = before?.siteId ?? node.siteId;
  if (siteId === undefined) throw new SolyxError('not_found', { detail: `Node ${node.nodeId} never joined.` });
  if (before?.presence === 'removed') {
    throw new SolyxError('conflict', { detail: `Node ${node.nodeId} was removed; it has to join again.` });
  }
  if (node.siteId !== undefined && node.siteId !== siteId) {
    throw new SolyxError('conflict', { detail: `Node ${node.nodeId} belongs to site ${siteId}.` });
  }
  const next = describe(node, siteId, node.name ?? before?.name ?? node.inventory.name);
  if (!before) await insertNode(tx, node.nodeId, siteId, next.name);
  const shape = await setNodeShape(tx, node.nodeId, node.inventory);
  const came = before?.presence !== 'ready';
  await markHeard(tx, node.nodeId, node.bootId ?? '');
  if (!came && !shape.changed && sameJson(before, { ...next, presence: 'ready' })) return { changed: false };

  const { rows } = await tx
    .query<{ revision: bigint }>(
      `update drm_nodes set presence = 'ready', name = $2, isolation = $3, host_network = $4, labels = $5, facts = $6,
       revision = revision + 1, updated_at = now()
     where id = $1 returning revision`,
      [
        node.nodeId,
        next.name,
        next.isolation,
        next.hostNetwork,
        JSON.stringify(next.labels),
        JSON.stringify(next.facts),
      ],
    )
    .catch(refuseName(next.name));
  const revision = rows[0]!.revision;
  await recordNodeChanges(tx, came ? 'presence' : 'inventory', [
    {
      nodeId: node.nodeId,
      revision,
      from: came ? (before?.presence ?? null) : null,
      to: came ? 'ready' : 'changed',
      who: 'agent',
      ...(came && { why: 'it said hello' }),
    },
  ]);
  return { changed: true };
}

/** What is compared and stored of a node, apart from its shape. */
function describe(
  { inventory, agentVersion }: RegisteringNode,
  siteId: string,
  name: string,
): Omit<NodeRow, 'presence'> {
  return {
    siteId,
    name,
    isolation: [...inventory.isolation],
    hostNetwork: inventory.hostNetwork,
    labels: inventory.labels,
    facts: {
      ...inventory.facts,
      isolationMissing: inventory.isolationMissing,
      ...(agentVersion !== undefined && { agentVersion }),
    },
  };
}

async function lockNodeRow(tx: Transaction, nodeId: string): Promise<NodeRow | undefined> {
  const { rows } = await tx.query<NodeRow>(
    `select site_id as "siteId", name, presence, isolation, host_network as "hostNetwork", labels, facts
     from drm_nodes where id = $1 for no key update`,
    [nodeId],
  );
  return rows[0];
}

async function insertNode(tx: Transaction, nodeId: string, siteId: string, name: string): Promise<void> {
  const backend = await backendOf(tx, siteId);
  await tx
    .query('insert into drm_nodes (id, site_id, name, backend) values ($1, $2, $3, $4)', [
      nodeId,
      siteId,
      name,
      backend,
    ])
    .catch(refuseName(name));
}

/**
 * A node that came back must not be lost by its last heartbeat of before. Nor may one that was away unnoticed, with the
 * control plane: it counts a start that it is given now from now, and so must whoever waits to replace it. A later
 * instant only delays successors.
 */
async function markHeard(tx: Transaction, nodeId: string, bootId: string): Promise<void> {
  await tx.query(
    `insert into drm_heartbeats (node_id, boot_id, last_acked_at) values ($1, $2, clock_timestamp())
     on conflict (node_id) do update set boot_id = excluded.boot_id, last_acked_at = excluded.last_acked_at`,
    [nodeId, bootId],
  );
}

async function backendOf(tx: Transaction, siteId: string): Promise<string> {
  const { rows } = await tx.query<{ backend: string }>('select backend from drm_sites where id = $1', [siteId]);
  if (!rows[0]) throw new SolyxError('not_found', { detail: `There is no site ${siteId}.` });
  return rows[0].backend;
}

/** Turns the refusal of the unique index on names into what a person can act on. */
function refuseName(name: string): (error: unknown) => never {
  return (error) => {
    const { code, constraint } = error as { code?: string; constraint?: string };
    if (code !== '23505' || constraint !== 'drm_nodes_name') throw error;
    throw new SolyxError('already_exists', { detail: `Another node of this site is called ${name}.`, cause: error });
  };
}
