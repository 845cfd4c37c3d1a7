/** Samples of devices and host out of what tools and the kernel print. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { amdReadingsOf, rocmReadingsOf } from '../../../../../src/metapod/agent/samples/amd-reading.ts';
import { nextDeviceSample } from '../../../../../src/metapod/agent/samples/device-energy.ts';
import { cpuTimesOf, memoryUsedOf, utilizationBetween } from '../../../../../src/metapod/agent/samples/host.ts';
import { deviceJoulesBetween } from '../../../../../src/metapod/agent/samples/index.ts';
import { nvidiaReadingOf, SAMPLE_FIELDS } from '../../../../../src/metapod/agent/samples/nvidia-reading.ts';
import { counterStep } from '../../../../../src/metapod/agent/samples/rapl.ts';
import type { DeviceReading, DeviceSample } from '../../../../../src/metapod/agent/samples/sample.ts';
import { fixture, outsideOf } from '../discovery/world.ts';

const UUID = 'GPU-2d4c1b7e-9a51-4a3e-8c11-0a6f5d3b9e01';
const line = (text: string) => nvidiaReadingOf(SAMPLE_FIELDS, text);

function reading(more: Partial<DeviceReading> = {}): DeviceReading {
  const blank = { utilizationRatio: null, memoryUsedBytes: null, powerWatts: null, temperatureCelsius: null };
  return { uuid: UUID, ...blank, counterJoules: null, throttleReasons: [], ...more };
}

/** Folds readings at given milliseconds into samples. */
function samplesOf(readings: [ms: number, reading: Partial<DeviceReading>][]): DeviceSample[] {
  const samples: DeviceSample[] = [];
  for (const [ms, more] of readings) samples.push(nextDeviceSample(samples.at(-1), reading(more), ms));
  return samples;
}

