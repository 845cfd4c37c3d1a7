/** Preemptive policies: Tiresias, the oracle, ours. */
import { meanSeconds } from '../../../src/cmo/scheduler/prediction/distribution.ts';
import { RunTimePredictor, type TrackedJob } from '../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { type ActiveJob, LOST_SECONDS, type PreemptivePolicy } from '../simulate-preemptive.ts';

/** Service (GPU-seconds) after which Tiresias moves a job to its second queue; our choice, the paper leaves it to be tuned. */
const TIRESIAS_LIMIT = 3600;

/** Tiresias 2D-LAS (Gu et al., NSDI'19), discretised into two queues: least attained service (size × time) first, FIFO inside a queue. */
export const tiresias = (): PreemptivePolicy => {
  const served = ({ job, done }: ActiveJob) => job.size * done;
  return {
    name: 'Tiresias 2D-LAS',
    key: (active) => (served(active) >= TIRESIAS_LIMIT - 1e-3 ? 1 : 0),
    changesIn: (active) =>
      served(active) >= TIRESIAS_LIMIT - 1e-3
        ? Number.POSITIVE_INFINITY
        : (TIRESIAS_LIMIT - served(active)) / active.job.size,
  };
};

/** Shortest remaining time first, knowing run times; a running job is worth what its preemption would cost. */
export const oracleSrtf = (): PreemptivePolicy => ({
  name: 'oracle SRTF',
  key: ({ left, running }) => left - (running ? LOST_SECONDS : 0),
});

/**
 * Least predicted remaining work first. Preempting costs the victim's nodes `LOST_SECONDS` again, so a running job keeps its place
 * until somebody's work is less than its own by the loss, both ways (it will have to come back).
 */
export function predictedRemainingWork(): PreemptivePolicy {
  const predictor = new RunTimePredictor();
  const followed = new Map<ActiveJob, { job: TrackedJob; at: number; remaining: number }>();
  return {
    name: 'predicted work',
    submitted(active, now) {
      followed.set(active, { job: predictor.submitted(active.job), at: Number.NEGATIVE_INFINITY, remaining: 0 });
      predictor.advance(now);
    },
    advance: (now) => predictor.advance(now),
    started(active, now) {
      predictor.started(followed.get(active)!.job, now, active.done);
    },
    stopped(active, now, finished) {
      predictor.ended(followed.get(active)!.job, now, finished ? 'finished' : 'stopped');
      if (finished) followed.delete(active);
    },
    key(active, now) {
      const known = followed.get(active)!;
      if (now - known.at > 300) {
        known.at = now;
        known.remaining = Math.max(1, meanSeconds(predictor.distribution(known.job, active.done)) - active.done);
      }
      const loss = active.running ? 2 * LOST_SECONDS : 0;
      return (known.remaining - loss) * active.job.size;
    },
  };
}
