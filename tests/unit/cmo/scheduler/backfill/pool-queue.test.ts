import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoolQueue, type SpanOfWork } from '../../../../../src/cmo/scheduler/core/backfill/pool-queue.ts';

const work = (size: number, seconds: number): SpanOfWork => ({ size, seconds });

/** When a job of that size starts behind those ahead. */
const startOf = (capacity: number, running: SpanOfWork[], ahead: SpanOfWork[], size: number) => {
  const pool = new PoolQueue(capacity, running);
  for (const one of ahead) pool.start(one);
  return pool.start(work(size, 1));
};

describe('the queue of a pool, played forward', () => {
  it('starts at once where there is room', () => {
    expect(startOf(8, [work(4, 100)], [], 4)).toBe(0);
  });

  it('waits until enough has ended', () => {
    expect(startOf(8, [work(4, 100), work(4, 300)], [], 6)).toBe(300);
    expect(startOf(8, [work(4, 100), work(4, 300)], [], 4)).toBe(100);
  });

  it('lets those ahead start first', () => {
    expect(startOf(8, [work(8, 100)], [work(8, 50), work(8, 30)], 1)).toBe(180);
  });

  it('does not wait for what never fits, and never starts what does not fit', () => {
    expect(startOf(8, [work(8, 10)], [work(9, 1000)], 8)).toBe(10);
    expect(startOf(8, [], [], 9)).toBeNull();
    expect(startOf(8, [], [], Number.NaN)).toBeNull();
  });

  it('is unknown when what it waits for has no known end, and for all behind', () => {
    expect(startOf(8, [work(8, Number.NaN)], [], 1)).toBeNull();
    expect(startOf(8, [work(4, Number.POSITIVE_INFINITY)], [work(8, 10)], 1)).toBeNull();
    expect(startOf(8, [work(4, Number.POSITIVE_INFINITY)], [], 4)).toBe(0);
  });

  it('waits for a pool that holds more than there is', () => {
    expect(startOf(4, [work(8, 100)], [], 1)).toBe(100);
  });

  it('is right where run times are known, against stepping second by second', () => {
    const works = fc.array(
      fc.record({ size: fc.integer({ min: 1, max: 6 }), seconds: fc.integer({ min: 1, max: 20 }) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(works, fc.integer({ min: 1, max: 6 }), (ahead, size) => {
        const queue = [...ahead, { size, seconds: 1 }];
        const running: { size: number; endsAt: number }[] = [];
        let second = 0;
        for (; queue.length > 0; second++) {
          for (;;) {
            const free = 6 - running.filter(({ endsAt }) => endsAt > second).reduce((sum, one) => sum + one.size, 0);
            if (queue.length === 0 || queue[0]!.size > free) break;
            const next = queue.shift()!;
            running.push({ size: next.size, endsAt: second + next.seconds });
          }
        }
        expect(startOf(6, [], ahead, size)).toBe(second - 1);
      }),
    );
  });
});
