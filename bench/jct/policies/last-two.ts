/** Tsafrir et al. (TPDS 2007): a job runs as long as the mean of its user's last two, never longer than the estimate. */
import type { SimJob } from '../sim-job.ts';
import type { Policy } from '../simulate.ts';
import { estimateOf, notBefore, sortBy } from './plain.ts';

/** @param order `arrival`: EASY with better ends; `shortest`: SJF with backfill on them */
export function lastTwo(order: 'arrival' | 'shortest'): Policy {
  const lastRuns = new Map<string, number[]>();
  const believed = new Map<SimJob, number>();
  const guess = (job: SimJob) => believed.get(job)!;
  return {
    name: order === 'arrival' ? 'last-two' : 'last-two SJF',
    passing: 'backfill',
    ...(order === 'shortest' && { order: sortBy(guess) }),
    submitted(job) {
      const runs = lastRuns.get(job.user);
      const mean = runs === undefined ? estimateOf(job) : runs.reduce((sum, run) => sum + run, 0) / runs.length;
      believed.set(job, Math.min(mean, estimateOf(job)));
    },
    ended(job) {
      lastRuns.set(job.user, [...(lastRuns.get(job.user) ?? []), job.runSeconds].slice(-2));
    },
    endsAt(job, now) {
      // A guess that was too short is replaced by the estimate, as there.
      const end = job.startedAt + guess(job);
      return notBefore(now, end > now ? end : job.startedAt + estimateOf(job));
    },
    runSeconds: guess,
  };
}
