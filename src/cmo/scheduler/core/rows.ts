/**
 * Rows as the feed delivers them: plain values of sites, nodes and devices, from which dense columns are kept.
 *
 * They stand in the core since tests, simulator and replay build snapshots from them as production does.
 */
import type { DeviceKind } from '../../../common/contract/job-spec.ts';
import type { IsolationLevel, NodeHealth, NodePresence, NodeScheduling } from '../../../common/contract/states/node.ts';

export interface SiteRow {
  readonly id: string;
  /** Micro-dollars an hour of a whole device, a core, a GiB. */
  readonly deviceUsdPerHour: number;
  readonly cpuUsdPerHour: number;
  readonly memoryUsdPerHour: number;
  readonly pue: number;
  /** Left out: none. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly revision: number;
}

export interface DeviceRow {
  readonly id: string;
  readonly kind: DeviceKind;
  readonly model: string;
  readonly driver: string | null;
  readonly memoryBytes: number;
  /** Thousandths: 0 or 1000 in all, and how many are used. */
  readonly milli: number;
  readonly usedMilli: number;
  readonly healthy: boolean;
  /** What it draws at most, watts > 0; null or left out: unknown. */
  readonly watts?: number | null;
}

export interface NodeRow {
  readonly id: string;
  /** As people call it; left out: its id. */
  readonly name?: string;
  readonly siteId: string;
  readonly presence: NodePresence;
  readonly scheduling: NodeScheduling;
  readonly health: NodeHealth;
  readonly isolation: readonly IsolationLevel[];
  readonly hostNetwork: boolean;
  /** Also where it stands: `pod`, `rack`, `island`. Left out: none. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly usedCpuMilli: number;
  readonly usedMemoryBytes: number;
  readonly usedDiskBytes: number;
  /** In the order of their local index. */
  readonly devices: readonly DeviceRow[];
  /** Sum of the revisions of the node and its devices: grows whenever one of them changes. */
  readonly revision: number;
}

/** What changed: rows, or null for what is no more. Sites are applied before nodes. */
export interface FleetDelta {
  readonly sites: ReadonlyMap<string, SiteRow | null>;
  readonly nodes: ReadonlyMap<string, NodeRow | null>;
}
