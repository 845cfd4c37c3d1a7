import { describe, expect, it } from 'vitest';
import { runClassOf } from '../../../../../src/cmo/scheduler/core/backfill/run-class.ts';
import { Fleet } from '../../../../../src/cmo/scheduler/core/fleet.ts';
import { Reservations } from '../../../../../src/cmo/scheduler/core/round/reservations.ts';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Policy, QueueOrder } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import type { Blocked } from '../../../../../src/cmo/scheduler/core/verdict.ts';
import { devices, fleetOf, job, node, now, policy } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number, nodes = 1) => ({ resources: { devices: [{ count }], nodes } });
const runTime = (seconds: number) => ({ likelySeconds: seconds, carefulSeconds: seconds });
const hour = 3600;
const old = { submittedAt: now - hour * 1000 };
/** Nodes were kept for it in rounds before. */
const promised = { ...old, keptSince: now - 1000 };

/** Two nodes of four devices; on each runs a job of three: on n1 for an hour, on n2 for two. */
function busy(more: Partial<Policy> = {}): Cluster {
  const cluster = new Cluster(
    [1, 2].map((i) => node(`n${i}`, { cpuMilli: 64_000, devices: devices(`n${i}`, 4) })),
    [],
    more,
  );
  cluster.submit(
    { job: job('job_x1', gpus(3), { runTime: runTime(hour), submittedAt: now - 2 }), seconds: hour },
    { job: job('job_x2', gpus(3), { runTime: runTime(2 * hour), submittedAt: now - 1 }), seconds: 2 * hour },
  );
  cluster.round();
  return cluster;
}
const orders: readonly QueueOrder[] = ['arrival', 'least-work'];
const planFor = (cluster: Cluster, ...jobs: PendingJob[]) =>
  schedule(cluster.snapshot(), jobs, cluster.policy, cluster.now);
const placed = (plan: ReturnType<typeof planFor>) =>
  plan.placements.map(({ jobId, ranks }) => `${jobId} ${ranks[0]!.nodeId}`);

describe('a blocked job that has waited', () => {
  const big = job('job_big', gpus(4), old);

  it('is told when it is expected to start, where, and after what', () => {
    const cluster = busy();
    const where = cluster.running.get('job_x1')!.ranks[0]!.nodeId;
    const { detail } = planFor(cluster, big).pending[0]!;
    expect(detail.message).toContain('Needs 3 more GPUs on one node');
    expect(detail.message).toContain(
      `Expected in about 60 min on ${where}, when job_x1 ends. Kept for it from then on.`,
    );
    const young = planFor(cluster, { ...big, submittedAt: now }).pending[0]!.detail.message;
    expect(young).toContain(`Expected in about 60 min on ${where}, when job_x1 ends.`);
  });

  it('is never told of jobs of other tenants, even where both share one account and one sentence', () => {
    const young = { ...big, submittedAt: now };
    const other = { ...young, id: 'job_other', tenant: 't2' };
    const { pending } = planFor(busy(), young, other);
    const messages = new Map(pending.map(({ jobId, detail }) => [jobId as string, detail.message]));
    expect(messages.get('job_other')).toContain(', when other work there ends.');
    expect(messages.get('job_other')).not.toContain('job_x');
    expect(messages.get('job_big')).toContain('1 job for the same goes before it');
    expect(messages.get('job_big')).not.toContain('job_other');
    expect(planFor(busy(), young).pending[0]!.detail.message).toContain(', when job_x1 ends.');
  });

  it('has nothing kept for it while its wait is short for its length, and after a day in any case', () => {
    const waits = (waitedHours: number, runHours: number) =>
      planFor(busy(), { ...big, submittedAt: now - waitedHours * hour * 1000, runTime: runTime(runHours * hour) })
        .pending[0]!.detail.message;
    expect(waits(9, 1)).not.toContain('Kept for it');
    expect(waits(11, 1)).toContain('Kept for it from then on.');
    expect(waits(23, 100)).not.toContain('Kept for it');
    expect(waits(25, 100)).toContain('Kept for it from then on.');
  });

  it('is passed on its nodes only by what ends before, or leaves it enough', () => {
    const cluster = busy({ order: 'arrival' });
    const kept = cluster.running.get('job_x1')!.ranks[0]!.nodeId;
    const other = kept === 'n1' ? 'n2' : 'n1';
    const small = (id: string, more: Partial<PendingJob> = {}) => job(id, gpus(1), { submittedAt: now, ...more });
    expect(placed(planFor(cluster, big, small('job_a'), small('job_b')))).toEqual([`job_a ${other}`]);
    expect(placed(planFor(cluster, big, small('job_a'), small('job_b', { runTime: runTime(1000) }))).sort()).toEqual([
      `job_a ${kept === 'n1' ? other : other}`,
      `job_b ${kept}`,
    ]);
    expect(placed(planFor(cluster, big, small('job_a'), small('job_b', { runTime: runTime(2 * hour) })))).toHaveLength(
      1,
    );
    // Of a node that frees three and keeps two, two may be used for ever.
    const less = job('job_big', gpus(2), old);
    expect(placed(planFor(cluster, less, small('job_a'), small('job_b'), small('job_c')))).toHaveLength(2);
  });

  it.each(orders)('starts when it was told to, however many others wait: %s', (order) => {
    const cluster = busy({ order });
    cluster.submit({ job: big, seconds: 60 });
    for (let minute = 0; minute < 65; minute += 1) {
      const flood = Array.from({ length: 4 }, (_, i) =>
        job(`job_${minute}_${i}`, gpus(1), {
          submittedAt: cluster.now,
          runTime: runTime(60 * (1 + ((minute + i) % 40))),
        }),
      );
      cluster.submit(...flood.map((one) => ({ job: one, seconds: one.runTime!.likelySeconds })));
      cluster.round();
      if (cluster.startedAt.has('job_big')) break;
      cluster.pass(60);
    }
    expect(cluster.startedAt.get('job_big')).toBe(now + hour * 1000);
    expect(cluster.startedAt.size).toBeGreaterThan(20);
  });

  it('keeps nodes from all others once it has waited long, or when nothing is foreseen', () => {
    const cluster = busy();
    const big = job('job_big', gpus(4), promised);
    const small = job('job_b', gpus(1), { submittedAt: now, runTime: runTime(60) });
    const veryOld = { ...big, submittedAt: now - 25 * hour * 1000 };
    const other = { ...small, id: 'job_c' };
    expect(placed(planFor(cluster, veryOld, small, other))).toHaveLength(1);
    // A wait of a day is short for a job that runs one: until it is thirty times that, what ends in time still passes.
    const likely = { runTime: runTime(24 * hour) };
    expect(placed(planFor(cluster, { ...veryOld, ...likely }, small, other))).toHaveLength(2);
    const ancient = { ...veryOld, ...likely, submittedAt: now - 31 * 24 * hour * 1000 };
    expect(placed(planFor(cluster, ancient, small, other))).toHaveLength(1);
    for (const [id, running] of cluster.running) cluster.running.set(id, { ...running, endsAt: null });
    expect(placed(planFor(cluster, big, small, other))).toHaveLength(1);
  });
});

