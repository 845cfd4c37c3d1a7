/**
 * Capacity in memory, for simulator and fault simulation. Checked against PostgreSQL on generated histories.
 *
 * Transactions run one after another, and one that throws leaves nothing behind: writes go into a copy-on-write overlay that
 * is merged at the end. The `T` that ledgers get is the overlay, on which they may note what to undo.
 */

import { nothing } from './packing/amounts.ts';
import type { DeviceCounters, LockedCounters, NodeCounters } from './packing/counters.ts';
import type { DeviceRecord } from './packing/reshape.ts';
import type { AllocatorStore, CapacitySession, HeldAllocation, NewAllocation } from './store.ts';

/** A node before its first report: what the tracker would have registered. */
export type MemoryNode = Pick<NodeCounters, 'id' | 'siteId' | 'backend'>;

/** Writes of one transaction, by id. */
export interface MemoryTransaction {
  readonly nodes: Map<string, NodeCounters>;
  readonly devices: Map<string, DeviceRecord>;
  readonly held: Map<string, HeldAllocation>;
  readonly released: Set<string>;
  readonly dirty: Set<string>;
}

export class MemoryStore implements AllocatorStore<MemoryTransaction> {
  readonly #nodes = new Map<string, NodeCounters>();
  readonly #devices = new Map<string, DeviceRecord>();
  readonly #devicesByNode = new Map<string, Set<string>>();
  /** Unreleased allocations by attempt. */
  readonly #held = new Map<string, HeldAllocation>();
  #dirty = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  /** Adds a node that is ready and open and has nothing yet. */
  addNode(node: MemoryNode): void {
    this.#nodes.set(node.id, {
      ...node,
      presence: 'ready',
      scheduling: 'open',
      health: 'ok',
      healthReasons: [],
      observed: nothing,
      capacity: nothing,
      used: nothing,
    });
    this.#dirty.add(node.id);
  }

  /** Changes what the tracker says of a node; `RangeError` when there is none. */
  setNode(id: string, change: Partial<Pick<NodeCounters, 'presence' | 'scheduling'>>): Promise<void> {
    return this.transaction(async (tx) => {
      const node = this.#nodes.get(id);
      if (!node) throw new RangeError(`no node ${id}`);
      this.#write(tx, [{ ...node, ...change }], []);
    });
  }

  nodes(): NodeCounters[] {
    return [...this.#nodes.values()];
  }

  devices(): DeviceRecord[] {
    return [...this.#devices.values()];
  }

  held(): HeldAllocation[] {
    return [...this.#held.values()];
  }

  /** Nodes that changed since the last call. */
  takeDirty(): string[] {
    const dirty = [...this.#dirty];
    this.#dirty = new Set();
    return dirty;
  }

  /** One after the other, so that simulations repeat exactly. */
  readonly lanes = 1;

  transaction<R>(work: (tx: MemoryTransaction) => Promise<R>): Promise<R> {
    const run = async () => {
      const tx: MemoryTransaction = {
        nodes: new Map(),
        devices: new Map(),
        held: new Map(),
        released: new Set(),
        dirty: new Set(),
      };
      const result = await work(tx);
      this.#merge(tx);
      return result;
    };
    const ran = this.#last.then(run);
    this.#last = ran.catch(() => {});
    return ran;
  }

  session(tx: MemoryTransaction): CapacitySession {
    return {
      lock: async (nodeIds, deviceIds) => this.#pick(tx, nodeIds, deviceIds),
      lockNode: async (nodeId) => {
        const node = tx.nodes.get(nodeId) ?? this.#nodes.get(nodeId);
        if (!node) return undefined;
        return { node, devices: this.#devicesOf(tx, [nodeId]) };
      },
      lockHeld: async (attemptIds) => {
        const held = [...new Set(attemptIds)].flatMap((id) => {
          const found = tx.released.has(id) ? undefined : (tx.held.get(id) ?? this.#held.get(id));
          return found ? [found] : [];
        });
        const holdings = held.flatMap((allocation) => allocation.holdings);
        const nodeIds = new Set(holdings.map(({ nodeId }) => nodeId));
        const deviceIds = new Set(holdings.flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId)));
        const all = this.#devicesOf(tx, nodeIds);
        const heads = new Set(all.filter(({ id }) => deviceIds.has(id)).map(({ id, parentId }) => parentId ?? id));
        const family = all.filter(({ id, parentId }) => heads.has(parentId ?? id)).map(({ id }) => id);
        return { held, locked: this.#pick(tx, nodeIds, family) };
      },
      insertAllocations: async (allocations) => {
        for (const allocation of allocations) tx.held.set(allocation.attemptId, toHeld(allocation));
      },
      markReleased: async (held) => {
        for (const { attemptId } of held) tx.released.add(attemptId);
      },
      writeUsed: async (nodes, devices) => this.#write(tx, nodes, devices),
      writeCounters: async (nodes, devices) => this.#write(tx, nodes, devices),
      insertDevices: async (devices) => {
        for (const device of devices) tx.devices.set(device.id, device);
      },
      writeDeviceFacts: async (devices) => {
        for (const device of devices) tx.devices.set(device.id, device);
      },
    };
  }

  #pick(tx: MemoryTransaction, nodeIds: Iterable<string>, deviceIds: Iterable<string>): LockedCounters {
    const locked: LockedCounters = { nodes: new Map(), devices: new Map() };
    for (const id of nodeIds) {
      const node = tx.nodes.get(id) ?? this.#nodes.get(id);
      if (node) locked.nodes.set(id, node);
    }
    for (const id of deviceIds) {
      const device = tx.devices.get(id) ?? this.#devices.get(id);
      if (device) locked.devices.set(id, device);
    }
    return locked;
  }

  /** Devices of nodes, in order of id like the statements of the other store. */
  #devicesOf(tx: MemoryTransaction, nodeIds: Iterable<string>): DeviceRecord[] {
    const wanted = new Set(nodeIds);
    const ids = new Set([...wanted].flatMap((id) => [...(this.#devicesByNode.get(id) ?? [])]));
    for (const { id, nodeId } of tx.devices.values()) if (wanted.has(nodeId)) ids.add(id);
    return [...ids].sort().map((id) => tx.devices.get(id) ?? this.#devices.get(id)!);
  }

  #write(tx: MemoryTransaction, nodes: readonly NodeCounters[], devices: readonly DeviceCounters[]): void {
    for (const node of nodes) {
      tx.nodes.set(node.id, node);
      tx.dirty.add(node.id);
    }
    for (const { id, usedMilli, milli, observedMilli } of devices) {
      const device = tx.devices.get(id) ?? this.#devices.get(id)!;
      tx.devices.set(id, { ...device, usedMilli, milli, observedMilli });
    }
  }

  #indexDevice({ id, nodeId }: DeviceRecord): void {
    const ids = this.#devicesByNode.get(nodeId) ?? new Set();
    this.#devicesByNode.set(nodeId, ids.add(id));
  }

  #merge(tx: MemoryTransaction): void {
    for (const [id, node] of tx.nodes) this.#nodes.set(id, node);
    for (const [id, device] of tx.devices) {
      if (!this.#devices.has(id)) this.#indexDevice(device);
      this.#devices.set(id, device);
    }
    for (const [id, held] of tx.held) this.#held.set(id, held);
    for (const id of tx.released) this.#held.delete(id);
    for (const id of tx.dirty) this.#dirty.add(id);
  }
}

function toHeld({ id, tenant, attemptId, placement }: NewAllocation): HeldAllocation {
  const holdings = placement.ranks.map(({ nodeId, cpuMilli, memoryBytes, diskBytes, devices }) => ({
    nodeId,
    amounts: { cpuMilli, memoryBytes, diskBytes },
    devices,
  }));
  return { id, tenant, jobId: placement.jobId, attemptId, holdings };
}
