import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Calibration, PROMISED_SHARES } from '../../../../../src/cmo/scheduler/prediction/calibration.ts';
import { uniform } from './support.ts';

/** Share of ends within each promised level, when the model says `share(i)` of its distribution lay within the i-th. */
function coverage(count: number, share: (i: number) => number): number[] {
  const calibration = new Calibration();
  const covered = PROMISED_SHARES.map(() => 0);
  for (let i = 0; i < count; i++) {
    PROMISED_SHARES.forEach((_, index) => {
      if (share(i) <= calibration.level(index)) covered[index]! += 1;
    });
    calibration.learn(share(i));
  }
  return covered.map((one) => one / count);
}

describe('calibration', () => {
  it('asks for what is promised as long as nothing has ended', () => {
    const calibration = new Calibration();
    expect(PROMISED_SHARES.map((_, index) => calibration.level(index))).toEqual([...PROMISED_SHARES]);
    expect(calibration.scored).toBe(0);
  });

  it.each([
    ['right', (u: number) => u],
    ['far too sure of short times', (u: number) => u ** 0.2],
    ['far too sure of long times', (u: number) => u ** 5],
    ['too narrow on both sides', (u: number) => (u < 0.5 ? u * 0.2 : 1 - (1 - u) * 0.2)],
  ])('covers what it promises though the model is %s', (_, bend) => {
    const random = uniform(7);
    const draws = Array.from({ length: 4000 }, () => bend(random()));
    coverage(4000, (i) => draws[i]!).forEach((covered, index) => {
      expect(Math.abs(covered - PROMISED_SHARES[index]!)).toBeLessThanOrEqual(0.03);
    });
  });

  it('recovers from a model that breaks in the middle', () => {
    const random = uniform(9);
    const draws = Array.from({ length: 6000 }, (_, i) => (i < 3000 ? random() : 0.9 + 0.1 * random()));
    coverage(6000, (i) => draws[i]!).forEach((covered, index) => {
      expect(Math.abs(covered - PROMISED_SHARES[index]!)).toBeLessThanOrEqual(0.03);
    });
  });

  it('never asks a larger share of a smaller level, nor leaves 0..1', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 0.05, 0.5, 0.95, 1), { maxLength: 500 }), (draws) => {
        const calibration = new Calibration();
        for (const draw of draws) calibration.learn(draw);
        const levels = PROMISED_SHARES.map((_, index) => calibration.level(index));
        expect([...levels].sort((a, b) => a - b)).toEqual(levels);
        for (const level of levels) expect(level >= 0 && level <= 1).toBe(true);
      }),
    );
  });

  it.each([Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY])('learns nothing from a share of %d', (share) => {
    const calibration = new Calibration();
    calibration.learn(share);
    expect(calibration.scored).toBe(0);
    expect(calibration.level(1)).toBe(0.5);
  });
});
