/** What came of a round. Verdicts are by group of jobs, since a million waiting jobs share a few reasons. */
import type { Placement, Preemption } from '../../../../common/contract/plan.ts';
import type { JobFacts } from '../job-record.ts';
import type { Stretch } from '../stretch.ts';
import type { Verdict } from '../verdict.ts';

/** Jobs that share a reason, valid until the queue changes; the sentence is worked out when it is asked for. */
export interface VerdictGroup {
  readonly jobs: Stretch;
  readonly reason: Verdict['reason'];
  /** Jobs that are equal in all but their ids have the same. */
  detail(job: JobFacts): Verdict['detail'];
}

export interface RoundOutcome {
  readonly placements: readonly Placement[];
  /** Work that is to be ended, and for which job. */
  readonly preemptions: readonly Preemption[];
  readonly verdicts: readonly VerdictGroup[];
  /** Jobs that nodes are kept for. */
  readonly kept: readonly string[];
  /** Whether the round ended by `maxPlacements`; jobs it did not reach keep the verdict they have. */
  readonly full: boolean;
}
