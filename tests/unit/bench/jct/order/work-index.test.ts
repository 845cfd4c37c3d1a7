import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { probeWork } from '../../../../../bench/jct/order/work-index.ts';
import { meanSeconds } from '../../../../../src/cmo/scheduler/prediction/distribution.ts';
import { BIN_COUNT, binOf, middleSeconds } from '../../../../../src/cmo/scheduler/prediction/time-bins.ts';

const mix = (...parts: [seconds: number, chance: number][]) => {
  const distribution = new Float64Array(BIN_COUNT);
  for (const [seconds, chance] of parts) distribution[binOf(seconds)]! += chance;
  return distribution;
};

describe('the work of a probe', () => {
  it('is the expected work when it is alone', () => {
    const distribution = mix([10, 0.3], [100_000, 0.7]);
    expect(probeWork(distribution, 4, 1)).toBeCloseTo(4 * meanSeconds(distribution), 6);
  });

  it('falls as more of its kind wait', () => {
    const distribution = mix([10, 0.3], [100_000, 0.7]);
    const works = [1, 10, 100, 10_000].map((waiting) => probeWork(distribution, 1, waiting));
    expect([...works].sort((a, b) => b - a)).toEqual(works);
    expect(works[3]!).toBeLessThan(works[0]! / 1000);
  });

  it('is what the wager costs, by hand', () => {
    // With chance 0.25 all 100 are short: E[X] for the first, the short time for the 99 others, over 25 completions expected.
    const short = middleSeconds[binOf(10)]!;
    const long = middleSeconds[binOf(10_000)]!;
    const distribution = mix([10, 0.25], [10_000, 0.75]);
    const byHand = (0.25 * short + 0.75 * long + 99 * 0.25 * short) / (100 * 0.25);
    expect(probeWork(distribution, 1, 100)).toBeCloseTo(byHand, 6);
  });

  it('gains nothing where the run time is certain', () => {
    const distribution = mix([500, 1]);
    expect(probeWork(distribution, 2, 50)).toBeCloseTo(2 * meanSeconds(distribution), 6);
  });

  it('does not bet on chances that history cannot tell from nothing', () => {
    const distribution = mix([1.5, 0.01], [50_000, 0.99]);
    expect(probeWork(distribution, 1, 1e6)).toBeGreaterThan(40_000);
  });

  it('is never more than the expected work, and more than nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(BIN_COUNT - 1), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 100_000 }),
        (parts, waiting) => {
          const total = parts.reduce((sum, [, weight]) => sum + weight, 0);
          const distribution = new Float64Array(BIN_COUNT);
          for (const [bin, weight] of parts) distribution[bin]! += weight / total;
          const work = probeWork(distribution, 1, waiting);
          expect(work).toBeGreaterThan(0);
          expect(work).toBeLessThanOrEqual(meanSeconds(distribution) * (1 + 1e-9));
        },
      ),
    );
  });
});
