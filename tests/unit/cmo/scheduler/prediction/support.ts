/** Jobs for predictions, and a reproducible source of numbers. */
import type { JobFeatures } from '../../../../../src/cmo/scheduler/prediction/job-features.ts';
import type { RunTimePredictor } from '../../../../../src/cmo/scheduler/prediction/run-time-predictor.ts';

export const features = (changes: Partial<JobFeatures> = {}): JobFeatures => ({
  user: 'ada',
  name: 'train',
  size: 1,
  estimateSeconds: null,
  submittedAt: 0,
  ...changes,
});

/** Lehmer's generator: uniform in (0, 1). */
export function uniform(seed: number): () => number {
  let state = (seed * 7919 + 1) % 2147483647;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Log-normal run times, seconds. */
export function logNormal(random: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

/** Submits, starts and ends a job. */
export function runThrough(
  predictor: RunTimePredictor,
  job: Partial<JobFeatures>,
  start: number,
  seconds: number,
): void {
  const tracked = predictor.submitted(features({ submittedAt: start, ...job }));
  predictor.started(tracked, start);
  predictor.ended(tracked, start + seconds);
}
