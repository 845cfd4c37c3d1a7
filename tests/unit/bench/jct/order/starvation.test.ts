import { describe, expect, it } from 'vitest';
import { Cluster } from '../../../../../bench/jct/cluster.ts';
import {
  defaultStarvationRule,
  dueAfterSeconds,
  FirstInLine,
  type StarvationRule,
} from '../../../../../bench/jct/order/starvation.ts';
import { predictedWork } from '../../../../../bench/jct/policies/predicted-work.ts';
import { simJobs } from '../../../../../bench/jct/sim-job.ts';
import { simulate } from '../../../../../bench/jct/simulate.ts';
import type { TraceJob } from '../../../../../src/cmo/scheduler/simulation/traces/trace-job.ts';
import { uniform } from '../../../cmo/scheduler/prediction/support.ts';

const HOUR = 3600;
const rule: StarvationRule = {
  dueAfterRunTimes: 30,
  leastSeconds: 2 * HOUR,
  mostSeconds: 4 * HOUR,
  keepAfterSeconds: HOUR,
  dueShare: 0.25,
};

describe('when a job is due', () => {
  it('is a multiple of its run time, within its limits', () => {
    expect(dueAfterSeconds(rule, 60)).toBe(2 * HOUR);
    expect(dueAfterSeconds(rule, 300)).toBe(9000);
    expect(dueAfterSeconds(rule, 1e6)).toBe(4 * HOUR);
  });

  it.each([Number.NaN, -1, 0])('is the least for a run time of %d', (mean) => {
    expect(dueAfterSeconds(rule, mean)).toBe(rule.leastSeconds);
  });

  it('is never later than the most, whatever is predicted', () => {
    expect(dueAfterSeconds(defaultStarvationRule, Number.POSITIVE_INFINITY)).toBe(defaultStarvationRule.mostSeconds);
  });
});

describe('keeping nodes', () => {
  it('begins when one due job has been first for long enough', () => {
    const line = new FirstInLine(rule);
    expect(line.needsNodesKept('a', true, 0)).toBe(false);
    expect(line.needsNodesKept('a', true, HOUR - 1)).toBe(false);
    expect(line.needsNodesKept('a', true, HOUR)).toBe(true);
  });

  it('begins anew with another first job', () => {
    const line = new FirstInLine(rule);
    line.needsNodesKept('a', true, 0);
    expect(line.needsNodesKept('b', true, HOUR)).toBe(false);
    expect(line.needsNodesKept('b', true, 2 * HOUR)).toBe(true);
  });

  it('is not for jobs that are not due', () => {
    const line = new FirstInLine(rule);
    expect(line.needsNodesKept('a', false, 0)).toBe(false);
    expect(line.needsNodesKept('a', false, 10 * HOUR)).toBe(false);
    expect(line.needsNodesKept('a', true, 10 * HOUR)).toBe(false);
  });
});

describe('the bound on waiting', () => {
  /** Small jobs without end, more than the cluster can take, and now and then one that needs all of it. */
  const flood = (seed: number, count: number): TraceJob[] => {
    const random = uniform(seed);
    const jobs: TraceJob[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      at += random() * 100;
      const isWide = i % 200 === 50;
      jobs.push({
        id: String(i),
        submittedAt: at,
        // Seven of eight are as short as predicted, the rest lies to the predictor.
        runSeconds: isWide ? 2000 : random() < 0.875 ? 200 : 4000,
        size: isWide ? 16 : 1,
        estimateSeconds: null,
        user: isWide ? 'wide' : `u${Math.floor(random() * 4)}`,
        name: '',
      });
    }
    return jobs;
  };

  const waits = (seed: number, starvation: StarvationRule, count = 700) => {
    const jobs = simJobs(flood(seed, count));
    simulate(jobs, new Cluster(1, 16), predictedWork(16, { rule: starvation }));
    return jobs.map((job) => ({ job, wait: job.startedAt - job.submittedAt }));
  };

  it.each([1, 2, 3])('holds for every job under a flood of smaller ones (seed %d)', (seed) => {
    const all = waits(seed, rule);
    const longest = Math.max(...all.map(({ job }) => job.runSeconds));
    const rounds = all.flatMap(({ job }) => [job.submittedAt, job.endedAt]).sort((a, b) => a - b);
    const gap = Math.max(...rounds.slice(1).map((at, i) => at - rounds[i]!));
    for (const { job, wait } of all) {
      const dueAt = job.submittedAt + rule.mostSeconds;
      const before = all.filter(({ job: other }) => other.index < job.index && other.startedAt > dueAt).length;
      expect(wait).toBeLessThanOrEqual(
        rule.mostSeconds +
          gap +
          (before + 1) * (rule.mostSeconds / rule.dueShare + rule.keepAfterSeconds + 2 * gap + longest),
      );
    }
  });

  it('is what protects wide jobs: without it they wait for the end of the flood', () => {
    const never: StarvationRule = { ...rule, leastSeconds: 1e12, mostSeconds: 1e12 };
    const wide = (starvation: StarvationRule) =>
      Math.max(
        ...waits(1, starvation, 1500)
          .filter(({ job }) => job.size === 16)
          .map(({ wait }) => wait),
      );
    // With all of the cluster for due jobs, so that the flood's own due jobs hold nobody up.
    expect(wide({ ...rule, dueShare: 1 })).toBeLessThan(wide(never) / 1.5);
  });
});
