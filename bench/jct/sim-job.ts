/** A job of a trace, and what a simulation did with it. */

import type { TraceJob } from '../../src/cmo/scheduler/simulation/traces/trace-job.ts';
import type { Held } from './order/backfill.ts';

export interface SimJob extends TraceJob {
  /** Place in the trace, by submission. */
  readonly index: number;
  /** Epoch seconds of the (last) start; NaN before. */
  startedAt: number;
  endedAt: number;
  held: readonly Held[];
}

/** Fresh jobs for one simulation. */
export function simJobs(trace: readonly TraceJob[]): SimJob[] {
  return trace.map((job, index) => ({ ...job, index, startedAt: Number.NaN, endedAt: Number.NaN, held: [] }));
}
