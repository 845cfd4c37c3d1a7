import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Fragmentation,
  type PackingColumns,
  type Want,
} from '../../../../../../src/drm/allocator/packing/fragmentation/fragmentation.ts';
import type { JobClass } from '../../../../../../src/drm/allocator/packing/fragmentation/job-class.ts';
import { WorkloadTables } from '../../../../../../src/drm/allocator/packing/fragmentation/workload-tables.ts';
import {
  classesArb,
  columnsOf,
  jobClass,
  type NodeInput,
  nodesArb,
  typeCount,
  want,
  wantArb,
} from './support/builders.ts';
import { lost } from './support/naive.ts';

const scorerOf = (classes: readonly JobClass[], columns: PackingColumns) =>
  new Fragmentation(new WorkloadTables(classes, typeCount), columns);
const on = (classes: readonly JobClass[], ...nodes: NodeInput[]) => scorerOf(classes, columnsOf(nodes));
const sharesOf = (one: Want, devices: readonly number[]) => devices.map(() => one.milli);

function addedOn(scorer: Fragmentation, row: number, one: Want): number {
  const chosen: number[] = [];
  expect(scorer.choose(row, one, chosen)).toBe(true);
  return scorer.added(row, one, chosen, sharesOf(one, chosen));
}

function take(columns: PackingColumns, row: number, one: Want, devices: readonly number[]): void {
  columns.cpuMilliFree[row]! -= one.cpuMilli;
  columns.memoryBytesFree[row]! -= one.memoryBytes;
  for (const device of devices) columns.deviceMilliFree[device]! -= one.milli;
}

