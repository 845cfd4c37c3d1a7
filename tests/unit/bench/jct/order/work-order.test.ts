import { describe, expect, it } from 'vitest';
import { defaultStarvationRule } from '../../../../../bench/jct/order/starvation.ts';
import { compareRanks, type QueuedWork, WorkOrder } from '../../../../../bench/jct/order/work-order.ts';
import type { JobFeatures } from '../../../../../src/cmo/scheduler/prediction/job-features.ts';
import { RunTimePredictor } from '../../../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { features, runThrough } from '../../../cmo/scheduler/prediction/support.ts';

function setUp() {
  const predictor = new RunTimePredictor();
  for (let i = 0; i < 60; i++) {
    runThrough(predictor, { user: 'short' }, i * 20_000, 60);
    runThrough(predictor, { user: 'long' }, i * 20_000 + 5000, 50_000);
  }
  const now = 2e6;
  let sequence = 0;
  const queued = (changes: Partial<JobFeatures> = {}): QueuedWork => {
    const { size, submittedAt } = features({ submittedAt: now, ...changes });
    const job = predictor.submitted(features({ submittedAt: now, ...changes }));
    sequence += 1;
    return { job, size, submittedAt, sequence };
  };
  const order = new WorkOrder(predictor, defaultStarvationRule, 64);
  const sorted = (queue: QueuedWork[], at: number) => {
    const ranks = order.rank(queue, at);
    return queue.map((work, i) => ({ ...work, ...ranks[i]! })).sort(compareRanks);
  };
  return { predictor, now, queued, order, sorted };
}

describe('the order by predicted work', () => {
  it('puts short before long, and small before large', () => {
    const { now, queued, sorted } = setUp();
    const queue = [queued({ user: 'long' }), queued({ user: 'short', size: 8 }), queued({ user: 'short' })];
    expect(sorted(queue, now).map(({ job }) => [job.features.user, job.features.size])).toEqual([
      ['short', 1],
      ['short', 8],
      ['long', 1],
    ]);
  });

  it('keeps equal jobs in order of submission', () => {
    const { now, queued, sorted } = setUp();
    const queue = Array.from({ length: 10 }, () => queued({ user: 'short' }));
    const order = sorted([...queue].reverse(), now).map(({ sequence }) => sequence);
    // The first is the probe of its burst; it is the one given first.
    expect(order.slice(1)).toEqual([...order.slice(1)].sort((a, b) => a - b));
  });

  it('sends one probe of a large unknown burst ahead, and only one', () => {
    const { now, queued, sorted } = setUp();
    const queue = [
      queued({ user: 'long' }),
      ...Array.from({ length: 200 }, () => queued({ user: 'new', name: 'sweep' })),
    ];
    const ranked = sorted(queue, now);
    const works = ranked.filter(({ job }) => job.features.user === 'new').map(({ work }) => work);
    expect(works[0]!).toBeLessThan(works[1]! / 5);
    expect(new Set(works.slice(1)).size).toBe(1);
    expect(ranked[0]!.job.features.user).toBe('new');
  });

  it('sends no second probe while the first runs', () => {
    const { predictor, now, queued, order } = setUp();
    const queue = Array.from({ length: 200 }, () => queued({ user: 'new', name: 'sweep' }));
    predictor.started(queue.shift()!.job, now);
    expect(new Set(order.rank(queue, now + 5).map(({ work }) => work)).size).toBe(1);
  });

  it('lets what the probe shows decide about the rest', () => {
    const { predictor, now, queued, order } = setUp();
    const queue = Array.from({ length: 200 }, () => queued({ user: 'new', name: 'sweep' }));
    const before = order.rank(queue, now)[5]!.work;
    const probe = queue.shift()!;
    predictor.started(probe.job, now);
    predictor.ended(probe.job, now + 8);
    const after = order.rank(queue, now + 8)[5]!.work;
    expect(after).toBeLessThan(before / 2);
  });

  it('puts the due job that was submitted first before all others, and only that one', () => {
    const { now, queued, sorted } = setUp();
    const [old, older] = [
      queued({ user: 'long', size: 64 }),
      queued({ user: 'long', size: 128, submittedAt: now - 100 }),
    ];
    const later = now + defaultStarvationRule.mostSeconds;
    const fresh = queued({ user: 'short', submittedAt: later });
    const ranked = sorted([fresh, old, older], later);
    expect(ranked.map(({ sequence }) => sequence)).toEqual([older.sequence, fresh.sequence, old.sequence]);
    expect(ranked.map(({ goesFirst }) => goesFirst)).toEqual([true, false, false]);
  });

  it('lets the next due job go first only when a share of the cluster would have done the work of the last', () => {
    const { now, queued, order } = setUp();
    const queue = [queued({ user: 'long', size: 16 }), queued({ user: 'long', size: 16 })];
    const later = now + defaultStarvationRule.mostSeconds;
    const first = queue.shift()!;
    order.rank(queue, later);
    order.firstStarted(first, later);
    expect(order.rank(queue, later + 60)[0]!.goesFirst).toBe(false);
    // 16 of 64 devices are a quarter: its own run time, about 50,000 s.
    expect(order.rank(queue, later + 30_000)[0]!.goesFirst).toBe(false);
    expect(order.rank(queue, later + 90_000)[0]!.goesFirst).toBe(true);
  });

  it('puts a due job before any other, whichever is asked about first', () => {
    const due = { work: 1e9, goesFirst: true, size: 1, submittedAt: 0, sequence: 1 };
    const light = { work: 1, goesFirst: false, size: 1, submittedAt: 5, sequence: 2 };
    expect(Math.sign(compareRanks(due, light))).toBe(-1);
    expect(Math.sign(compareRanks(light, due))).toBe(1);
    expect(compareRanks(light, light)).toBe(0);
  });

  it('lets a job pass a reservation only when it is likely to end in time', () => {
    const { now, queued, order } = setUp();
    const [short, long] = [queued({ user: 'short' }), queued({ user: 'long' })];
    expect(order.backfillSeconds(short.job, now)).toBeLessThan(200);
    expect(order.backfillSeconds(long.job, now)).toBeGreaterThan(30_000);
  });

  it('ranks nothing as nothing', () => {
    const { order, now } = setUp();
    expect(order.rank([], now)).toEqual([]);
  });
});
