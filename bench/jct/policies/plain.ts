/** The policies that learn nothing: FIFO, EASY on users' estimates, small first, and the oracles that read the trace's future. */

import type { SimJob } from '../sim-job.ts';
import type { Policy } from '../simulate.ts';

/** A believed end that has passed is "any moment now". */
export const notBefore = (now: number, endsAt: number) => Math.max(now + 1, endsAt);
/** The user's estimate, or, where a trace has none, nothing is believed to end soon. */
export const estimateOf = (job: SimJob) => job.estimateSeconds ?? Number.MAX_SAFE_INTEGER;

const byEstimate = {
  endsAt: (job: SimJob, now: number) => notBefore(now, job.startedAt + estimateOf(job)),
  runSeconds: estimateOf,
};

export const fifo = (): Policy => ({ name: 'FIFO', passing: 'none', ...byEstimate });
export const fifoSkip = (): Policy => ({ name: 'FIFO+skip', passing: 'any', ...byEstimate });
/** Lifka 1995, as in most batch systems. Without estimates it is FIFO+skip on the resources beside the reservation. */
export const easy = (): Policy => ({ name: 'EASY', passing: 'backfill', ...byEstimate });

/** Sorts by a fixed key; equal keys stay in order of submission. */
export const sortBy = (key: (job: SimJob) => number) => (queue: SimJob[]) => {
  queue.sort((a, b) => key(a) - key(b) || a.index - b.index);
};

export const smallFirst = (): Policy => ({
  name: 'small-first',
  passing: 'any',
  order: sortBy((job) => job.size),
  ...byEstimate,
});

/** Shortest job first, knowing run times. */
export const oracleSjf = (passing: Policy['passing'] = 'backfill'): Policy => ({
  name: 'oracle SJF',
  passing,
  order: sortBy((job) => job.runSeconds),
  endsAt: (job) => job.endedAt,
  runSeconds: (job) => job.runSeconds,
});

/** Least work first, knowing run times. */
export const oracleArea = (): Policy => ({
  ...oracleSjf(),
  name: 'oracle area',
  order: sortBy((job) => job.runSeconds * job.size),
});
