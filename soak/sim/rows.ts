/** The rows of jobs and attempts as PostgreSQL would hold them, with the part of a spec that decisions look at. */

import type { AttemptRow, JobRow, RankRow } from '../../src/cmo/jobs/index.ts';
import type { Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import type { RetryReason } from '../../src/common/contract/job-spec.ts';
import type { Placement } from '../../src/common/contract/plan.ts';
import type { Start } from './machine.ts';

export interface SimSpec {
  readonly onDisconnect: { readonly stopAfter: number } | 'keep';
  readonly retries: Readonly<Record<RetryReason, number>>;
}

export interface SimJob
  extends Pick<
    JobRow,
    'id' | 'tenant' | 'state' | 'stop_reason' | 'retries_used' | 'revision' | 'newest_token' | 'attempt_count'
  > {
  readonly spec: SimSpec;
  readonly shape: Shape;
  readonly priority: number;
  readonly submittedAt: number;
  /** When it joined the queue last, and before which it may not start, epoch milliseconds. */
  queuedAt: number;
  notBefore: number;
  /** What its processes do, by the number of the attempt. */
  readonly script: (attempt: number) => Pick<Start, 'startMs' | 'runMs' | 'end' | 'stopMs' | 'forgetsTimes'>;
}

export interface SimAttempt
  extends Pick<
    AttemptRow,
    | 'id'
    | 'job_id'
    | 'number'
    | 'token'
    | 'state'
    | 'state_before_unknown'
    | 'stop_reason'
    | 'placed_at'
    | 'starting_at'
    | 'outcome'
  > {
  ranks: RankRow[];
  readonly holds: Placement['ranks'];
}
