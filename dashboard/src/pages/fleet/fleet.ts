/** What is known of the fleet, how deltas change it, and what is summed from it. Pure. */
import type { LiveDevice, LiveNode, Site } from '../../../../src/common/contract/live.ts';
import { isCurrent } from '../../api/overtaken.ts';
import type { Tone } from '../../ui/state-mark.tsx';

export interface Fleet {
  readonly sites: readonly Site[];
  readonly nodes: readonly LiveNode[];
  /** Devices by the id of their node, in the order of their index. */
  readonly devices: Readonly<Record<string, readonly LiveDevice[]>>;
  /** There are more nodes than are held. */
  readonly truncated: boolean;
}

export interface FleetDelta {
  readonly sites?: readonly Site[];
  readonly nodes?: readonly LiveNode[];
  readonly devices?: readonly { readonly nodeId: string; readonly devices: readonly LiveDevice[] }[];
}

/** Devices grouped by node. Slices stand behind the device that they are slices of. */
export function byNode(devices: readonly LiveDevice[]): Record<string, LiveDevice[]> {
  const inOrder = devices.toSorted((a, b) => a.index - b.index || a.uuid.localeCompare(b.uuid));
  return Object.groupBy(inOrder, ({ nodeId }) => nodeId) as Record<string, LiveDevice[]>;
}

/** The fleet after a delta; what did not change keeps its identity. Removed nodes leave. */
export function patchFleet(fleet: Fleet, delta: FleetDelta): Fleet {
  let { sites, nodes, devices } = fleet;
  if (delta.sites?.length) sites = put(sites, delta.sites);
  if (delta.nodes?.length) nodes = put(nodes, delta.nodes).filter(({ presence }) => presence !== 'removed');
  if (delta.devices?.length) {
    const changed = { ...devices };
    for (const { nodeId, devices: list } of delta.devices) changed[nodeId] = byNode(list)[nodeId] ?? [];
    devices = changed;
  }
  return { ...fleet, sites, nodes, devices };
}

function put<T extends { readonly id: string; readonly name: string; readonly revision: string }>(
  items: readonly T[],
  changes: readonly T[],
): T[] {
  const byId = new Map(items.map((item) => [item.id, item]));
  for (const change of changes) {
    const held = byId.get(change.id);
    if (held === undefined || isCurrent(held, change)) byId.set(change.id, change);
  }
  return [...byId.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

/** Sums over nodes. */
export interface Totals {
  readonly nodes: number;
  /** Nodes that can be given work. */
  readonly open: number;
  readonly devices: number;
  /** Thousandths of devices. */
  readonly deviceMilli: number;
  readonly deviceUsedMilli: number;
  readonly cpuMilli: number;
  readonly cpuUsedMilli: number;
  readonly memoryBytes: number;
  readonly memoryUsedBytes: number;
  /** Nodes that somebody should look at: lost, or degraded. */
  readonly troubled: number;
}

export function totalsOf(nodes: readonly LiveNode[], devices: Fleet['devices']): Totals {
  const own = nodes.flatMap(({ id }) => devices[id] ?? []);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    nodes: nodes.length,
    open: nodes.filter((node) => takesWork(node)).length,
    devices: own.filter(({ parentId, milli }) => parentId === null || milli > 0).length,
    deviceMilli: sum(own.map(({ milli }) => milli)),
    deviceUsedMilli: sum(own.map(({ usedMilli }) => usedMilli)),
    cpuMilli: sum(nodes.map(({ capacity }) => capacity.cpuMilli)),
    cpuUsedMilli: sum(nodes.map(({ used }) => used.cpuMilli)),
    memoryBytes: sum(nodes.map(({ capacity }) => capacity.memoryBytes)),
    memoryUsedBytes: sum(nodes.map(({ used }) => used.memoryBytes)),
    troubled: nodes.filter(({ presence, health }) => presence === 'lost' || health !== 'ok').length,
  };
}

/** Share of capacity that is given away, 0–1: of devices where there are any, else of CPU. Null: no capacity. */
export function allocatedRatio(totals: Totals): number | null {
  if (totals.deviceMilli > 0) return totals.deviceUsedMilli / totals.deviceMilli;
  return totals.cpuMilli > 0 ? totals.cpuUsedMilli / totals.cpuMilli : null;
}

const takesWork = ({ presence, scheduling }: LiveNode): boolean => presence === 'ready' && scheduling === 'open';

/** A node's three fields as one mark: the worst of them first, all of them in the words. */
export function nodeMark({ presence, scheduling, health }: LiveNode): { tone: Tone; words: string } {
  const words = [presence, ...(scheduling === 'open' ? [] : [scheduling]), ...(health === 'ok' ? [] : [health])].join(
    ', ',
  );
  if (presence === 'lost') return { tone: 'unknown', words };
  if (health !== 'ok') return { tone: 'failed', words };
  if (presence === 'joining') return { tone: 'waiting', words };
  return { tone: scheduling === 'open' ? 'succeeded' : 'paused', words };
}

/** What devices a node has: `8 × H100`, `4 × A100, 2 × T4`. */
export function deviceWords(devices: readonly LiveDevice[]): string {
  const counts = new Map<string, number>();
  for (const { model, milli, parentId } of devices) {
    if (milli > 0 || parentId === null) counts.set(model, (counts.get(model) ?? 0) + 1);
  }
  return [...counts].map(([model, count]) => `${count} × ${model}`).join(', ');
}