describe('a gang', () => {
  it.each(orders)('is reserved all its nodes and starts whole, also past others: %s', (order) => {
    const cluster = busy({ order });
    const gang = job('job_gang', gpus(3, 2), old);
    expect(planFor(cluster, gang).pending[0]!.detail.message).toContain(', when job_x2 ends.');
    cluster.submit({ job: gang, seconds: 60 });
    for (let i = 0; i < 130 && !cluster.startedAt.has('job_gang'); i += 1) {
      const small = job(`job_s${i}`, gpus(2), { submittedAt: cluster.now, runTime: runTime(600) });
      cluster.submit({ job: small, seconds: 600 });
      cluster.round();
      for (const { id, ranks } of cluster.running.values()) if (id === 'job_gang') expect(ranks).toHaveLength(2);
      cluster.pass(60);
    }
    expect(cluster.startedAt.get('job_gang')).toBe(now + 2 * hour * 1000);
  });

  it('is not promised nodes that are kept for another', () => {
    const cluster = busy();
    const gang = job('job_gang', gpus(3, 2), old);
    const next = job('job_next', gpus(2, 2), { ...old, submittedAt: old.submittedAt + 1 });
    const messages = planFor(cluster, gang, next).pending.map(({ detail }) => detail.message);
    expect(messages[0]).toContain('Kept for it from then on.');
    expect(messages[1]).not.toContain('Kept for it');
  });

  it('of short work fills gaps before reservations of others', () => {
    const cluster = busy();
    const big = job('job_big', gpus(4), promised);
    const gang = (seconds: number) => job('job_gang', gpus(1, 2), { submittedAt: now, runTime: runTime(seconds) });
    expect(planFor(cluster, big, gang(600)).placements[0]?.ranks).toHaveLength(2);
    expect(planFor(cluster, big, gang(2 * hour)).placements).toHaveLength(0);
  });
});

describe('predictions that make no sense', () => {
  it.each([Number.NaN, -5, 0, Number.POSITIVE_INFINITY, 1e12])('count as none: %s seconds', (seconds) => {
    expect(runClassOf(seconds)).toBe(Number.POSITIVE_INFINITY);
    const cluster = busy();
    const small = job('job_b', gpus(2), { submittedAt: now, runTime: runTime(seconds), deadline: seconds });
    expect(placed(planFor(cluster, job('job_big', gpus(4), old), small))).toHaveLength(0);
  });

  it('of what runs are replaced: who is overdue is expected to run for as long again', () => {
    const cluster = busy();
    for (const [id, running] of cluster.running) {
      cluster.running.set(id, { ...running, startedAt: now - hour * 1000, endsAt: now - 1 });
    }
    const { message } = planFor(cluster, job('job_big', gpus(4), old)).pending[0]!.detail;
    expect(message).toContain('Expected in about 60 min');
  });

  it('classes hold what they promise', () => {
    for (let seconds = 1; seconds < 1e6; seconds = seconds * 1.37 + 1) {
      expect(runClassOf(seconds)).toBeGreaterThanOrEqual(seconds * (1 - 1e-9));
      expect(runClassOf(seconds)).toBeLessThanOrEqual(Math.max(60, seconds * Math.SQRT2 * (1 + 1e-9)));
    }
  });
});

describe('when a blocked job may start', () => {
  it('is looked for once for all that wait with it, though nothing is foreseen', () => {
    const fleet = new Fleet(fleetOf([node('n1')]));
    let looks = 0;
    const blocked = {
      canWait: true,
      possible: () => {
        looks += 1;
        return [];
      },
    };
    const estimate = new Reservations(fleet, () => [], policy(), now).estimate(blocked as unknown as Blocked);
    for (const tenant of ['t1', 't2', 't3']) expect(estimate?.(tenant)).toBeUndefined();
    expect(looks).toBe(1);
  });
});
