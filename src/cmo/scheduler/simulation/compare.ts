/**
 * Two policies on the same jobs, job by job: the second less the first.
 *
 * Waits of neighbouring jobs depend on each other, so an interval over single jobs would be far too narrow. The differences are averaged over
 * ten consecutive pieces of the trace, and the interval is Student's over those (batch means, Law & Kelton).
 */
import { mean } from './figures.ts';
import type { SimulationResult } from './simulate.ts';
import type { SimulatedJob } from './workload.ts';

const pieces = 10;
/** Student's t of 97.5 % with nine degrees of freedom. */
const studentT = 2.262;

export interface Difference {
  readonly metric: 'wait' | 'completion' | 'boundedSlowdown';
  readonly unit: 's' | '×';
  /** Second less first, mean over the jobs that ended under both, and its 95 % interval; null with fewer than ten jobs. */
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Jobs for which the second was smaller, equal, larger. */
  readonly smaller: number;
  readonly equal: number;
  readonly larger: number;
}

type Measure = (job: SimulatedJob, outcome: SimulationResult['outcomes'][number]) => number;

const completion: Measure = ({ submittedAt }, { endedAt }) => endedAt - submittedAt;
const measures: readonly (readonly [Difference['metric'], Difference['unit'], Measure])[] = [
  ['wait', 's', ({ submittedAt }, { lastStart }) => lastStart - submittedAt],
  ['completion', 's', completion],
  ['boundedSlowdown', '×', (job, outcome) => Math.max(1, completion(job, outcome) / Math.max(job.runSeconds, 10))],
];

export function differences(
  jobs: readonly SimulatedJob[],
  first: SimulationResult,
  second: SimulationResult,
): Difference[] {
  const both = jobs.filter(
    ({ index }) => !Number.isNaN(first.outcomes[index]!.endedAt + second.outcomes[index]!.endedAt),
  );
  return measures.map(([metric, unit, measure]) => {
    const all = both.map((job) => measure(job, second.outcomes[job.index]!) - measure(job, first.outcomes[job.index]!));
    return {
      metric,
      unit,
      mean: mean(all),
      ...intervalOf(all),
      smaller: all.filter((one) => one < 0).length,
      equal: all.filter((one) => one === 0).length,
      larger: all.filter((one) => one > 0).length,
    };
  });
}

function intervalOf(values: readonly number[]): Pick<Difference, 'low' | 'high'> {
  if (values.length < pieces) return { low: null, high: null };
  const means = Array.from({ length: pieces }, (_, i) =>
    mean(values.slice(Math.floor((values.length * i) / pieces), Math.floor((values.length * (i + 1)) / pieces))),
  );
  const centre = mean(means);
  const variance = means.reduce((sum, one) => sum + (one - centre) ** 2, 0) / (pieces - 1);
  const half = studentT * Math.sqrt(variance / pieces);
  return { low: centre - half, high: centre + half };
}
