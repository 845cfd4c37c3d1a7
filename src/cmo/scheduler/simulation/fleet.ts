/**
 * The simulated fleet: production's allocator on the in-memory store, and its rows as production's feed would read them.
 *
 * The feed's statement (`drm/tracker/fleet.ts`) says what a row is: devices that are there or held, healthy when reported so. Here the same
 * is made of the store's counters, for the nodes that changed since it was last asked.
 */

import type { CommitResult, Placement } from '../../../common/contract/plan.ts';
import { isolationLevels } from '../../../common/contract/states/node.ts';
import {
  type AttemptLedger,
  MemoryStore,
  type MemoryTransaction,
  ResourceAllocator,
} from '../../../drm/allocator/index.ts';
import type { NodeRow, SiteRow } from '../core/rows.ts';
import type { Cluster, SimulatedNode } from './inputs/cluster-file.ts';

export class SimulatedFleet {
  readonly store = new MemoryStore();
  readonly allocator: ResourceAllocator<MemoryTransaction>;
  /** By node: its row as it was read last. */
  readonly rows = new Map<string, NodeRow>();
  readonly sites: readonly SiteRow[];
  readonly #known = new Map<string, SimulatedNode>();
  #devices = 0;
  #revision = 0;

  private constructor(cluster: Cluster) {
    this.allocator = new ResourceAllocator(this.store, () => this.#newDeviceId());
    this.sites = cluster.sites.map((site) => ({ ...site, pue: 1, revision: 1 }));
  }

  #newDeviceId(): string {
    this.#devices += 1;
    return `dev_${String(this.#devices).padStart(8, '0')}`;
  }

  /** Makes the nodes of a cluster, ready and open. */
  static async of(cluster: Cluster): Promise<SimulatedFleet> {
    const fleet = new SimulatedFleet(cluster);
    for (const node of cluster.nodes) await fleet.#add(node);
    return fleet;
  }

  async #add(node: SimulatedNode): Promise<void> {
    this.#known.set(node.id, node);
    this.store.addNode({ id: node.id, siteId: node.siteId, backend: 'simulator' });
    await this.store.transaction((tx) => this.allocator.setNodeShape(tx, node.id, shapeOfNode(node)));
  }

  commit(placements: readonly Placement[], ledger: AttemptLedger<MemoryTransaction>): Promise<CommitResult> {
    return this.allocator.commitPlan({ placements }, ledger);
  }

  release(attemptIds: readonly string[]): Promise<string[]> {
    return this.store.transaction((tx) => this.allocator.release(tx, attemptIds));
  }

  /** Rows of the nodes that changed since the last call. */
  async takeChanged(): Promise<[string, NodeRow][]> {
    const ids = this.store.takeDirty();
    if (ids.length === 0) return [];
    return this.store.transaction(async (tx) => {
      const session = this.store.session(tx);
      const changed: [string, NodeRow][] = [];
      for (const id of ids) {
        const found = (await session.lockNode(id))!;
        this.#revision += 1;
        const row = rowOf(found, this.#revision);
        this.rows.set(id, row);
        changed.push([id, row]);
      }
      return changed;
    });
  }
}

type Locked = NonNullable<Awaited<ReturnType<ReturnType<MemoryStore['session']>['lockNode']>>>;

/** As the statement of the feed makes it. */
export function rowOf({ node, devices }: Locked, revision: number): NodeRow {
  const { capacity, used } = node;
  return {
    id: node.id,
    siteId: node.siteId,
    presence: node.presence,
    scheduling: node.scheduling,
    health: node.healthReasons.some(({ code }) => !code.startsWith('device_')) ? 'degraded' : 'ok',
    isolation: isolationLevels,
    hostNetwork: true,
    cpuMilli: capacity.cpuMilli,
    memoryBytes: capacity.memoryBytes,
    diskBytes: capacity.diskBytes,
    usedCpuMilli: used.cpuMilli,
    usedMemoryBytes: used.memoryBytes,
    usedDiskBytes: used.diskBytes,
    devices: devices
      .filter(({ milli }) => milli > 0)
      .sort((a, b) => a.index - b.index || (a.id < b.id ? -1 : 1))
      .map(({ id, kind, model, driver, memoryBytes, milli, usedMilli, health, observedMilli }) => ({
        id,
        kind,
        model,
        driver,
        memoryBytes,
        milli,
        usedMilli,
        healthy: health === 'ok' && observedMilli > 0,
      })),
    revision,
  };
}

type NodeShape = Parameters<ResourceAllocator<MemoryTransaction>['setNodeShape']>[2];

/** What a simulated node reports of itself. */
export function shapeOfNode({ id, cpuMilli, memoryBytes, diskBytes, devices }: SimulatedNode): NodeShape {
  const list = devices.flatMap((kind) => Array.from({ length: kind.count }, () => kind));
  return {
    cpuMilli,
    memoryBytes,
    diskBytes,
    devices: list.map(({ kind, model, memoryBytes: deviceBytes }, index) => ({
      uuid: `${id}/${index}`,
      kind,
      vendor: 'simulated',
      model,
      index,
      memoryBytes: deviceBytes,
      driver: null,
      health: 'ok',
      healthReasons: [],
      parentUuid: null,
      facts: {},
    })),
  };
}
