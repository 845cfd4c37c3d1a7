import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mean, pairedDifference, percentile } from '../../../bench/statistics.ts';

describe('paired differences', () => {
  it('equal a worked example', () => {
    // Differences 1, 2, 3: mean 2, standard deviation 1, half width 4.303 / sqrt(3).
    const result = pairedDifference([2, 4, 6], [1, 2, 3], 'higher');
    expect(result.mean).toBe(2);
    expect(result.low).toBeCloseTo(2 - 4.303 / Math.sqrt(3), 6);
    expect(result.high).toBeCloseTo(2 + 4.303 / Math.sqrt(3), 6);
    expect(result.ahead).toBe(false);
  });

  it('say ahead only when the whole interval lies on our side', () => {
    const ours = [10, 20, 30, 40];
    const peer = [9, 19, 29.1, 38.9];
    expect(pairedDifference(ours, peer, 'higher').ahead).toBe(true);
    expect(pairedDifference(ours, peer, 'lower').ahead).toBe(false);
    expect(pairedDifference(peer, ours, 'lower').ahead).toBe(true);
  });

  it('turn their sign when the sides are exchanged', () => {
    const numbers = fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 })), {
      minLength: 2,
      maxLength: 60,
    });
    fc.assert(
      fc.property(numbers, (pairs) => {
        const [a, b] = [pairs.map((pair) => pair[0]), pairs.map((pair) => pair[1])];
        const [there, back] = [pairedDifference(a, b, 'higher'), pairedDifference(b, a, 'higher')];
        expect(there.mean).toBeCloseTo(-back.mean, 9);
        expect(there.low).toBeCloseTo(-back.high, 9);
        expect(there.low).toBeLessThanOrEqual(there.high);
      }),
    );
  });

  it('refuse what has no interval', () => {
    expect(() => pairedDifference([1], [2], 'higher')).toThrow('at least two pairs');
    expect(() => pairedDifference([1, 2], [2], 'higher')).toThrow('2 values of ours but 1');
  });
});

describe('summaries', () => {
  it('take the nearest rank', () => {
    expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3);
    expect(percentile([5, 1, 4, 2, 3], 0.95)).toBe(5);
    expect(percentile([7], 0)).toBe(7);
    expect(mean([1, 2, 6])).toBe(3);
  });
});