describe('a line of nvidia-smi', () => {
  it('is a reading in base units', () => {
    expect(line(`${UUID}, 37, 40960, 412.35, 61, 0x0000000000000044`)).toEqual({
      uuid: UUID,
      utilizationRatio: 0.37,
      memoryUsedBytes: 40960 * 2 ** 20,
      powerWatts: 412.35,
      temperatureCelsius: 61,
      counterJoules: null,
      throttleReasons: ['power-cap', 'hw-thermal'],
    });
  });

  it('with unknown or absurd cells has nulls', () => {
    const text = `${UUID}, [N/A], [Not Supported], ERR!, 9999, Not Active`;
    expect(line(text)).toEqual(reading());
  });

  it.each(['', 'No devices were found', 'Field "x" is not a valid field to query.', '0, 1, 2, 3, 4, 5', `${UUID}, 3`])(
    '%j is none',
    (text) => expect(line(text)).toBeNull(),
  );

  it('never throws and never gives a number out of range', () => {
    const cell = fc.oneof(fc.string({ maxLength: 12 }), fc.integer().map(String), fc.double().map(String));
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 8 }), (cells) => {
        const read = line([UUID, ...cells].join(', '));
        if (read === null) return;
        for (const [value, max] of [
          [read.utilizationRatio, 1],
          [read.powerWatts, 5000],
          [read.temperatureCelsius, 150],
          [read.memoryUsedBytes, 2 ** 43],
        ] as const) {
          expect(value === null || (Number.isFinite(value) && value <= max)).toBe(true);
        }
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

describe('AMD readings', () => {
  const devices = async () => {
    const outside = outsideOf({
      tools: { 'amd-smi': (args) => ({ kind: 'ok', stdout: fixture(`amd/${args[0]}.json`) }) },
    });
    return (await discoverNode({ outside, scratch: '/tmp' })).devices;
  };

  it('of amd-smi metric carry its energy counter in joules', async () => {
    const found = await devices();
    expect(amdReadingsOf(fixture('amd/metric.json'), found)).toEqual([
      {
        uuid: found[0]?.uuid,
        utilizationRatio: 0.87,
        memoryUsedBytes: 121344 * 2 ** 20,
        powerWatts: 542,
        temperatureCelsius: 71,
        counterJoules: 1234567.891,
        throttleReasons: ['power-cap', 'hw-thermal'],
      },
    ]);
  });

  it('of rocm-smi convert microjoules', async () => {
    expect(rocmReadingsOf(fixture('amd/rocm-smi.json'), await devices())?.[0]).toMatchObject({
      utilizationRatio: 0.85,
      memoryUsedBytes: 17179869184,
      powerWatts: 311,
      temperatureCelsius: 46,
      counterJoules: 979559.091,
    });
  });

  it('of devices that discovery does not know are left out; no JSON is null', () => {
    expect(amdReadingsOf(fixture('amd/metric.json'), [])).toEqual([]);
    expect(amdReadingsOf('Traceback (most recent call last):', [])).toBeNull();
    expect(rocmReadingsOf('[]', [])).toBeNull();
  });
});

describe('energy of a device', () => {
  it('is power integrated by trapezoids where the device has no counter', () => {
    const [first, , last] = samplesOf([
      [0, { powerWatts: 100 }],
      [1000, { powerWatts: 300 }],
      [3000, { powerWatts: 300 }],
    ]);
    expect(deviceJoulesBetween(first as DeviceSample, last as DeviceSample)).toBe(200 + 600);
    expect(last?.energySource).toBe('power');
  });

  it('is the counter where it has one', () => {
    const [first, last] = samplesOf([
      [0, { powerWatts: 1, counterJoules: 500 }],
      [1000, { powerWatts: 1, counterJoules: 650 }],
    ]);
    expect(deviceJoulesBetween(first as DeviceSample, last as DeviceSample)).toBe(150);
    expect(last?.energySource).toBe('counter');
  });

  it.each<[string, [number, Partial<DeviceReading>][]]>([
    [
      'a gap',
      [
        [0, { powerWatts: 100 }],
        [10_001, { powerWatts: 100 }],
      ],
    ],
    [
      'a counter that ran backwards',
      [
        [0, { counterJoules: 500 }],
        [1000, { counterJoules: 499 }],
      ],
    ],
    [
      'power not told in between',
      [
        [0, { powerWatts: 9 }],
        [1000, {}],
        [2000, { powerWatts: 9 }],
      ],
    ],
    [
      'a change of source',
      [
        [0, { powerWatts: 9 }],
        [1000, { counterJoules: 900 }],
      ],
    ],
    [
      'no energy at all',
      [
        [0, {}],
        [1000, {}],
      ],
    ],
  ])('is unknown over %s', (_, readings) => {
    const samples = samplesOf(readings);
    expect(deviceJoulesBetween(samples[0] as DeviceSample, samples.at(-1) as DeviceSample)).toBeNull();
  });

  it('counts again after a gap', () => {
    const samples = samplesOf([
      [0, { powerWatts: 100 }],
      [60_000, { powerWatts: 100 }],
      [61_000, { powerWatts: 100 }],
    ]);
    expect(deviceJoulesBetween(samples[1] as DeviceSample, samples[2] as DeviceSample)).toBe(100);
  });

  it('adds up over any split and is never negative', () => {
    const step = fc.tuple(
      fc.integer({ min: 0, max: 10_000 }),
      fc.option(fc.double({ min: 0, max: 5000, noNaN: true })),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 20 }), (steps) => {
        let now = 0;
        const samples = samplesOf(
          steps.map(([elapsed, powerWatts]) => {
            now += elapsed;
            return [now, { powerWatts }];
          }),
        );
        const between = (a: number, b: number) =>
          deviceJoulesBetween(samples[a] as DeviceSample, samples[b] as DeviceSample);
        const last = samples.length - 1;
        const [whole, left, right] = [between(0, last), between(0, 1), between(1, last)];
        if (whole === null) return;
        expect(whole).toBeGreaterThanOrEqual(0);
        expect((left ?? Number.NaN) + (right ?? Number.NaN)).toBeCloseTo(whole, 6);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe('host', () => {
  it('CPU times come from the recorded /proc/stat', () => {
    const times = cpuTimesOf(fixture('host/stat'));
    const cells = (fixture('host/stat').split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] = cells;
    expect(times?.busySeconds).toBeCloseTo((user + nice + system + irq + softirq) / 100, 9);
    expect(times?.totalSeconds).toBeCloseTo((user + nice + system + irq + softirq + idle + iowait) / 100, 9);
  });

  it('utilisation is busy over total, and unknown without progress', () => {
    const at = (busySeconds: number, totalSeconds: number) => ({ busySeconds, totalSeconds });
    expect(utilizationBetween(at(10, 100), at(15, 120))).toBe(0.25);
    expect(utilizationBetween(at(10, 100), at(10, 100))).toBeNull();
    expect(utilizationBetween(at(10, 100), at(10, 99))).toBeNull();
    expect(utilizationBetween(at(10, 100), at(90, 110))).toBe(1);
  });

  it('memory used is what is not available', () => {
    expect(memoryUsedOf('MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:    400 kB\n')).toBe(600 * 1024);
    expect(memoryUsedOf(fixture('host/meminfo'))).toBeGreaterThan(0);
    expect(memoryUsedOf('nothing')).toBeNull();
  });

  it('garbage is null', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const times = cpuTimesOf(text);
        expect(times === null || Number.isFinite(times.totalSeconds)).toBe(true);
        memoryUsedOf(text);
      }),
      { seed: 9 },
    );
  });
});

describe('RAPL counter', () => {
  const RANGE = 262_143_328_850;

  it('wraps around at its range', () => {
    expect(counterStep(RANGE - 1_000_000, 4_000_000, RANGE, 1)).toBe(5_000_000);
  });

  it('that was reset is not taken for a wrap', () => {
    expect(counterStep(100_000_000_000, 5, RANGE, 1)).toBeNull();
  });

  it('that leaps is not believed', () => {
    expect(counterStep(0, 100_000_000_000, RANGE, 1)).toBeNull();
  });

  it('adds up over any readings of a steady load', () => {
    const pauses = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: RANGE - 1 }),
        fc.integer({ min: 0, max: 500 }),
        pauses,
        (from, watts, all) => {
          let counter = from;
          let sum = 0;
          for (const seconds of all) {
            const next = (counter + watts * seconds * 1e6) % RANGE;
            sum += counterStep(counter, next, RANGE, seconds) ?? Number.NaN;
            counter = next;
          }
          expect(sum).toBe(watts * 1e6 * all.reduce((a, b) => a + b, 0));
        },
      ),
      { seed: 11 },
    );
  });
});
