import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meanSeconds, quantileSeconds, shareWithin } from '../../../../../src/cmo/scheduler/prediction/distribution.ts';
import {
  BIN_COUNT,
  binOf,
  lowerSeconds,
  middleSeconds,
} from '../../../../../src/cmo/scheduler/prediction/time-bins.ts';

/** A distribution with the given weights on some bins. */
const distributions = fc
  .array(fc.tuple(fc.nat(BIN_COUNT - 1), fc.integer({ min: 1, max: 100 })), { minLength: 1, maxLength: 12 })
  .map((parts) => {
    const distribution = new Float64Array(BIN_COUNT);
    const total = parts.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [bin, weight] of parts) distribution[bin]! += weight / total;
    return distribution;
  });
const shares = fc.double({ min: 0, max: 1, noNaN: true });

describe('a distribution of run times', () => {
  it('has quantiles in order', () => {
    fc.assert(
      fc.property(distributions, shares, shares, (distribution, a, b) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        expect(quantileSeconds(distribution, low)).toBeLessThanOrEqual(quantileSeconds(distribution, high));
      }),
    );
  });

  it('has shares that are the inverse of its quantiles', () => {
    fc.assert(
      fc.property(distributions, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (distribution, share) => {
        expect(shareWithin(distribution, quantileSeconds(distribution, share))).toBeCloseTo(share, 6);
      }),
    );
  });

  it('has its mean between its ends', () => {
    fc.assert(
      fc.property(distributions, (distribution) => {
        const bins = [...distribution.keys()].filter((bin) => distribution[bin]! > 0);
        expect(meanSeconds(distribution)).toBeGreaterThanOrEqual(middleSeconds[bins[0]!]! * (1 - 1e-9));
        expect(meanSeconds(distribution)).toBeLessThanOrEqual(middleSeconds[bins.at(-1)!]! * (1 + 1e-9));
      }),
    );
  });

  it('takes shares outside 0..1 for the nearer end', () => {
    const distribution = new Float64Array(BIN_COUNT);
    distribution[binOf(100)] = 1;
    expect(quantileSeconds(distribution, -1)).toBe(lowerSeconds[binOf(100)]);
    expect(quantileSeconds(distribution, 2)).toBe(lowerSeconds[binOf(100) + 1]);
  });

  it('has everything within a run time above all its bins and nothing below them', () => {
    const distribution = new Float64Array(BIN_COUNT);
    distribution[binOf(100)] = 1;
    expect(shareWithin(distribution, 1e6)).toBe(1);
    expect(shareWithin(distribution, 50)).toBe(0);
  });
});
