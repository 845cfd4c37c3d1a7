/**
 * How good the predictions themselves are, beside those of others: for each job at its start, with what had ended by then under EASY.
 *
 * Accuracy is Tsafrir's (TPDS 2007): the lesser of prediction and run time over the greater, 1 for a job predicted right, on average over jobs;
 * who has nothing to say of a job scores 0. A P90 is good when nine of ten jobs run no longer, and no more than that. The oracle knows.
 */
import { RunTimePredictor, type TrackedJob } from '../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import type { BenchmarkCase } from '../harness.ts';
import { mean } from '../statistics.ts';
import type { SimJob } from './sim-job.ts';

/** Seconds that a job is said to run; undefined: nobody knows. */
interface Said {
  readonly job: SimJob;
  readonly median: number | undefined;
  readonly p90: number | undefined;
  readonly lastTwo: number | undefined;
}

/** What was said of each job when it started. @param jobs as a simulation left them */
function sayAll(jobs: readonly SimJob[]): Said[] {
  const predictor = new RunTimePredictor();
  const followed = new Map<SimJob, TrackedJob>();
  const lastRuns = new Map<string, number[]>();
  const said: Said[] = [];
  // At one instant what ends is known to what starts, and what starts has been submitted.
  const events = jobs.flatMap((job) => [
    { at: job.endedAt, kind: job.runSeconds > 0 ? 0 : 3, job },
    { at: job.submittedAt, kind: 1, job },
    { at: job.startedAt, kind: 2, job },
  ]);
  events.sort((a, b) => a.at - b.at || a.kind - b.kind || a.job.index - b.job.index);
  for (const { at, kind, job } of events) {
    predictor.advance(at);
    if (kind === 1) {
      followed.set(job, predictor.submitted(job));
      continue;
    }
    const tracked = followed.get(job)!;
    const runs = lastRuns.get(job.user) ?? [];
    if (kind === 2) {
      const { source, p50, p90 } = predictor.predict(tracked);
      const isKnown = source !== 'prior';
      const estimate = job.estimateSeconds ?? undefined;
      const last = runs.length === 0 ? estimate : Math.min(mean(runs), estimate ?? Number.POSITIVE_INFINITY);
      said.push({ job, median: isKnown ? p50 : undefined, p90: isKnown ? p90 : undefined, lastTwo: last });
      predictor.started(tracked, at);
    } else {
      predictor.ended(tracked, at);
      lastRuns.set(job.user, [...runs, job.runSeconds].slice(-2));
    }
  }
  return said;
}

/** @param jobs as EASY left them */
export function predictionCases(name: string, jobs: readonly SimJob[]): BenchmarkCase[] {
  const said = sayAll(jobs);
  const hasEstimates = jobs.some(({ estimateSeconds }) => estimateSeconds !== null);
  const estimateOf = ({ job }: Said) => job.estimateSeconds ?? undefined;
  const row = (
    metric: string,
    ours: number,
    score: (of: (said: Said) => number | undefined) => number,
  ): BenchmarkCase => ({
    case: name,
    metric,
    unit: '%',
    ours,
    peers: {
      'last-two': score(({ lastTwo }) => lastTwo),
      ...(hasEstimates && { 'user estimates': score(estimateOf) }),
      oracle: score(({ job }) => job.runSeconds),
    },
  });
  const accuracy = (of: (one: Said) => number | undefined) =>
    100 * mean(said.map((one) => likeness(of(one), one.job.runSeconds)));
  const within = (of: (one: Said) => number | undefined) => {
    const known = said.filter((one) => of(one) !== undefined);
    return known.length === 0 ? 0 : (100 * known.filter((one) => one.job.runSeconds <= of(one)!).length) / known.length;
  };
  return [
    row(
      'run time foreseen: accuracy',
      accuracy(({ median }) => median),
      accuracy,
    ),
    row(
      'runs no longer than said (ours: P90)',
      within(({ p90 }) => p90),
      within,
    ),
  ];
}

/** 0..1; what is below a second counts as one. */
function likeness(said: number | undefined, ran: number): number {
  if (said === undefined) return 0;
  const [a, b] = [Math.max(1, said), Math.max(1, ran)];
  return Math.min(a, b) / Math.max(a, b);
}
