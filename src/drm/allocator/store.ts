/**
 * What the allocator needs of a store, and nothing more: locked counters in, counters and rows out. All decisions are made by the
 * pure functions of `packing/`, so PostgreSQL and memory (simulator, fault simulation) cannot decide differently.
 *
 * Locks are taken in one order by everybody: allocations, then nodes by id, then devices by id.
 */
import type { Placement } from '../../common/contract/plan.ts';
import type { DeviceCounters, LockedCounters, NodeCounters } from './packing/counters.ts';
import type { Holding } from './packing/give-back.ts';
import type { DeviceRecord } from './packing/reshape.ts';

export interface NewAllocation {
  readonly id: string;
  readonly tenant: string;
  readonly attemptId: string;
  readonly token: bigint;
  readonly placement: Placement;
}

/** An allocation that is not released yet. */
export interface HeldAllocation {
  readonly id: string;
  readonly tenant: string;
  readonly jobId: string;
  readonly attemptId: string;
  readonly holdings: readonly Holding[];
}

/** One transaction's hands on capacity. */
export interface CapacitySession {
  /** Locks these nodes, then these devices. */
  lock(nodeIds: readonly string[], deviceIds: readonly string[]): Promise<LockedCounters>;
  /** Locks a node and all devices that it ever had; undefined when there is no such node. */
  lockNode(nodeId: string): Promise<{ node: NodeCounters; devices: DeviceRecord[] } | undefined>;
  /** Locks the unreleased allocations of these attempts, their nodes, and the whole families of their devices. */
  lockHeld(attemptIds: readonly string[]): Promise<{ held: HeldAllocation[]; locked: LockedCounters }>;
  /** Writes allocations with what they hold. */
  insertAllocations(allocations: readonly NewAllocation[]): Promise<void>;
  /** Marks allocations as released. */
  markReleased(held: readonly HeldAllocation[]): Promise<void>;
  /** Writes `used` of what was locked, raises revisions and marks the nodes dirty. */
  writeUsed(nodes: readonly NodeCounters[], devices: readonly DeviceCounters[]): Promise<void>;
  /** Writes every counter and the health of nodes and devices, raises revisions and marks the nodes dirty. */
  writeCounters(nodes: readonly NodeCounters[], devices: readonly DeviceCounters[]): Promise<void>;
  insertDevices(devices: readonly DeviceRecord[]): Promise<void>;
  /** Writes what devices say of themselves, counters apart. */
  writeDeviceFacts(devices: readonly DeviceRecord[]): Promise<void>;
}

/** Where capacity is kept. `T` is a transaction, which the caller's own writes may share. */
export interface AllocatorStore<T> {
  /** Transactions of one plan that go side by side, ≥ 1. */
  readonly lanes: number;
  /** Runs `work` in a transaction; may run it again after a conflict that changed nothing. */
  transaction<R>(work: (tx: T) => Promise<R>): Promise<R>;
  session(tx: T): CapacitySession;
}
