import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BIN_COUNT,
  binOf,
  lowerSeconds,
  middleSeconds,
} from '../../../../../src/cmo/scheduler/prediction/time-bins.ts';

describe('the grid of run times', () => {
  it('puts every run time into the bin whose edges hold it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3e7, noNaN: true }), (seconds) => {
        const bin = binOf(seconds);
        expect(seconds).toBeGreaterThanOrEqual(bin === 0 ? 0 : lowerSeconds[bin]!);
        if (bin < BIN_COUNT - 1) expect(seconds === 1 || seconds < lowerSeconds[bin + 1]!).toBe(true);
      }),
    );
  });

  it('holds at the edges themselves', () => {
    for (let bin = 1; bin < BIN_COUNT; bin++) expect(binOf(lowerSeconds[bin]!)).toBe(bin);
  });

  it('has middles between their edges', () => {
    for (let bin = 1; bin < BIN_COUNT; bin++) {
      expect(middleSeconds[bin]).toBeGreaterThan(lowerSeconds[bin]!);
      expect(middleSeconds[bin]).toBeLessThan(lowerSeconds[bin + 1]!);
    }
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY, -1, 0, 1])('takes %d for the first bin', (seconds) => {
    expect(binOf(seconds)).toBe(0);
  });

  it.each([Number.POSITIVE_INFINITY, Number.MAX_VALUE, 1e12])('takes %d for the last bin', (seconds) => {
    expect(binOf(seconds)).toBe(BIN_COUNT - 1);
  });
});
