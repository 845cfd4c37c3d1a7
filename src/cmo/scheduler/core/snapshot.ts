/**
 * What a scheduling round sees: dense typed arrays of sites, nodes and devices, and the queue.
 *
 * A round looks at every node for each distinct job shape, thousands of times a second. Objects per node would cost a
 * pointer chase each and could not be handed to a worker without copying; columns cost one index. Rows are stable: a
 * node keeps its row while it exists, and a removed row is marked and reused. Strings (models, drivers) are interned.
 */
import type { CostCurve } from '../../../common/contract/cost-curve.ts';
import type { JobSpec } from '../../../common/contract/job-spec.ts';
import type { PlacementSpec } from '../../../common/contract/placement.ts';
import type { PowerFigures } from '../../../drm/allocator/packing/index.ts';
import type { ExpectedRunTime } from './backfill/run-class.ts';
import type { Booking } from './calendar/booking.ts';
import type { NeighbourRules } from './neighbours/rules.ts';
import type { PreemptionPolicy } from './preemption/preemption-policy.ts';
import type { RunningJob } from './running.ts';
import type { AccountRow } from './shares/account.ts';

/** Bits of `NodeColumns.flags`. A node takes new work only with READY, OPEN, HEALTHY and LIVE. */
export const nodeFlag = { live: 1, ready: 2, open: 4, healthy: 8, hostNetwork: 16 } as const;
/** Bits of `NodeColumns.isolation`, by strength: 1 process, 2 sandbox, 4 container, 8 vm, 16 node. */
export const isolationBit = { process: 1, sandbox: 2, container: 4, vm: 8, node: 16 } as const;

/**
 * What of a node's levels can serve who asks for one: a container needs an image, so who asks for less, having none, cannot
 * be put into one however strong it is.
 */
export const isolationMask = (asked: keyof typeof isolationBit): number =>
  isolationBit[asked] < isolationBit.container ? ~isolationBit.container : ~0;
/** Values of `DeviceColumns.kind`. */
export const deviceKindCode = { gpu: 1, tpu: 2, fpga: 3 } as const;

export interface SiteColumns {
  readonly ids: string[];
  /** Micro-dollars an hour of a whole device, a core, a GiB; doubles hold them exactly below 2^53. */
  readonly deviceUsdPerHour: Float64Array;
  readonly cpuUsdPerHour: Float64Array;
  readonly memoryUsdPerHour: Float64Array;
  readonly pue: Float64Array;
  /** Left out: none has any. */
  readonly labels?: readonly Readonly<Record<string, string>>[];
}

/** One row a node. `free` = capacity − used, never negative; bytes are doubles (exact below 2^53). */
export interface NodeColumns {
  readonly ids: string[];
  /** As people call them, for sentences; left out, or none at a row: their ids. */
  readonly names?: readonly (string | undefined)[];
  readonly site: Int32Array;
  readonly flags: Uint8Array;
  readonly isolation: Uint8Array;
  /** Index into `Snapshot.labelSets`. */
  readonly labelSet: Int32Array;
  /** What part of its site it stands in: equal numbers for nodes of the same one, −1 when nobody says. */
  readonly pod: Int32Array;
  readonly rack: Int32Array;
  readonly island: Int32Array;
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  readonly cpuMilliFree: Float64Array;
  readonly memoryBytesFree: Float64Array;
  readonly diskBytesFree: Float64Array;
  /** First row in `devices` and number of rows; the devices of a node stand together. */
  readonly deviceStart: Int32Array;
  readonly deviceCount: Int32Array;
  /** How many rows are in use; the arrays may be longer. */
  readonly length: number;
}

export interface DeviceColumns {
  readonly ids: string[];
  readonly kind: Uint8Array;
  /** Index into `Snapshot.models` and `Snapshot.drivers`; −1 unknown. */
  readonly model: Int32Array;
  readonly driver: Int32Array;
  readonly memoryBytes: Float64Array;
  /** Thousandths: 0 or 1000 in all, and what of it is free. */
  readonly milli: Int32Array;
  readonly milliFree: Int32Array;
  /** 1 healthy, 0 not. */
  readonly healthy: Uint8Array;
  readonly length: number;
}

/** A class of jobs that place alike: one evaluation serves them all. */
export interface Shape {
  /** Canonical text of everything that placement depends on; equal keys mean equal shapes. */
  readonly key: string;
  readonly resources: JobSpec['resources'];
  readonly isolation: JobSpec['isolation'];
  readonly network: JobSpec['network'];
  /** Left out: any node, ranks of a gang at one site. */
  readonly placement?: PlacementSpec;
  /** Micro-dollars an hour for the whole job; Infinity without limit. */
  readonly maxUsdPerHour: number;
  /** What it asks of where other jobs stand; left out: nothing. */
  readonly neighbours?: NeighbourRules;
}

