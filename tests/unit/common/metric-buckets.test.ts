import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bucket, bucketOf, fitBuckets, widen } from '../../../src/common/metric-buckets.ts';

const value = fc.record({
  step: fc.integer({ min: 0, max: 100_000 }),
  value: fc.option(fc.integer({ min: -1_000, max: 1_000 })),
});
const singles = (values: readonly { step: number; value: number | null }[]) =>
  widen(
    values.map((one, index) => bucketOf(one.step, index, one.value)),
    1,
  );

const total = (buckets: readonly Bucket[]) => ({
  count: buckets.reduce((sum, { count }) => sum + count, 0),
  gaps: buckets.reduce((sum, { gaps }) => sum + gaps, 0),
  low: buckets.reduce((low, bucket) => Math.min(low, bucket.low ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY),
  high: buckets.reduce(
    (high, bucket) => Math.max(high, bucket.high ?? Number.NEGATIVE_INFINITY),
    Number.NEGATIVE_INFINITY,
  ),
  step: buckets[0]?.step,
});

describe('buckets', () => {
  it('join without losing a value, an extreme, a gap or the mean, whatever the values are', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (values, most) => {
        const before = singles(values);
        const { width, buckets } = fitBuckets(before, 1, most);
        expect(buckets.length).toBeLessThanOrEqual(most);
        expect(total(buckets)).toEqual(total(before));
        const numbers = values.flatMap((one) => (one.value === null ? [] : [one.value]));
        const sum = buckets.reduce((all, { mean, count }) => all + (mean ?? 0) * count, 0);
        expect(sum).toBeCloseTo(
          numbers.reduce((all, number) => all + number, 0),
          4,
        );
        // Each covers its own steps, in order.
        const slots = buckets.map(({ step }) => Math.floor(step / width));
        expect(slots).toEqual([...new Set(slots)].sort((a, b) => a - b));
      }),
    );
  });

  it('come to the same in whatever order and in whatever parts', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 100 }), fc.nat(), (values, cut) => {
        const at = cut % values.length;
        const width = 8;
        const whole = widen(singles(values), width);
        const parts = widen(
          [...widen(singles(values.slice(at)), width), ...widen(singles(values.slice(0, at)), width)],
          width,
        );
        expect(parts.map(({ step, count, gaps, low, high }) => [step, count, gaps, low, high])).toEqual(
          whole.map(({ step, count, gaps, low, high }) => [step, count, gaps, low, high]),
        );
        for (const [index, { mean }] of parts.entries()) {
          if (mean === null) expect(whole[index]?.mean).toBeNull();
          else expect(mean).toBeCloseTo(whole[index]!.mean!, 6);
        }
      }),
    );
  });

  it('of the largest numbers have a finite mean', () => {
    const [bucket] = widen([bucketOf(0, 0, 1e290), bucketOf(0, 0, -1e290), bucketOf(0, 0, 1e290)], 1);
    expect(Number.isFinite(bucket?.mean)).toBe(true);
  });

  it('that are as few as wanted stay as they are', () => {
    const buckets = singles([{ step: 5, value: 1 }]);
    expect(fitBuckets(buckets, 4, 1)).toEqual({ width: 4, buckets });
  });
});
