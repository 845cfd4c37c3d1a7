/**
 * Nodes and devices as the allocator counts them: what the node reports (`observed`), what may be given (`capacity`) and
 * what is given (`used`). Always `used ≤ capacity`; normally `capacity = max(used, observed)`.
 */
import type { NodeHealth, NodePresence, NodeScheduling } from '../../../common/contract/states/node.ts';
import type { Amounts } from './amounts.ts';

/** Why a node is degraded. Codes of what concerns single devices begin with `device_`: the rest of the node takes work. */
export interface HealthReason {
  readonly code: 'device_degraded' | 'device_held_but_gone' | 'device_reported_twice';
  readonly message: string;
  readonly deviceId?: string;
}

export interface NodeCounters {
  readonly id: string;
  readonly siteId: string;
  readonly backend: string;
  readonly presence: NodePresence;
  readonly scheduling: NodeScheduling;
  readonly health: NodeHealth;
  readonly healthReasons: readonly HealthReason[];
  readonly observed: Amounts;
  readonly capacity: Amounts;
  readonly used: Amounts;
  /** Reservations of the node, now and later; left out: none. */
  readonly promises?: readonly NodePromise[];
}

/** A time for which a node is promised. */
export interface NodePromise {
  /** Id of the reservation. */
  readonly reservation: string;
  /** Epoch milliseconds. */
  readonly startsAt: number;
}

export interface DeviceCounters {
  readonly id: string;
  readonly nodeId: string;
  /** The device that this one is a slice of. */
  readonly parentId: string | null;
  readonly health: NodeHealth;
  /** Thousandths that the node reports: 1000, or 0 when it is gone or cut into slices. */
  readonly observedMilli: 0 | 1000;
  /** Thousandths that may be given, 0..1000. */
  readonly milli: number;
  /** Thousandths that are given, 0..milli. */
  readonly usedMilli: number;
}

/** Counters that were locked, by id. What does not exist is missing. */
export interface LockedCounters<D extends DeviceCounters = DeviceCounters> {
  readonly nodes: Map<string, NodeCounters>;
  readonly devices: Map<string, D>;
}
