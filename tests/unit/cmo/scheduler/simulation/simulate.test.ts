import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../../src/cmo/scheduler/core/policy.ts';
import type { Policy } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { accountFiguresOf } from '../../../../../src/cmo/scheduler/simulation/by-account.ts';
import { differences } from '../../../../../src/cmo/scheduler/simulation/compare.ts';
import { figuresOf, jain } from '../../../../../src/cmo/scheduler/simulation/figures.ts';
import { readCluster } from '../../../../../src/cmo/scheduler/simulation/inputs/cluster-file.ts';
import { reportOf } from '../../../../../src/cmo/scheduler/simulation/report/page.ts';
import { seriesOf } from '../../../../../src/cmo/scheduler/simulation/series.ts';
import { simulate } from '../../../../../src/cmo/scheduler/simulation/simulate.ts';
import type { TraceJob } from '../../../../../src/cmo/scheduler/simulation/traces/trace-job.ts';
import { jobsOf } from '../../../../../src/cmo/scheduler/simulation/workload.ts';

const job = (
  id: string,
  submittedAt: number,
  runSeconds: number,
  size: number,
  more: Partial<TraceJob> = {},
): TraceJob => ({
  id,
  submittedAt,
  runSeconds,
  size,
  estimateSeconds: null,
  user: '',
  name: '',
  ...more,
});
const clusterOf = (count: number, more: object = {}) =>
  readCluster({ sites: [{ name: 's', nodes: [{ count, cpu: 8, devices: { count: 4 } }] }], ...more });

async function play(traces: readonly TraceJob[], cluster = clusterOf(1), policy = defaultPolicy, seed = 1) {
  const jobs = jobsOf(traces, 'device', cluster);
  const result = await simulate({ cluster, jobs, policy, seed });
  return { jobs, result, cluster, figures: figuresOf(cluster, jobs, result) };
}

/** Many jobs of a few sizes, the same for every call. */
const many = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    job(`${i}`, 1000 + i * 20, 30 + ((i * 37) % 300), 1 + ((i * 7) % 4), { user: `u${i % 3}` }),
  );

describe('a simulation', () => {
  it('starts jobs when they fit and lets the others wait, in order', async () => {
    const { result, figures } = await play([job('a', 100, 50, 4), job('b', 110, 20, 4), job('c', 120, 10, 4)]);
    expect(result.outcomes.map(({ lastStart, endedAt }) => [lastStart, endedAt])).toEqual([
      [0, 50],
      [50, 70],
      [70, 80],
    ]);
    expect(figures).toMatchObject({
      completed: 3,
      makespanSeconds: 80,
      utilisation: 1,
      waitMedianSeconds: 40,
      waitLongestSeconds: 50,
    });
  });

  it('gives a job that is larger than any node a gang of equal ranks', async () => {
    const { result } = await play([job('a', 0, 10, 10)], clusterOf(3));
    expect(result.runs).toMatchObject([{ job: 0, nodes: [0, 1, 2], milli: 12_000 }]);
  });

  it('names what could never be placed', async () => {
    const { figures, result } = await play([job('a', 0, 10, 100), job('b', 0, 10, 1)], clusterOf(2));
    expect(figures).toMatchObject({ completed: 1, unplaced: 1 });
    expect([...result.unplaced]).toEqual([
      ['Needs 25 nodes at one site; at most 2 at one site could hold a rank. Ask for fewer or smaller ranks.', 1],
    ]);
    expect(result.runs).toHaveLength(1);
  });

  it('shares the fleet between accounts by weight, and says what each of them got', async () => {
    const traces = Array.from({ length: 300 }, (_, i) => job(`${i}`, 0, 100, 1, { user: ['a', 'b', 'c'][i % 3]! }));
    const cluster = clusterOf(3, { accounts: [{ user: 'a', weight: 2 }] });
    const { result, jobs } = await play(traces, cluster);
    // A time in which all three want more than there is.
    const held = new Map<string, number>();
    for (const { job: index, from } of result.runs) {
      const { owner } = jobs[index]!;
      if (from < 1000) held.set(owner, (held.get(owner) ?? 0) + 1);
    }
    expect(Object.fromEntries(held)).toEqual({ a: 60, b: 30, c: 30 });
    const [a, others, ...more] = accountFiguresOf(cluster, jobs, result);
    expect(more).toEqual([]);
    expect(a).toMatchObject({ user: 'a', jobs: 100, completed: 100 });
    expect(others).toMatchObject({ user: null, jobs: 200, completed: 200 });
    expect(a!.heldHours).toBeCloseTo(100 / 36);
    expect(a!.waitMeanSeconds).toBeLessThan(others!.waitMeanSeconds);
  });

  it('keeps accounts within their limits and quotas', async () => {
    const traces = Array.from({ length: 40 }, (_, i) => job(`${i}`, 0, 100, 1, { user: i % 2 ? 'a' : 'b' }));
    const a = { user: 'a', limits: { runningJobs: 1 } };
    const b = { user: 'b', quotas: [{ resource: 'gpu', guaranteed: 2, borrowLimit: 0 }] };
    const { result, jobs } = await play(traces, clusterOf(2, { accounts: [a, b] }));
    const most = new Map<string, number>();
    for (const { from: at } of result.runs) {
      for (const owner of ['a', 'b']) {
        const now = result.runs.filter(({ job: i, from, to }) => jobs[i]!.owner === owner && from <= at && at < to);
        most.set(owner, Math.max(most.get(owner) ?? 0, now.length));
      }
    }
    expect(Object.fromEntries(most)).toEqual({ a: 1, b: 2 });
  });

  it('never holds more than there is', async () => {
    const { result, cluster } = await play(many(300), clusterOf(2));
    const edges = result.runs.flatMap(({ from, to, milli }) => [
      { at: from, milli },
      { at: to, milli: -milli },
    ]);
    let held = 0;
    for (const { milli } of edges.sort((a, b) => a.at - b.at || a.milli - b.milli)) {
      held += milli;
      expect(held).toBeLessThanOrEqual(cluster.nodes.length * 4000);
    }
    expect(held).toBe(0);
  });

  it('runs work of lost nodes again once its end is certain, and counts what was lost', async () => {
    const failures = { meanHoursBetween: 0.5, meanRepairMinutes: 5, confirmSeconds: 90 };
    const { figures, result } = await play(many(200), clusterOf(3, { failures }));
    expect(figures.completed).toBe(200);
    expect(figures.nodeFailures).toBeGreaterThan(0);
    const lost = result.runs.filter((run) => run.lost);
    expect(lost.length).toBeGreaterThan(0);
    for (const run of lost) {
      expect(run.to - run.from).toBeGreaterThanOrEqual(90);
      expect(result.outcomes[run.job]!.lastStart).toBeGreaterThanOrEqual(run.to);
    }
  });

  it('is the same for the same seed, and loses other nodes with another', async () => {
    const failing = clusterOf(3, { failures: { meanHoursBetween: 1 } });
    const [first, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => play(many(150), failing, defaultPolicy, seed)),
    );
    expect(JSON.stringify(again!.result)).toBe(JSON.stringify(first!.result));
    expect(JSON.stringify(other!.result)).not.toBe(JSON.stringify(first!.result));
  });
});

