/** Capacity in PostgreSQL (tables of this component and of drm/tracker). */

import { type Database, withSystem } from '../../common/database/index.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { writeDirty } from '../../common/events/index.ts';
import type { DeviceCounters, NodeCounters, NodePromise } from './packing/counters.ts';
import type { Holding } from './packing/give-back.ts';
import type { DeviceRecord } from './packing/reshape.ts';
import * as sql from './queries.ts';
import type { AllocatorStore, CapacitySession, HeldAllocation, NewAllocation } from './store.ts';

/** @param db needed to begin transactions; sessions on a caller's transaction do without */
export function postgresStore(db?: Database): AllocatorStore<Transaction> {
  return {
    lanes: 2,
    transaction(work) {
      if (!db) throw new Error('this store only joins transactions of others');
      // Running a chunk twice does no harm: jobs that the first run placed are no longer queued at the planned revision.
      return withSystem(db, work, { idempotent: true, byIndex: true });
    },
    session,
  };
}

const byId = <R extends { id: string }>(rows: readonly R[]): Map<string, R> =>
  new Map(rows.map((row) => [row.id, row]));

async function lockNodes(tx: Queryable, ids: readonly string[]): Promise<Map<string, NodeCounters>> {
  const { rows } = await tx.query<NodeCounters & { isPromised: boolean }>(sql.lockNodes, [ids]);
  const promised = rows.filter(({ isPromised }) => isPromised).map(({ id }) => id);
  const nodes = byId(rows.map(({ isPromised, ...node }): NodeCounters => node));
  if (promised.length === 0) return nodes;
  const found = await tx.query<{ nodeId: string; promises: readonly NodePromise[] }>(sql.promisesOf, [promised]);
  for (const { nodeId, promises } of found.rows) nodes.set(nodeId, { ...nodes.get(nodeId)!, promises });
  return nodes;
}

function session(tx: Transaction): CapacitySession {
  return {
    async lock(nodeIds, deviceIds) {
      const nodes = await lockNodes(tx, nodeIds);
      if (deviceIds.length === 0) return { nodes, devices: new Map() };
      return { nodes, devices: byId((await tx.query<DeviceCounters>(sql.lockDevices, [deviceIds])).rows) };
    },

    async lockNode(nodeId) {
      const node = (await lockNodes(tx, [nodeId])).get(nodeId);
      if (!node) return undefined;
      return { node, devices: (await tx.query<DeviceRecord>(sql.lockDevicesOfNode, [nodeId])).rows };
    },

    async lockHeld(attemptIds) {
      const { rows } = await tx.query<Omit<HeldAllocation, 'holdings'>>(sql.lockHeldAllocations, [attemptIds]);
      if (rows.length === 0) return { held: [], locked: { nodes: new Map(), devices: new Map() } };
      const parts = await tx.query<Holding & { allocationId: string }>(sql.holdings, [rows.map(({ id }) => id)]);
      const nodeIds = [...new Set(parts.rows.map(({ nodeId }) => nodeId))];
      const deviceIds = parts.rows.flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId));
      const nodes = await lockNodes(tx, nodeIds);
      const devices =
        deviceIds.length === 0 ? [] : (await tx.query<DeviceCounters>(sql.lockFamilies, [deviceIds, nodeIds])).rows;
      const ofAllocation = Map.groupBy(parts.rows, ({ allocationId }) => allocationId);
      const held = rows.map((row) => ({ ...row, holdings: ofAllocation.get(row.id) ?? [] }));
      return { held, locked: { nodes, devices: byId(devices) } };
    },

    insertAllocations: (allocations) => insertAllocations(tx, allocations),

    async markReleased(held) {
      await tx.query(sql.markReleased, [held.map(({ id }) => id)]);
    },

    async writeUsed(nodes, devices) {
      const latest = [...byId(devices).values()];
      await tx.query(sql.writeUsed, [
        nodes.map(({ id }) => id),
        nodes.map(({ used }) => used.cpuMilli),
        nodes.map(({ used }) => used.memoryBytes),
        nodes.map(({ used }) => used.diskBytes),
        latest.map(({ id }) => id),
        latest.map(({ usedMilli }) => usedMilli),
      ]);
    },

    async writeCounters(nodes, devices) {
      await writeNodeCounters(tx, nodes);
      if (devices.length > 0) {
        await tx.query(sql.writeDeviceCounters, [
          devices.map(({ id }) => id),
          devices.map(({ usedMilli }) => usedMilli),
          devices.map(({ milli }) => milli),
          devices.map(({ observedMilli }) => observedMilli),
        ]);
      }
      await markDirty(tx, nodes);
    },

    insertDevices: (devices) => insertDevices(tx, devices),
    writeDeviceFacts: (devices) => writeDeviceFacts(tx, devices),
  };
}

