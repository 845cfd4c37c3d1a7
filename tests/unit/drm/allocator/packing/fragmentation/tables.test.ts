import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftoverTable } from '../../../../../../src/drm/allocator/packing/fragmentation/leftover-table.ts';
import { StrandingCurve } from '../../../../../../src/drm/allocator/packing/fragmentation/stranding-curve.ts';
import { WholeDevices } from '../../../../../../src/drm/allocator/packing/fragmentation/whole-devices.ts';
import { classesArb, jobClass, typeCount } from './support/builders.ts';
import { leftover, stranded } from './support/naive.ts';

describe('the leftover table', () => {
  it('holds the expectation for each type and size', () => {
    fc.assert(
      fc.property(classesArb, fc.nat(typeCount - 1), fc.nat(1000), (classes, type, free) => {
        expect(leftoverTable(classes, typeCount)[type * 1001 + free]).toBeCloseTo(leftover(classes, type, free), 6);
      }),
      { numRuns: 200 },
    );
  });

  it('says that nothing is used where nobody asks', () => {
    const table = leftoverTable([jobClass({ accepts: Uint8Array.from([0, 1, 1]) })], typeCount);
    expect(table[1000]).toBe(1000);
    expect(table[1001 + 1000]).toBe(0);
    expect(leftoverTable([], 1)[400]).toBe(400);
  });

  it('trusts a rare filler less than a common one', () => {
    const rare = leftoverTable([jobClass({ weight: 99 }), jobClass({ deviceMilli: 190 })], 1);
    const common = leftoverTable([jobClass({ weight: 1 }), jobClass({ deviceMilli: 190 })], 1);
    expect(rare[190]).toBeGreaterThan(100);
    expect(common[190]).toBeLessThan(30);
  });

  it('never loses more than the piece', () => {
    fc.assert(
      fc.property(classesArb, (classes) => {
        for (const [at, left] of leftoverTable(classes, typeCount).entries()) {
          if (!(left >= 0 && left <= (at % 1001) + 1e-9)) throw new Error(`${left} of ${at % 1001}`);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('counts jobs that share several devices on each of them, and jobs that want several whole ones on none', () => {
    const shared = leftoverTable([jobClass({ deviceCount: 2, deviceMilli: 500 }), jobClass({ weight: 2 })], 1);
    const single = leftoverTable([jobClass({ deviceMilli: 500, weight: 2 }), jobClass({ weight: 2 })], 1);
    expect(shared).toEqual(single);
    expect(leftoverTable([jobClass({ deviceCount: 2 })], 1)[1000]).toBe(1000);
  });
});

describe('the stranding curve', () => {
  it('is the mean over the classes', () => {
    fc.assert(
      fc.property(classesArb, fc.nat(8000), fc.nat(100_000), (classes, free, supply) => {
        const curve = new StrandingCurve(classes, (job) => job.cpuMilli);
        const expected = stranded(classes, free, supply, (job) => job.cpuMilli);
        expect(curve.at(free, supply)).toBeCloseTo(expected, 6);
      }),
      { numRuns: 500 },
    );
  });

  it('falls as the supply grows, and rises with what is free', () => {
    fc.assert(
      fc.property(
        classesArb,
        fc.nat(8000),
        fc.nat(8000),
        fc.nat(90_000),
        fc.nat(9000),
        (classes, a, b, supply, more) => {
          const curve = new StrandingCurve(classes, (job) => job.cpuMilli);
          const [less, free] = [Math.min(a, b), Math.max(a, b)];
          expect(curve.at(free, supply + more)).toBeLessThanOrEqual(curve.at(free, supply) + 1e-6);
          expect(curve.at(less, supply)).toBeLessThanOrEqual(curve.at(free, supply) + 1e-6);
          expect(curve.at(free, supply)).toBeLessThanOrEqual(free + 1e-6);
          expect(curve.at(free, supply)).toBeGreaterThanOrEqual(-1e-6);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('strands nothing when nobody wants devices, or nobody wants the other thing', () => {
    expect(new StrandingCurve([jobClass({ deviceCount: 0, deviceMilli: 0 })], (job) => job.cpuMilli).at(1000, 0)).toBe(
      0,
    );
    expect(new StrandingCurve([jobClass({ cpuMilli: 0 })], (job) => job.cpuMilli).at(1000, 0)).toBe(0);
    expect(new StrandingCurve([], (job) => job.cpuMilli).at(1000, 0)).toBe(0);
  });

  it('strands all without supply', () => {
    expect(new StrandingCurve([jobClass({ cpuMilli: 5 })], (job) => job.cpuMilli).at(3000, 0)).toBe(3000);
  });
});

describe('whole devices', () => {
  it('serve the share of the workload that fits, and counts all that wants whole ones', () => {
    fc.assert(
      fc.property(classesArb, fc.nat(typeCount - 1), fc.nat(12), fc.nat(20_000), (classes, type, devices, cpuMilli) => {
        const total = classes.reduce((sum, job) => sum + job.weight, 0);
        const whole = classes.filter((job) => job.deviceCount > 0 && job.deviceMilli === 1000);
        const fitting = whole.filter(
          (job) =>
            (job.accepts === null || job.accepts[type] === 1) && job.deviceCount <= devices && job.cpuMilli <= cpuMilli,
        );
        const share = (jobs: typeof whole) => jobs.reduce((sum, job) => sum + job.weight, 0) / Math.max(1, total);
        const table = new WholeDevices(classes, typeCount);
        expect(table.served(type, devices, cpuMilli)).toBeCloseTo(share(fitting), 9);
        expect(table.share).toBeCloseTo(share(whole), 9);
      }),
      { numRuns: 300 },
    );
  });

  it('count no further than sixteen, so that larger requests are served by seventeen as by a hundred', () => {
    const table = new WholeDevices([jobClass({ deviceCount: 64 })], 1);
    expect(table.served(0, 15, 9000)).toBe(0);
    expect(table.served(0, 100, 9000)).toBe(1);
  });
});