describe('what it came to', () => {
  it('counts a job’s time over, and between, the bins it ran in', async () => {
    const { jobs, result, cluster } = await play([job('a', 0, 240, 2)]);
    const { held, waiting } = seriesOf(cluster, jobs, result, 480);
    expect(held.slice(0, 120).every((share) => Math.abs(share - 0.5) < 1e-9)).toBe(true);
    expect(held.slice(121).every((share) => share === 0)).toBe(true);
    expect(waiting.every((count) => count === 0)).toBe(true);
  });

  it('is fair when all users are served alike', () => {
    expect(jain([0.5, 0.5, 0.5])).toBeCloseTo(1);
    expect(jain([1, 0, 0, 0])).toBeCloseTo(0.25);
    expect(jain([1])).toBeNull();
  });

  it('compares job by job', async () => {
    const cluster = clusterOf(2);
    const byArrival: Policy = { ...defaultPolicy, order: 'arrival' };
    const [slow, fast] = [await play(many(100), clusterOf(1), byArrival), await play(many(100), cluster, byArrival)];
    const [wait] = differences(slow.jobs, slow.result, fast.result);
    expect(wait!.metric).toBe('wait');
    // Single jobs may wait longer on a larger fleet (Graham's anomaly), most do not.
    expect(wait!.smaller).toBeGreaterThan(10 * wait!.larger);
    expect(wait!.mean).toBeLessThan(0);
    expect(wait!.low!).toBeLessThan(wait!.mean);
    expect(differences(slow.jobs, slow.result, slow.result)[0]).toMatchObject({ mean: 0, low: 0, high: 0, equal: 100 });
  });

  it('is one page that asks nothing of the outside and is taken in by no name', async () => {
    const hostile = '<script>alert(1)</script>';
    const traces = [...many(40), job('large', 2000, 10, 100)].map((one) => ({ ...one, user: hostile }));
    const played = await play(traces, clusterOf(1, { accounts: [{ user: hostile }] }));
    const trace = { format: 'itp' as const, unit: 'device' as const, jobs: [], neverRan: 0, leftOut: [] };
    const { cluster, jobs } = played;
    const one = { name: hostile, policy: defaultPolicy, ...played };
    const page = reportOf({ trace, cluster, jobs, seed: 1, played: [one, one] });
    expect(page).not.toMatch(/<script|https?:|@import|url\(|src=/);
    for (const title of [
      'Utilisation',
      'Wait by time',
      'Fragmentation',
      'Nodes over time',
      'by account',
      'never placed',
    ])
      expect(page).toContain(title);
    expect(page).toContain('Needs 25 nodes at one site');
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });
});
