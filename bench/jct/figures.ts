/** What a simulation came to. */
import { mean, percentile } from '../statistics.ts';
import type { SimJob } from './sim-job.ts';

export interface Figures {
  /** From submission to end, seconds. */
  readonly meanCompletion: number;
  readonly p99Completion: number;
  readonly meanWait: number;
  readonly longestWait: number;
  /** Mean of max(1, completion ÷ max(run time, 10 s)) (Feitelson & Rudolph 1998). */
  readonly boundedSlowdown: number;
}

export function figuresOf(jobs: readonly SimJob[]): Figures {
  const completion = jobs.map((job) => job.endedAt - job.submittedAt);
  const wait = jobs.map((job, i) => completion[i]! - job.runSeconds);
  return {
    meanCompletion: mean(completion),
    p99Completion: percentile(completion, 0.99),
    meanWait: mean(wait),
    longestWait: wait.reduce((most, one) => Math.max(most, one), 0),
    boundedSlowdown: mean(jobs.map((job, i) => Math.max(1, completion[i]! / Math.max(job.runSeconds, 10)))),
  };
}