export interface PendingJob {
  readonly id: string;
  readonly revision: bigint;
  readonly tenant: string;
  readonly project: string;
  readonly shape: Shape;
  readonly priority: number;
  /** Epoch milliseconds. */
  readonly submittedAt: number;
  /** Epoch milliseconds before which it may not start; 0 when it may. */
  readonly notBefore: number;
  /** Why `notBefore` is set. */
  readonly notBeforeReason: 'earliest_start' | 'retry_backoff' | null;
  /** Who submitted it; left out: unknown. */
  readonly user?: string;
  /** By when it should have ended, epoch milliseconds. */
  readonly deadline?: number;
  /** How long it is expected to run; left out: nobody knows. */
  readonly runTime?: ExpectedRunTime;
  /** How long after its arrival its turn is, seconds ≥ 0; set by the queue, by its order. */
  readonly patienceSeconds?: number;
  /** Whether work is being ended for it, so that it goes before others until it starts; left out: no. */
  readonly promised?: boolean;
  /** Since when nodes have been kept for it, epoch milliseconds: its turn is then at the latest; left out: never. */
  readonly keptSince?: number;
  /** Its labels, by which other jobs of its tenant mean it; left out: none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Id of the array that it is a task of, if its tasks are spread. */
  readonly array?: string;
}

export interface Snapshot {
  /** Grows with every change; a plan made on an older one is re-checked by the commit anyway. */
  readonly revision: number;
  readonly sites: SiteColumns;
  readonly nodes: NodeColumns;
  readonly devices: DeviceColumns;
  readonly models: readonly string[];
  readonly drivers: readonly string[];
  /** Labels of nodes, each set once. */
  readonly labelSets: readonly Readonly<Record<string, string>>[];
  /** Empty until energy publishes some. */
  readonly curves: readonly CostCurve[];
  /** The shapes that are expected to come, by what came; left out: those that are queued. */
  readonly workload?: readonly ExpectedShape[];
  /**
   * What devices draw, by index of `models` + 1 (0: unknown); left out: power is not looked at. `load`: share of the devices that counts as
   * held when a watt is weighed, 0..1; left out: what is held.
   */
  readonly power?: PowerFigures & { readonly load?: number };
  /** Weights, quotas and past use; left out: every tenant has weight 1 and no quota. */
  readonly accounts?: readonly AccountRow[];
  /** What holds capacity now; left out: unknown, so nothing is counted, foreseen or preempted. */
  readonly running?: readonly RunningJob[];
  /** Nodes that are promised for a time; left out: none. */
  readonly calendar?: readonly Booking[];
  /** How many jobs were ended for others in the last hour; left out: none. */
  readonly preemptedLastHour?: number;
}

export interface ExpectedShape {
  readonly kind: Shape;
  /** > 0; only the ratio to the others matters. */
  readonly weight: number;
}

export type QueueOrder = 'arrival' | 'least-work';

export type PlacementRule = 'best-fit' | 'least-fragmentation';

/** What an operator may set; versioned so that a stored explanation can be read later. Checked by `checkPolicy`. */
export interface Policy {
  readonly name: string;
  /** Which of the nodes on which a job fits it gets: see `fit.ts` for best fit and `fragmentation.ts` for least fragmentation. */
  readonly placement: PlacementRule;
  /** Whose turn it is of an account's jobs of one priority: by arrival, or by expected work (`patience.ts`), which is the default; left out: by arrival. */
  readonly order?: QueueOrder;
  /** Most placements of one round, 1–100,000; the rest waits for the next, so that a round stays short. */
  readonly maxPlacements: number;
  /** A job that fits the fleet but not what is free of it gets nodes kept for it after so long at the earliest (`patience.ts`), seconds ≥ 0. */
  readonly reserveAfterSeconds: number;
  /** After so long at the earliest they are kept from all others, whatever is foreseen, seconds ≥ 0. */
  readonly firmAfterSeconds: number;
  /** For how many jobs at a time nodes are kept, 0–1,000. */
  readonly maxReservations: number;
  /** After so long what an account has used counts half, seconds > 0. */
  readonly historyHalfLifeSeconds: number;
  /** How much its average use of the past counts against what it holds now, 0–100. */
  readonly historyWeight: number;
  readonly preemption: PreemptionPolicy;
  /** Whether what devices draw is weighed, where their figures are known; left out: no. */
  readonly powerAware?: boolean;
}

/** `schedule(snapshot, pending, policy, now) → Plan`: no clock, no randomness, no I/O inside. */
export type { Plan } from '../../../common/contract/plan.ts';
