/** What the predictor says of a job, as the queue and rounds use it. */
import type { ExpectedRunTime } from '../core/backfill/run-class.ts';
import type { JobTraits } from '../job-traits.ts';
import type { JobFeatures } from '../prediction/job-features.ts';
import type { RunTimePredictor, TrackedJob } from '../prediction/run-time-predictor.ts';

/** @param elapsedSeconds how long it has run, ≥ 0 @returns undefined when nobody knows */
export function expectedRunTime(
  predictor: RunTimePredictor,
  job: TrackedJob,
  { runSeconds }: Pick<JobTraits, 'runSeconds'>,
  elapsedSeconds = 0,
): ExpectedRunTime | undefined {
  const { source, p50, p90, meanSeconds } = predictor.predict(job, elapsedSeconds);
  const limit = runSeconds ?? Number.POSITIVE_INFINITY;
  if (source === 'prior') {
    if (runSeconds === null) return undefined;
    return { likelySeconds: runSeconds, carefulSeconds: runSeconds, meanSeconds: runSeconds };
  }
  return {
    likelySeconds: Math.min(p50, limit),
    carefulSeconds: Math.min(p90, limit),
    meanSeconds: Math.min(meanSeconds, limit),
  };
}

/** @param at when it was submitted, epoch milliseconds */
export function featuresOf({ user, name, size, runSeconds }: JobTraits, at: number): JobFeatures {
  return { user, name, size, estimateSeconds: runSeconds, submittedAt: at / 1000 };
}
