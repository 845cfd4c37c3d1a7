import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  milliPerWatt,
  PowerCost,
  type PowerFigures,
} from '../../../../../../src/drm/allocator/packing/power/power-cost.ts';

const figures: PowerFigures = {
  deviceIdleWatts: Float64Array.from([0, 30, 50, Number.NaN, 90]),
  deviceBusyWatts: Float64Array.from([0, 150, 400, 100, 80]),
  processor: { cores: 16, threadsPerCore: 2, idleWatts: 15, busyWatts: 120 },
};
const cost = new PowerCost(figures, 0);
const thread = 1000;

describe('what a watt is worth', () => {
  it('is most on an idle fleet and nothing on a full one', () => {
    expect(milliPerWatt(0)).toBeGreaterThan(0);
    expect(milliPerWatt(1)).toBe(0);
    expect(new PowerCost(figures, 0.5).milliPerWatt).toBe(milliPerWatt(0.5));
  });

  it('falls with the load', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        expect(milliPerWatt(Math.max(a, b))).toBeLessThanOrEqual(milliPerWatt(Math.min(a, b)));
      }),
    );
  });

  it('is nothing where the load is no share', () => {
    for (const load of [Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY]) expect(milliPerWatt(load)).toBe(0);
  });
});

describe('waking a device', () => {
  it('adds what busy draws more than idle', () => {
    expect(cost.wakingWatts(1)).toBe(120);
    expect(cost.wakingWatts(2)).toBe(350);
  });

  it('adds nothing for a type without figures, or with figures that make no sense', () => {
    for (const type of [0, 3, 4, 99]) expect(cost.wakingWatts(type)).toBe(0);
  });
});

describe('taking cpu', () => {
  const capacity = 64 * thread;

  it('wakes the first processor with the first core and the second when the first is full', () => {
    expect(cost.processorWatts(capacity, capacity, 1)).toBe(105);
    expect(cost.processorWatts(capacity, capacity - 1, 31 * thread)).toBe(0);
    expect(cost.processorWatts(capacity, capacity - 32 * thread, 1)).toBe(105);
    expect(cost.processorWatts(capacity, capacity, 33 * thread)).toBe(210);
  });

  it('adds nothing when nothing is taken', () => {
    expect(cost.processorWatts(capacity, capacity, 0)).toBe(0);
    expect(cost.processorWatts(capacity, 0, 0)).toBe(0);
  });

  it('adds the same in one step as in several', () => {
    fc.assert(
      fc.property(fc.nat(64_000), fc.nat(64_000), (a, b) => {
        const [first, second] = [Math.floor(a / 2), Math.floor(b / 2)];
        const steps =
          cost.processorWatts(capacity, capacity, first) + cost.processorWatts(capacity, capacity - first, second);
        expect(steps).toBe(cost.processorWatts(capacity, capacity, first + second));
      }),
      { numRuns: 300 },
    );
  });

  it('never adds more than all processors', () => {
    fc.assert(
      fc.property(fc.nat(64_000), fc.nat(64_000), (free, taken) => {
        const added = cost.processorWatts(capacity, Math.max(free, taken), Math.min(free, taken));
        expect(added).toBeGreaterThanOrEqual(0);
        expect(added).toBeLessThanOrEqual(210);
      }),
    );
  });
});
