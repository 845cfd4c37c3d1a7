/** The allocator's face: who may hold what. */
import type { CommitResult, Plan } from '../../common/contract/plan.ts';
import type { Database } from '../../common/database/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import type { AttemptLedger } from './ledger.ts';
import type { WireNodeShape } from './packing/shape.ts';
import { postgresStore } from './postgres-store.ts';
import { type Pace, ResourceAllocator, type ShapeChange } from './resource-allocator.ts';

export * from './calendar/index.ts';
export { capacity, type ModelCapacity, type SiteCapacity } from './capacity.ts';
export type { AttemptLedger } from './ledger.ts';
export { type MemoryNode, MemoryStore, type MemoryTransaction } from './memory-store.ts';
export type { Amounts } from './packing/amounts.ts';
export type { DeviceCounters, HealthReason, NodeCounters } from './packing/counters.ts';
export { sameJson } from './packing/same-json.ts';
export type { DeviceKind, WireNodeShape } from './packing/shape.ts';
export { postgresStore } from './postgres-store.ts';
export { chunkSize, type Pace, ResourceAllocator, type ShapeChange } from './resource-allocator.ts';
export type { AllocatorStore } from './store.ts';

/** `ResourceAllocator.commitPlan` on PostgreSQL. */
export function commitPlan(
  db: Database,
  plan: Pick<Plan, 'placements'>,
  ledger: AttemptLedger,
  pace?: Pace,
): Promise<CommitResult> {
  return new ResourceAllocator(postgresStore(db)).commitPlan(plan, ledger, pace);
}

const joining = new ResourceAllocator(postgresStore());

/** `ResourceAllocator.release` on PostgreSQL, in a system transaction; locks allocations, then nodes, then devices. */
export const releaseAllocations = (tx: Transaction, attemptIds: readonly string[]): Promise<string[]> =>
  joining.release(tx, attemptIds);

/** `ResourceAllocator.setNodeShape` on PostgreSQL, in a system transaction. */
export const setNodeShape = (tx: Transaction, nodeId: string, shape: WireNodeShape): Promise<ShapeChange> =>
  joining.setNodeShape(tx, nodeId, shape);
