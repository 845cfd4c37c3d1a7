/**
 * Quasi-shortest-service-first (Hu et al., Helios, SC'21): least predicted GPU time first, nothing passes the first.
 *
 * Their predictor is half a rolling estimate by user, name and size, half a gradient-boosted one on the same features. The rolling one is
 * ported: the faded mean of jobs of the same user, name and size, else of the same user and size, else of the size, else all.
 */
import type { SimJob } from '../sim-job.ts';
import type { Policy } from '../simulate.ts';
import { notBefore, sortBy } from './plain.ts';

const FADE = 0.8;

export function qssf(passing: Policy['passing'] = 'none'): Policy {
  const means = new Map<string, number>();
  const believed = new Map<SimJob, number>();
  const keys = (job: SimJob) => [
    `${job.user} ${job.name} ${job.size}`,
    `${job.user} ${job.size}`,
    `size ${job.size}`,
    'all',
  ];
  const guess = (job: SimJob) => believed.get(job)!;
  return {
    name: passing === 'none' ? 'QSSF' : 'QSSF+skip',
    passing,
    order: sortBy((job) => guess(job) * job.size),
    submitted(job) {
      const known = keys(job).find((key) => means.has(key));
      believed.set(job, known === undefined ? (job.estimateSeconds ?? 3600) : means.get(known)!);
    },
    ended(job) {
      for (const key of keys(job)) {
        means.set(key, FADE * (means.get(key) ?? job.runSeconds) + (1 - FADE) * job.runSeconds);
      }
    },
    endsAt: (job, now) => notBefore(now, job.startedAt + guess(job)),
    runSeconds: guess,
  };
}
