/** Simulated nodes as rows: made through the tracker, like any node; kept in step with the simulator's network and power. */
import type { WireDevice } from '../../../../common/contract/agent/protocol.ts';
import type { Database, Transaction } from '../../../../common/database/index.ts';
import { changePresence, joinNode, recordHeartbeats, registerNode, type Site } from '../../../../drm/tracker/index.ts';
import type { Simulator } from './simulator.ts';

export interface SimulatedNode {
  readonly name: string;
  /** Default 16 cores, 64 GiB of memory, 1 TiB of disk. */
  readonly cpuMilli?: number;
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  readonly devices?: readonly { readonly model: string; readonly memoryBytes: number }[];
}

const gib = 2 ** 30;

/**
 * Makes nodes of a site whose backend is `simulator`, ready for work; those of the same names stay as they are.
 * @returns ids in the order of `nodes`
 */
export async function registerSimulatedNodes(
  tx: Transaction,
  site: Site,
  nodes: readonly SimulatedNode[],
): Promise<string[]> {
  if (site.backend !== 'simulator') throw new RangeError(`site ${site.name} has backend ${site.backend}`);
  const ids: string[] = [];
  for (const node of nodes) {
    const { nodeId } = await joinNode(tx, { siteId: site.id, name: node.name, installationId: 'simulated' });
    await registerNode(tx, {
      nodeId,
      bootId: 'simulated',
      inventory: {
        name: node.name,
        cpuMilli: node.cpuMilli ?? 16_000,
        memoryBytes: node.memoryBytes ?? 64 * gib,
        diskBytes: node.diskBytes ?? 1024 * gib,
        isolation: ['process', 'sandbox', 'container', 'vm', 'node'],
        isolationMissing: {},
        hostNetwork: true,
        labels: { simulated: 'true' },
        facts: {},
        devices: (node.devices ?? []).map((device, index) => toWire(device, index)),
      },
    });
    ids.push(nodeId);
  }
  return ids;
}

function toWire({ model, memoryBytes }: { model: string; memoryBytes: number }, index: number): WireDevice {
  return {
    uuid: `sim-${index}`,
    kind: 'gpu',
    vendor: 'simulated',
    model,
    index,
    memoryBytes,
    driver: null,
    health: 'ok',
    healthReasons: [],
    parentUuid: null,
    facts: {},
  };
}

/**
 * Records the heartbeats of the simulated nodes that can be reached, and that the others are lost. Their silence is known
 * at once, so there is no waiting for missed heartbeats.
 */
export async function recordSimulatedPresence(
  tx: Transaction,
  simulator: Simulator,
  nodeIds: readonly string[],
): Promise<void> {
  const silent = new Set(simulator.silentNodes());
  const heard = nodeIds.filter((id) => !silent.has(id));
  await recordHeartbeats(
    tx,
    heard.map((nodeId) => ({ nodeId, bootId: 'simulated' })),
  );
  const lost = nodeIds.filter((id) => silent.has(id));
  if (lost.length > 0) await changePresence(tx, lost, 'ready', 'lost', 'the simulator says so');
}

/** Tells a simulator that was just made of what a former one ran in another process: all of that is lost. */
export async function adoptSimulated(db: Database, simulator: Simulator): Promise<void> {
  const { rows } = await db.system.query<{ attempt_id: string; token: bigint; job_id: string; nodes: string[] }>(
    `select a.id as attempt_id, a.token, a.job_id, array_agg(r.node_id order by r.rank) as nodes
     from cmo_attempts a join cmo_attempt_ranks r on r.attempt_id = a.id
     where a.state not in ('placed', 'ended') and a.backend = 'simulator' group by a.id`,
  );
  simulator.reportLost(
    rows.map(({ attempt_id, token, job_id, nodes }) => ({
      attemptId: attempt_id,
      token,
      jobId: job_id,
      nodeIds: nodes,
    })),
  );
}
