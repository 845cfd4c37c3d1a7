/**
 * `schedule(snapshot, pending, policy, now) → Plan`: one scheduling round as a pure function. Simulator, quotes and production call it.
 * How a round goes is in `round/round.ts`.
 */
import type { Plan } from '../../../common/contract/plan.ts';
import type { JobId } from '../../../common/ids.ts';
import { projectsApart } from './calendar/booking.ts';
import { compareJobs } from './job-record.ts';
import { baseOf } from './neighbours/rules.ts';
import { PendingQueue } from './pending-queue.ts';
import { checkPolicy } from './policy.ts';
import type { RoundOutcome } from './round/outcome.ts';
import { Round } from './round/round.ts';
import { accountsOf } from './shares/check-accounts.ts';
import type { ExpectedShape, PendingJob, Policy, Shape, Snapshot } from './snapshot.ts';
import { StandingFleet } from './standing-fleet.ts';

export type { RoundOutcome, VerdictGroup } from './round/outcome.ts';

/**
 * Plans one round.
 * @param pending queued jobs in any order; of several with one id the last counts
 * @param now epoch milliseconds
 * @param round counted by the caller, for explanations
 * @returns placements in order, and a verdict for each job that was reached and not placed
 * @throws InvalidPolicyError, InvalidAccountsError, or RangeError when `now` is no instant
 */
export function schedule(
  snapshot: Snapshot,
  pending: Iterable<PendingJob>,
  policy: Policy,
  now: number,
  round = 0,
): Plan {
  // In order from the start, so that the plan does not depend on the order in which jobs were given.
  const jobs = [...new Map([...pending].map((job) => [job.id, job])).values()].sort(compareJobs);
  const outcome = planRound(
    snapshot,
    new PendingQueue(jobs, accountsOf(snapshot), projectsApart(snapshot.calendar), policy.order),
    policy,
    now,
    round,
  );
  return planOf(outcome, round);
}

/** The outcome as a plan: with a verdict for each job. */
export function planOf(outcome: RoundOutcome, round: number): Plan {
  return {
    round,
    placements: outcome.placements,
    deferrals: [],
    preemptions: outcome.preemptions,
    pending: outcome.verdicts.flatMap(({ jobs, reason, detail }) =>
      [...jobs].map((job) => ({ jobId: job.id as JobId, reason, detail: detail(job) })),
    ),
  };
}

/**
 * As `schedule`, on a queue that is kept from round to round, and with verdicts by group. Leaves the queue as it is, which must be grouped
 * by the snapshot's accounts.
 * @param standing what is kept from round to round: the plan does not depend on it
 */
export function planRound(
  snapshot: Snapshot,
  queue: PendingQueue,
  policy: Policy,
  now: number,
  round: number,
  standing = new StandingFleet(),
): RoundOutcome {
  checkPolicy(policy);
  if (!(Math.abs(now) <= 8.64e15)) throw new RangeError(`now must be epoch milliseconds, not ${now}`);
  queue.orderBy(policy.order ?? 'arrival');
  const workload = policy.placement === 'least-fragmentation' ? expected(snapshot, queue) : undefined;
  const boards = standing.open(snapshot, workload, policy.placement);
  return new Round(boards.fleet, (shape) => boards.of(shape), accountsOf(snapshot), policy, now, round).run(queue);
}

/** What is expected to come: what came, else what is queued. In a fixed order, so that sums do not depend on that of arrival. */
function expected({ workload }: Snapshot, queue: PendingQueue): readonly ExpectedShape[] {
  if (workload !== undefined && workload.length > 0) return workload;
  const weights = new Map<string, { kind: Shape; weight: number }>();
  for (const group of queue.groups()) {
    if (group.fault !== undefined || group.size === 0) continue;
    const kind = baseOf(group.shape);
    const known = weights.get(kind.key) ?? { kind, weight: 0 };
    known.weight += group.size;
    weights.set(kind.key, known);
  }
  return [...weights.values()].sort((a, b) => (a.kind.key < b.kind.key ? -1 : 1));
}