const markDirty = (tx: Queryable, nodes: readonly NodeCounters[]): Promise<void> =>
  writeDirty(
    tx,
    'node',
    nodes.map(({ id }) => id),
  );

async function insertAllocations(tx: Transaction, allocations: readonly NewAllocation[]): Promise<void> {
  const ranks = allocations.flatMap(({ id, tenant, placement }) =>
    placement.ranks.map((wanted, rank) => ({ id, tenant, rank, ...wanted })),
  );
  const shares = ranks.flatMap(({ id, tenant, rank, devices }) =>
    devices.map((share) => ({ id, tenant, rank, ...share })),
  );
  await tx.query(sql.insertAllocations, [
    allocations.map(({ id }) => id),
    allocations.map(({ tenant }) => tenant),
    allocations.map(({ placement }) => placement.jobId),
    allocations.map(({ attemptId }) => attemptId),
    allocations.map(({ token }) => token),
    ranks.map(({ id }) => id),
    ranks.map(({ tenant }) => tenant),
    ranks.map(({ rank }) => rank),
    ranks.map(({ nodeId }) => nodeId),
    ranks.map(({ cpuMilli }) => cpuMilli),
    ranks.map(({ memoryBytes }) => memoryBytes),
    ranks.map(({ diskBytes }) => diskBytes),
    shares.map(({ id }) => id),
    shares.map(({ tenant }) => tenant),
    shares.map(({ rank }) => rank),
    shares.map(({ deviceId }) => deviceId),
    shares.map(({ milli }) => milli),
  ]);
}

async function writeNodeCounters(tx: Transaction, nodes: readonly NodeCounters[]): Promise<void> {
  await tx.query(sql.writeNodeCounters, [
    nodes.map(({ id }) => id),
    nodes.map(({ used }) => used.cpuMilli),
    nodes.map(({ used }) => used.memoryBytes),
    nodes.map(({ used }) => used.diskBytes),
    nodes.map(({ capacity }) => capacity.cpuMilli),
    nodes.map(({ capacity }) => capacity.memoryBytes),
    nodes.map(({ capacity }) => capacity.diskBytes),
    nodes.map(({ observed }) => observed.cpuMilli),
    nodes.map(({ observed }) => observed.memoryBytes),
    nodes.map(({ observed }) => observed.diskBytes),
    nodes.map(({ health }) => health),
    nodes.map(({ healthReasons }) => JSON.stringify(healthReasons)),
  ]);
}

async function insertDevices(tx: Transaction, devices: readonly DeviceRecord[]): Promise<void> {
  if (devices.length === 0) return;
  await tx.query(sql.insertDevices, [
    devices.map(({ id }) => id),
    devices.map(({ nodeId }) => nodeId),
    devices.map(({ parentId }) => parentId),
    devices.map(({ kind }) => kind),
    devices.map(({ vendor }) => vendor),
    devices.map(({ model }) => model),
    devices.map(({ index }) => index),
    devices.map(({ uuid }) => uuid),
    devices.map(({ memoryBytes }) => memoryBytes),
    devices.map(({ driver }) => driver),
    devices.map(({ facts }) => JSON.stringify(facts)),
    devices.map(({ health }) => health),
    devices.map(({ observedMilli }) => observedMilli),
    devices.map(({ milli }) => milli),
    devices.map(({ usedMilli }) => usedMilli),
  ]);
}

async function writeDeviceFacts(tx: Transaction, devices: readonly DeviceRecord[]): Promise<void> {
  if (devices.length === 0) return;
  await tx.query(sql.writeDeviceFacts, [
    devices.map(({ id }) => id),
    devices.map(({ parentId }) => parentId),
    devices.map(({ kind }) => kind),
    devices.map(({ vendor }) => vendor),
    devices.map(({ model }) => model),
    devices.map(({ index }) => index),
    devices.map(({ memoryBytes }) => memoryBytes),
    devices.map(({ driver }) => driver),
    devices.map(({ facts }) => JSON.stringify(facts)),
    devices.map(({ health }) => health),
  ]);
}
