import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../src/common/clock.ts';
import { TokenBuckets } from '../../../../src/common/http/rate-limit.ts';

describe('token buckets', () => {
  it('never give more than the burst and what refilled since', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 200 }), (pauses) => {
        const clock = new ManualClock();
        const buckets = new TokenBuckets({ perSecond: 10, burst: 5 }, () => clock.monotonicMs());
        let given = 0;
        for (const ms of pauses) {
          clock.advance(ms);
          if (buckets.take('k') === 0) given += 1;
          expect(given).toBeLessThanOrEqual(5 + clock.monotonicMs() / 100 + 1e-6);
        }
      }),
    );
  });

  it('say when the next request may come, and keep names apart', () => {
    const clock = new ManualClock();
    const buckets = new TokenBuckets({ perSecond: 2, burst: 1 }, () => clock.monotonicMs());
    expect(buckets.take('a')).toBe(0);
    expect(buckets.take('a')).toBeCloseTo(0.5);
    expect(buckets.take('b')).toBe(0);
    clock.advance(500);
    expect(buckets.wait('a')).toBe(0);
    expect(buckets.take('a')).toBe(0);
  });

  it('forget names that no longer ask, so that many strangers cost no memory', () => {
    const clock = new ManualClock();
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, () => clock.monotonicMs());
    for (let i = 0; i < 50_000; i += 1) {
      clock.advance(1);
      expect(buckets.take(`stranger-${i}`)).toBe(0);
    }
  });
});
