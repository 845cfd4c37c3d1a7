import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forecastWait } from '../../../../../src/cmo/scheduler/prediction/queue-wait.ts';

const work = (size: number, p50: number, p80 = p50) => ({ size, p50, p80 });

describe('the forecast of a wait', () => {
  it('is none where there is room', () => {
    expect(forecastWait(8, [work(4, 100)], [], 4)).toEqual({ likelySeconds: 0, carefulSeconds: 0 });
  });

  it('is until enough has ended', () => {
    expect(forecastWait(8, [work(4, 100, 150), work(4, 300)], [], 6).likelySeconds).toBe(300);
    expect(forecastWait(8, [work(4, 100, 150), work(4, 300)], [], 4)).toEqual({
      likelySeconds: 100,
      carefulSeconds: 150,
    });
  });

  it('lets those ahead start first', () => {
    const running = [work(8, 100)];
    expect(forecastWait(8, running, [work(8, 50), work(8, 30)], 1).likelySeconds).toBe(180);
  });

  it('does not wait for what never fits, and never fits itself', () => {
    expect(forecastWait(8, [work(8, 10)], [work(9, 1000)], 8).likelySeconds).toBe(10);
    expect(forecastWait(8, [], [], 9)).toEqual({ likelySeconds: null, carefulSeconds: null });
    expect(forecastWait(8, [], [], Number.NaN).likelySeconds).toBeNull();
  });

  it('is unknown when what it waits for has no known end', () => {
    expect(forecastWait(8, [work(8, Number.NaN)], [], 1)).toEqual({ likelySeconds: null, carefulSeconds: null });
    expect(forecastWait(8, [work(8, 10, Number.POSITIVE_INFINITY)], [], 1)).toEqual({
      likelySeconds: 10,
      carefulSeconds: null,
    });
  });

  it('is right where run times are known, against stepping second by second', () => {
    const works = fc.array(fc.record({ size: fc.integer({ min: 1, max: 6 }), p50: fc.integer({ min: 1, max: 20 }) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(works, fc.integer({ min: 1, max: 6 }), (ahead, size) => {
        const queue = [...ahead, { size, p50: 1 }];
        const running: { size: number; endsAt: number }[] = [];
        let second = 0;
        for (; queue.length > 0; second++) {
          for (;;) {
            const free = 6 - running.filter(({ endsAt }) => endsAt > second).reduce((sum, one) => sum + one.size, 0);
            if (queue.length === 0 || queue[0]!.size > free) break;
            const next = queue.shift()!;
            running.push({ size: next.size, endsAt: second + next.p50 });
          }
        }
        const spans = ahead.map((one) => work(one.size, one.p50));
        expect(forecastWait(6, [], spans, size).likelySeconds).toBe(second - 1);
      }),
    );
  });

  it('is never shorter when careful', () => {
    const works = fc.array(fc.record({ size: fc.integer({ min: 1, max: 6 }), p50: fc.nat(50), p80: fc.nat(100) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(works, fc.integer({ min: 1, max: 6 }), (ahead, size) => {
        const { likelySeconds, carefulSeconds } = forecastWait(6, [], ahead, size);
        expect(carefulSeconds!).toBeGreaterThanOrEqual(likelySeconds!);
      }),
    );
  });
});
