import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestPatienceSeconds, patienceOf } from '../../../../src/cmo/scheduler/core/patience.ts';
import { PendingQueue } from '../../../../src/cmo/scheduler/core/pending-queue.ts';
import { checkPolicy } from '../../../../src/cmo/scheduler/core/policy.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { configSchema } from '../../../../src/common/config/schema.ts';
import { device, fleetOf, job, node, now, policy } from './support/builders.ts';

const day = 86_400_000;
const seconds = (likelySeconds: number) => ({ runTime: { likelySeconds, carefulSeconds: 2 * likelySeconds } });
const gpus = (count: number) => ({ resources: { devices: [{ count }] } });
/** One node with one device, so that the first in order is the one that is placed. */
const narrow = fleetOf([node('n1', { devices: [device('d1')] })]);

const placed = (jobs: readonly PendingJob[], order: NonNullable<Policy['order']>) =>
  schedule(narrow, jobs, policy({ order }), now).placements.map(({ jobId }) => jobId as string);

describe('least work first', () => {
  it('lets the shorter and the smaller job go before one that came first', () => {
    const long = job('job_1', gpus(1), { submittedAt: now - 2000, ...seconds(36_000) });
    const short = job('job_2', gpus(1), { submittedAt: now - 1000, ...seconds(60) });
    expect(placed([long, short], 'arrival')).toEqual(['job_1']);
    expect(placed([long, short], 'least-work')).toEqual(['job_2']);
    expect(patienceOf(job('job_3', gpus(4), seconds(60)))).toBe(4 * patienceOf(short));
  });

  it('goes by what such jobs run on average, and a probe by its wager', () => {
    const tail = job('job_1', gpus(1), {
      submittedAt: now - 2000,
      runTime: { likelySeconds: 10, carefulSeconds: 9e5, meanSeconds: 9e4 },
    });
    const sure = job('job_2', gpus(1), { submittedAt: now - 1000, ...seconds(600) });
    expect(placed([tail, sure], 'least-work')).toEqual(['job_2']);
    const probe = { ...tail, runTime: { ...tail.runTime!, turnSeconds: 60 } };
    expect(placed([probe, sure], 'least-work')).toEqual(['job_1']);
    for (const wrong of [Number.NaN, -1, 0, Number.POSITIVE_INFINITY]) {
      expect(patienceOf({ ...probe, runTime: { ...tail.runTime!, meanSeconds: wrong } })).toBe(2 * 86_400);
    }
  });

  it('takes a job of which nobody knows how long it runs for one of five hours', () => {
    const unknown = job('job_1', gpus(1), { submittedAt: now - 1000 });
    expect(placed([unknown, job('job_2', gpus(1), seconds(17_000))], 'least-work')).toEqual(['job_2']);
    expect(placed([unknown, job('job_2', gpus(1), seconds(17_500))], 'least-work')).toEqual(['job_1']);
  });

  it('never lets a job be passed over by one that came after its turn, whatever is predicted', () => {
    const anything = fc.oneof(
      fc.double(),
      fc.integer({ min: 1, max: 40_000_000 }),
      fc.constantFrom(Number.NaN, -1, 0, Number.POSITIVE_INFINITY, 1e300),
    );
    fc.assert(
      fc.property(anything, anything, fc.integer({ min: 1, max: 8 }), (first, second, count) => {
        const early = job('job_9', gpus(count), { submittedAt: now - 31 * day, ...seconds(first) });
        const late = job('job_1', gpus(1), { submittedAt: now - 60_000, ...seconds(second) });
        const queue = new PendingQueue([late, early], undefined, undefined, 'least-work');
        const turns = [...queue.groups()].flatMap((group) => [...group.all()]);
        const found = turns.find(({ id }) => id === 'job_9')!;
        expect(found.patienceSeconds).toBeGreaterThanOrEqual(0);
        expect(found.patienceSeconds).toBeLessThanOrEqual(longestPatienceSeconds);
        if (count === 1) expect(placed([late, early], 'least-work')).toEqual(['job_9']);
      }),
    );
  });

  it('leaves priority before it, and deadlines within it', () => {
    const urgent = job('job_1', gpus(1), { ...seconds(36_000), priority: 1 });
    const due = job('job_2', gpus(1), { ...seconds(36_000), deadline: now + 37_000_000 });
    const short = job('job_3', gpus(1), { submittedAt: now - 1000, ...seconds(60) });
    expect(placed([urgent, short], 'least-work')).toEqual(['job_1']);
    expect(placed([due, short], 'least-work')).toEqual(['job_2']);
  });

  it('orders anew a queue that was ordered otherwise', () => {
    const long = job('job_1', gpus(1), { submittedAt: now - 2000, ...seconds(36_000) });
    const short = job('job_2', gpus(1), { submittedAt: now - 1000, ...seconds(60) });
    const first = (queue: PendingQueue) =>
      [...queue.groups()].flatMap((group) => [...group.all()]).map(({ patienceSeconds }) => patienceSeconds ?? 0);
    const queue = new PendingQueue([long, short]);
    expect(first(queue)).toEqual([0, 0]);
    queue.orderBy('least-work');
    expect(first(queue)).toEqual([360_000, 600]);
    queue.orderBy('arrival');
    expect(first(queue)).toEqual([0, 0]);
  });

  it('is the order unless another one is asked for', () => {
    expect(policy().order).toBe('least-work');
    expect(configSchema.parse({}).scheduler.order).toBe('least-work');
  });

  it('has the turn of a job at the latest when nodes are kept for it, and never later for that', () => {
    const waits = job('job_1', gpus(8), { submittedAt: now - 5000, ...seconds(3600) });
    expect(patienceOf(waits)).toBe(288_000);
    expect(patienceOf({ ...waits, keptSince: now - 1000 })).toBe(4);
    expect(patienceOf({ ...waits, keptSince: now + 1e12 })).toBe(288_000);
    expect(patienceOf({ ...waits, keptSince: 0 })).toBe(0);
  });

  it('is one of the orders that a policy may name', () => {
    expect(() => checkPolicy(policy({ order: 'shortest' as never }))).toThrow(
      /order must be one of arrival, least-work/,
    );
  });
});
