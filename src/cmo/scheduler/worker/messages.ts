/**
 * What main thread and worker say to each other. Rows in, plans out; plans are pulled in pieces, since reading a thousand explained
 * placements at once would hold the main thread up for longer than 10 ms.
 */
import type { PendingVerdict, Placement, Preemption, RefusalCode } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import type { Booking } from '../core/calendar/booking.ts';
import type { NodeRow, SiteRow } from '../core/rows.ts';
import type { AccountRow } from '../core/shares/account.ts';
import type { PendingJob, Policy } from '../core/snapshot.ts';
import type { History } from '../history-rows.ts';
import type { JobTraits } from '../job-traits.ts';
import type { RunningRow } from '../running-rows.ts';

/** A queued job and the reason that its row carries. */
export interface QueuedJob {
  readonly job: PendingJob;
  readonly reason: PendingReason;
  /** From which its run time is predicted. */
  readonly traits?: JobTraits;
  /** Ids of others that are equal to it in all else, traits included: the tasks of an array are one message. */
  readonly alike?: readonly string[];
}

/** What was read again: by id, null for what is no more. */
export interface Delta {
  readonly sites?: readonly (readonly [id: string, row: SiteRow | null])[];
  readonly nodes?: readonly (readonly [id: string, row: NodeRow | null])[];
  readonly jobs?: readonly (readonly [id: string, row: QueuedJob | null])[];
  /** Of what holds capacity; of what does not any more whether it ended by itself. */
  readonly running?: readonly (readonly [id: string, row: RunningRow | null, finished?: boolean])[];
  /** All accounts, checked. */
  readonly accounts?: readonly AccountRow[];
  /** All reservations of nodes. */
  readonly calendar?: readonly Booking[];
  /** What was before this process; once, and first. */
  readonly history?: History;
  /** When it was read, epoch milliseconds; needed with `running` and `jobs`. */
  readonly now?: number;
}

/** How a plan's placements ended. `unknown`: the commit failed and nobody knows; their rows are read again. */
export interface Settlement {
  readonly committed: readonly string[];
  readonly refused: readonly { readonly jobId: string; readonly code: RefusalCode }[];
  readonly unknown: readonly string[];
}

export type ComparedKind = 'site' | 'node' | 'job';

export type Request =
  | { readonly type: 'round'; readonly now: number; readonly policy: Policy; readonly recordTo: string | null }
  | { readonly type: 'placements'; readonly from: number; readonly count: number }
  | { readonly type: 'verdicts'; readonly from: number; readonly count: number }
  /** Rows as the database has them, against what is held; and the next held ids in turn, for the other direction. */
  | {
      readonly type: 'compare';
      readonly kind: ComparedKind;
      readonly rows: readonly (readonly [id: string, revision: number])[];
      readonly count: number;
    };

export interface RoundSummary {
  readonly round: number;
  readonly placementCount: number;
  /** Work to be ended for others. */
  readonly preemptions: readonly Preemption[];
  /** Verdicts that differ from what the rows say. */
  readonly verdictCount: number;
  /** The round ended by `maxPlacements`. */
  readonly full: boolean;
  /** Time in the worker, seconds. */
  readonly seconds: number;
  /** When the next job that waits for its time may start, epoch milliseconds; null when none waits. */
  readonly nextAt: number | null;
  /** Queued jobs by the reason that they carry. */
  readonly pending: Readonly<Partial<Record<PendingReason, number>>>;
}

export interface Comparison {
  /** Ids among the rows whose revision is not the one held. */
  readonly differing: readonly string[];
  /** Ids that are held, to be looked up among the rows. */
  readonly held: readonly string[];
}

export interface Answers {
  readonly round: RoundSummary;
  readonly placements: readonly Placement[];
  readonly verdicts: readonly PendingVerdict[];
  readonly compare: Comparison;
}

export type ToWorker =
  | { readonly type: 'reset' }
  | { readonly type: 'apply'; readonly delta: Delta }
  | { readonly type: 'settle'; readonly settlement: Settlement }
  | { readonly type: 'call'; readonly call: number; readonly request: Request };

export type FromWorker =
  | { readonly call: number; readonly answer: Answers[keyof Answers] }
  | { readonly call: number; readonly error: string };