describe('what is lost of a node', () => {
  it('is what the definition says, whatever the workload and the fleet', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, (classes, nodes) => {
        const columns = columnsOf(nodes);
        const scorer = scorerOf(classes, columns);
        for (const row of nodes.keys()) expect(scorer.lost(row)).toBeCloseTo(lost(classes, columns, row), 6);
      }),
      { numRuns: 300 },
    );
  });

  it('is the same after any takings as for a scorer that is made anew', () => {
    fc.assert(
      fc.property(
        classesArb,
        nodesArb,
        fc.array(fc.tuple(fc.nat(), wantArb), { maxLength: 20 }),
        (classes, nodes, steps) => {
          const columns = columnsOf(nodes);
          const scorer = scorerOf(classes, columns);
          for (const [at, one] of steps) {
            const row = at % nodes.length;
            const chosen: number[] = [];
            if (columns.cpuMilliFree[row]! < one.cpuMilli || !scorer.choose(row, one, chosen)) continue;
            const promised = scorer.lost(row) + scorer.added(row, one, chosen, sharesOf(one, chosen));
            take(columns, row, one, chosen);
            scorer.changed(row);
            expect(scorer.lost(row)).toBeCloseTo(promised, 6);
          }
          const fresh = scorerOf(classes, columns);
          for (const row of nodes.keys()) expect(scorer.lost(row)).toBe(fresh.lost(row));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is nothing without devices, and everything when nobody wants what is left', () => {
    const large = [jobClass({ deviceMilli: 500, cpuMilli: 0 })];
    expect(on(large, { cpuMilli: 8000, devices: [] }).lost(0)).toBe(0);
    expect(on(large, { cpuMilli: 8000, devices: [0, 0] }).lost(0)).toBe(0);
    expect(on(large, { cpuMilli: 8000, devices: [300] }).lost(0)).toBe(300);
  });

  it('is never more than what is free, three times over, nor below zero', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, (classes, nodes) => {
        const columns = columnsOf(nodes);
        const scorer = scorerOf(classes, columns);
        for (const [row, node] of nodes.entries()) {
          const free = node.devices.reduce((sum, milli) => sum + milli, 0);
          expect(scorer.lost(row)).toBeGreaterThanOrEqual(-1e-6);
          expect(scorer.lost(row)).toBeLessThanOrEqual(2.5 * free + 1e-6);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('counts devices that are stranded by cpu, and by memory, whichever is scarcer', () => {
    const even = [jobClass({ cpuMilli: 8000, memoryBytes: 100 })];
    expect(on(even, { cpuMilli: 16_000, memoryBytes: 200, devices: [1000, 1000] }).lost(0)).toBe(0);
    const byCpu = on(even, { cpuMilli: 8000, memoryBytes: 200, devices: [1000, 1000] }).lost(0);
    const byMemory = on(even, { cpuMilli: 16_000, memoryBytes: 100, devices: [1000, 1000] }).lost(0);
    expect(byCpu).toBe(1000);
    expect(byMemory).toBe(1000);
  });

  it('knows no difference while nothing was learned', () => {
    const scorer = on([], { cpuMilli: 1, devices: [1000, 500] }, { cpuMilli: 9000, devices: [1000, 500] });
    expect(scorer.lost(0)).toBe(scorer.lost(1));
  });

  it('is not spoiled by a class that is nonsense', () => {
    const sane = [jobClass(), jobClass({ deviceMilli: 300 })];
    const mad = [
      jobClass({ weight: Number.NaN }),
      jobClass({ weight: -1 }),
      jobClass({ weight: 0 }),
      jobClass({ cpuMilli: Number.NaN }),
      jobClass({ memoryBytes: Number.POSITIVE_INFINITY }),
      jobClass({ deviceMilli: 0 }),
      jobClass({ deviceMilli: 1001 }),
      jobClass({ deviceMilli: 0.5 }),
      jobClass({ deviceCount: -1 }),
    ];
    const node = { cpuMilli: 4000, devices: [1000, 700, 300] };
    expect(on([...mad, ...sane], node).lost(0)).toBe(on(sane, node).lost(0));
  });
});

describe('what a placement adds', () => {
  it('is the difference that it makes', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, wantArb, (classes, nodes, one) => {
        const columns = columnsOf(nodes);
        const scorer = scorerOf(classes, columns);
        const chosen: number[] = [];
        if (columns.cpuMilliFree[0]! < one.cpuMilli || !scorer.choose(0, one, chosen)) return;
        const before = scorer.lost(0);
        const added = scorer.added(0, one, chosen, sharesOf(one, chosen));
        take(columns, 0, one, chosen);
        expect(scorerOf(classes, columns).lost(0) - before).toBeCloseTo(added, 6);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves the columns as they were', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, wantArb, (classes, nodes, one) => {
        const columns = columnsOf(nodes);
        const before = structuredClone(columns);
        const scorer = scorerOf(classes, columns);
        const chosen: number[] = [];
        if (scorer.choose(0, one, chosen)) scorer.added(0, one, chosen, sharesOf(one, chosen));
        expect(columns).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  it('is least where a piece is filled that others cannot fill', () => {
    const classes = [jobClass({ deviceMilli: 800, weight: 10 }), jobClass({ deviceMilli: 200 })];
    const scorer = on(classes, { cpuMilli: 9000, devices: [1000] }, { cpuMilli: 9000, devices: [200] });
    const small = want({ milli: 200 });
    expect(addedOn(scorer, 1, small)).toBeLessThan(addedOn(scorer, 0, small));
  });

  it('is more where a node of eight is broken up that somebody wants whole', () => {
    const classes = [jobClass({ deviceCount: 8 }), jobClass({ weight: 3 })];
    const eight = Array.from({ length: 8 }, () => 1000);
    const scorer = on(classes, { cpuMilli: 64_000, devices: eight }, { cpuMilli: 64_000, devices: eight.slice(1) });
    expect(addedOn(scorer, 0, want())).toBeGreaterThan(addedOn(scorer, 1, want()));
  });

  it('is more for a job without devices where cpu is scarce', () => {
    const classes = [jobClass({ cpuMilli: 8000 })];
    const scorer = on(classes, { cpuMilli: 8000, devices: [1000] }, { cpuMilli: 64_000, devices: [1000] });
    const amounts = { cpuMilli: 4000, memoryBytes: 0 };
    expect(scorer.added(0, amounts, [], [])).toBeGreaterThan(0);
    expect(scorer.added(1, amounts, [], [])).toBe(0);
  });

  it('spares the rarer model when both would do', () => {
    const onlyFirst = Uint8Array.from([1, 0, 0]);
    const classes = [jobClass({ accepts: onlyFirst, deviceCount: 2 }), jobClass()];
    const scorer = on(
      classes,
      { cpuMilli: 9000, devices: [1000, 1000], type: 0 },
      { cpuMilli: 9000, devices: [1000, 1000], type: 1 },
    );
    expect(addedOn(scorer, 0, want())).toBeGreaterThan(addedOn(scorer, 1, want()));
  });
});

describe('the devices that are chosen', () => {
  it('fit, are distinct, and are refused exactly when there are too few', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, wantArb, (classes, nodes, one) => {
        const columns = columnsOf(nodes);
        const chosen: number[] = [];
        const enough = scorerOf(classes, columns).choose(0, one, chosen);
        const end = columns.deviceStart[0]! + columns.deviceCount[0]!;
        const fitting = [...Array(end).keys()].filter(
          (device) => columns.deviceHealthy[device] === 1 && columns.deviceMilliFree[device]! >= one.milli,
        );
        expect(enough).toBe(fitting.length >= one.count);
        if (!enough) return;
        expect(chosen).toHaveLength(one.count);
        expect(new Set(chosen).size).toBe(one.count);
        for (const device of chosen) expect(fitting).toContain(device);
      }),
      { numRuns: 300 },
    );
  });

  it('cost less than any other for a share of one device', () => {
    fc.assert(
      fc.property(classesArb, nodesArb, fc.integer({ min: 1, max: 999 }), (classes, nodes, milli) => {
        const columns = columnsOf(nodes);
        const scorer = scorerOf(classes, columns);
        const one = want({ milli, cpuMilli: 0 });
        const chosen: number[] = [];
        if (!scorer.choose(0, one, chosen)) return;
        const least = scorer.added(0, one, chosen, [milli]);
        for (let device = 0; device < columns.deviceCount[0]!; device += 1) {
          if (columns.deviceHealthy[device] !== 1 || columns.deviceMilliFree[device]! < milli) continue;
          expect(scorer.added(0, one, [device], [milli])).toBeGreaterThanOrEqual(least - 1e-6);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are the first ones when all are alike', () => {
    const chosen: number[] = [];
    on([jobClass()], { cpuMilli: 9000, devices: [1000, 1000, 1000] }).choose(0, want({ count: 2 }), chosen);
    expect(chosen).toEqual([0, 1]);
  });

  it('are those that are asked for, on a node with several models', () => {
    const scorer = on([jobClass()], { cpuMilli: 9000, devices: [1000, 1000, 1000], types: [0, 1, 1] });
    const chosen: number[] = [];
    expect(scorer.choose(0, want({ accepts: (device) => device > 0, count: 2 }), chosen)).toBe(true);
    expect(chosen).toEqual([1, 2]);
    expect(scorer.choose(0, want({ accepts: (device) => device > 0, count: 3 }), chosen)).toBe(false);
  });

  it('leave the model alone that somebody else needs', () => {
    const classes = [jobClass({ accepts: Uint8Array.from([1, 0, 0]) }), jobClass({ deviceMilli: 500 })];
    const scorer = on(classes, { cpuMilli: 9000, devices: [1000, 1000], types: [0, 1] });
    const chosen: number[] = [];
    scorer.choose(0, want({ milli: 500 }), chosen);
    expect(chosen).toEqual([1]);
  });

  it('are never unhealthy ones', () => {
    const chosen: number[] = [];
    const scorer = on([jobClass()], { cpuMilli: 9000, devices: [1000, 1000], healthy: [false, true] });
    expect(scorer.choose(0, want(), chosen)).toBe(true);
    expect(chosen).toEqual([1]);
  });
});
