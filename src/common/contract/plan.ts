/**
 * What the scheduler decides: a plan of placements, deferrals and preemptions, each with its explanation.
 *
 * These types stand in `common/contract` since four rooms share them: the scheduler makes plans, the allocator commits
 * them, the orchestrator carries them out, and API and dashboard show their explanations.
 */
import type { DeviceId, JobId, NodeId, ReservationId, SiteId } from '../ids.ts';
import type { DomainLevel } from './placement.ts';
import type { PendingReason } from './states/job.ts';

/** A share of a device, in thousandths of it, 1–1000. */
export interface DeviceShare {
  readonly deviceId: DeviceId;
  readonly milli: number;
}

/** What one rank of a gang gets on one node. */
export interface RankPlacement {
  readonly nodeId: NodeId;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly devices: readonly DeviceShare[];
}

/** Why a node was refused for a job. */
export type RejectionCode =
  | 'presence' // joining, lost or removed
  | 'cordoned' // cordoned or draining
  | 'unhealthy'
  | 'isolation' // the level asked for is not offered
  | 'network' // host network is not allowed there
  | 'labels' // lacks a label that is required, or has one that is to be avoided
  | 'cpu'
  | 'memory'
  | 'disk'
  | 'device_kind'
  | 'device_model'
  | 'device_memory'
  | 'device_driver'
  | 'device_count' // has matching devices, but too few free
  | 'price' // above maxPricePerHour
  | 'reserved' // would fit, but is kept for a job before it
  | 'affinity' // would fit, but no job stands there beside which it must stand
  | 'anti_affinity' // would fit, but a job stands there from which it must stand apart
  | 'spread'; // would fit, but its part would hold too many more tasks than another

/** One term of a score; `unit` says what `value` is. */
export interface ScoreTerm {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface Candidate {
  readonly nodeId: NodeId;
  readonly siteId: SiteId;
  /** Lower is better. */
  readonly score: number;
  readonly terms: readonly ScoreTerm[];
}

/** Kept with every placement: the best candidates and how many nodes fell to which rejection. */
export interface Explanation {
  /** Policy and its version that decided. */
  readonly policy: string;
  /** Scheduling round, counted per scheduler process. */
  readonly round: number;
  /** Instant of the round, ISO 8601. */
  readonly decidedAt: string;
  /** At most 20, best first; the chosen ones are the first `nodes` of them. */
  readonly candidates: readonly Candidate[];
  /** Nodes that could have taken the job. */
  readonly feasibleCount: number;
  readonly rejections: Readonly<Partial<Record<RejectionCode, number>>>;
}

/** What must hold of other jobs of the tenant where a job is placed: the commit looks again, since other planners place jobs, too. */
export interface NeighbourTerm {
  /** Jobs that have all these labels, each with one of the values; tasks of an array; or those whose required `antiAffinity` at this level means the job. */
  readonly meant:
    | { readonly labels: Readonly<Record<string, readonly string[]>> }
    | { readonly array: string }
    | { readonly keeping: true };
  /** The part of the fleet in which each rank of the job stands; null: wherever. */
  readonly level: DomainLevel | null;
  /** How many ranks of them may stand there, ≥ 0. */
  readonly most: number;
}

export interface Placement {
  readonly jobId: JobId;
  /** Revision of the job that was planned; a job that changed since is refused. */
  readonly jobRevision: bigint;
  readonly siteId: SiteId;
  /** One entry a rank, in rank order; never empty. */
  readonly ranks: readonly RankPlacement[];
  readonly explanation: Explanation;
  /** Left out: nothing. */
  readonly neighbours?: readonly NeighbourTerm[];
  /** When nodes are reserved: what the commit checks against the calendar. Left out: stands on no reserved node. */
  readonly calendar?: {
    /** By when it is taken to have ended, epoch milliseconds. */
    readonly endsBy: number;
    /** Ids of the reservations that it belongs to. */
    readonly reservations: readonly string[];
  };
}

/** Waiting as a placement: not before this instant, and why that is better. */
export interface Deferral {
  readonly jobId: JobId;
  readonly until: Date;
  readonly reason: PendingReason;
}

/** Coded reason of a job that stays queued, and what would unblock it. */
export interface PendingVerdict {
  readonly jobId: JobId;
  readonly reason: PendingReason;
  readonly detail: {
    /** One sentence for people. */
    readonly message: string;
    readonly rejections?: Readonly<Partial<Record<RejectionCode, number>>>;
    /** When it is expected to start, ISO 8601; left out: nobody knows. */
    readonly expectedAt?: string;
    /** Jobs, of anybody, that go before it for the same kind of thing; left out: it stands in no line that was looked at so far. */
    readonly ahead?: number;
  };
}

export interface Preemption {
  readonly jobId: JobId;
  /** A job, or who reserved the nodes; null: nobody, a budget is used up. */
  readonly inFavourOf: JobId | ReservationId | null;
}

export interface Plan {
  readonly round: number;
  /** In priority order; earlier ones win. */
  readonly placements: readonly Placement[];
  readonly deferrals: readonly Deferral[];
  readonly preemptions: readonly Preemption[];
  readonly pending: readonly PendingVerdict[];
}

/** Why a placement was not committed; it returns to the queue. */
export type RefusalCode =
  | 'job_changed' // no longer queued, or another revision
  | 'capacity_taken'
  | 'node_changed' // lost, cordoned, or no longer there
  | 'invalid'; // the plan contradicts itself (a bug of the planner)

export interface CommittedPlacement {
  readonly jobId: JobId;
  readonly attemptId: string;
  readonly allocationId: string;
  readonly token: bigint;
}

export interface RefusedPlacement {
  readonly jobId: JobId;
  readonly code: RefusalCode;
  readonly detail: string;
}

/** Partial success is a value. */
export interface CommitResult {
  readonly committed: readonly CommittedPlacement[];
  readonly refused: readonly RefusedPlacement[];
}
