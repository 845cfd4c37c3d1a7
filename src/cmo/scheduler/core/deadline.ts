/**
 * Deadlines: a job that must start soon takes the turn of one that arrived earlier.
 *
 * Its turn is what is left until its latest start (deadline less expected run time: its laxity), less a day, when that is before its
 * arrival. So of jobs with deadlines the one with the least laxity goes first, others are passed over only by those whose latest
 * start is less than a day after their arrival, and the order never changes while they wait: it costs nothing, and nobody waits for ever.
 * Whose deadline could not be met when it arrived has no turn to gain and goes by arrival.
 */
import { likelySecondsOf } from './backfill/run-class.ts';
import type { PendingJob } from './snapshot.ts';

const leadMs = 86_400_000;

type Timed = Pick<PendingJob, 'submittedAt' | 'deadline' | 'runTime' | 'patienceSeconds'>;

/** The instant at which a job must start to meet its deadline, epoch milliseconds; undefined without a deadline. */
export function latestStartOf({ deadline, runTime }: Pick<PendingJob, 'deadline' | 'runTime'>): number | undefined {
  if (deadline === undefined || !Number.isFinite(deadline)) return undefined;
  return deadline - 1000 * (likelySecondsOf(runTime) ?? 0);
}

/** By what a job goes before another of its priority and account: the less, the sooner. */
export function turnOf(job: Timed): number {
  const patient = job.submittedAt + 1000 * (job.patienceSeconds ?? 0);
  const latest = latestStartOf(job);
  if (latest === undefined || latest < job.submittedAt) return patient;
  return Math.min(patient, latest - leadMs);
}

/** What a verdict says of a deadline that cannot be met any more; undefined while it can, or without one. */
export function missedDeadline(job: Timed, now: number): string | undefined {
  const latest = latestStartOf(job);
  if (latest === undefined || latest >= now) return undefined;
  const deadline = new Date(job.deadline!).toISOString();
  if (job.deadline! <= now) return `Its deadline ${deadline} has passed.`;
  return `Its deadline ${deadline} cannot be met any more: it is expected to run longer than is left.`;
}
