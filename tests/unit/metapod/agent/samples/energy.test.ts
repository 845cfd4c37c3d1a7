/** Energy of attempts: formulas, and what must hold for any numbers: never negative, monotonic, additive. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attemptEnergy,
  type CpuUse,
  DEFAULT_CPU_WATTS,
  type DeviceUse,
  devicePowerOf,
  meteredAs,
  sumEnergy,
} from '../../../../../src/metapod/agent/samples/index.ts';

const cpu = (use: Partial<CpuUse> = {}): CpuUse => ({ cores: 2, cpuSeconds: 5, node: null, ...use });
const gpu = (use: Partial<DeviceUse> = {}): DeviceUse => ({
  milli: 1000,
  joules: null,
  utilizationRatio: 0.5,
  power: { idleWatts: 65, maxWatts: 700 },
  ...use,
});

describe('CPU energy', () => {
  it('measured is the share of busy CPU time of what the packages drew', () => {
    const energy = attemptEnergy(10, cpu({ cpuSeconds: 5, node: { joules: 1000, busyCpuSeconds: 20 } }), []);
    expect(energy).toEqual({ joules: 250, cpuJoules: 250, deviceJoules: 0, method: 'measured' });
  });

  it('measured is never more than the whole node, though the two clocks of CPU time disagree', () => {
    const energy = attemptEnergy(10, cpu({ cpuSeconds: 21, node: { joules: 1000, busyCpuSeconds: 20 } }), []);
    expect(energy.joules).toBe(1000);
  });

  it('of a node that did nothing is nothing', () => {
    expect(attemptEnergy(10, cpu({ cpuSeconds: 0, node: { joules: 9, busyCpuSeconds: 0 } }), []).joules).toBe(0);
  });

  it('modelled is idle watts of what is reserved and dynamic watts of what is used', () => {
    const energy = attemptEnergy(10, cpu({ cores: 4, cpuSeconds: 5 }), []);
    expect(energy.joules).toBeCloseTo(4 * 10 * 0.74 + 5 * (3.5 - 0.74), 9);
    expect(energy.method).toBe('modelled');
  });

  it('of one core fully busy is its maximum power', () => {
    const energy = attemptEnergy(60, cpu({ cores: 1, cpuSeconds: 60 }), []);
    expect(energy.joules).toBeCloseTo(60 * DEFAULT_CPU_WATTS.maxWattsPerCore, 9);
  });
});

describe('device energy', () => {
  const none = cpu({ cpuSeconds: 0, node: { joules: 0, busyCpuSeconds: 0 } });

  it('measured is the share in thousandths of what the device drew', () => {
    const energy = attemptEnergy(10, none, [gpu({ milli: 250, joules: 4000 })]);
    expect(energy).toMatchObject({ deviceJoules: 1000, method: 'measured' });
  });

  it('modelled lies between idle and maximum by utilisation', () => {
    const energy = attemptEnergy(10, none, [gpu()]);
    expect(energy).toMatchObject({ deviceJoules: 10 * (65 + 635 * 0.5), method: 'modelled' });
  });

  it('of unknown utilisation is modelled at full load', () => {
    expect(attemptEnergy(10, none, [gpu({ utilizationRatio: null })]).deviceJoules).toBe(7000);
  });

  it('is marked modelled as soon as one part is', () => {
    expect(attemptEnergy(10, none, [gpu({ joules: 5 }), gpu()]).method).toBe('modelled');
    expect(attemptEnergy(10, cpu(), [gpu({ joules: 5 })]).method).toBe('modelled');
  });
});

describe('power of a device', () => {
  it('is by model', () => {
    expect(devicePowerOf({ fullName: 'NVIDIA H100 80GB HBM3', powerCapWatts: 700 })).toEqual({
      maxWatts: 700,
      idleWatts: 65,
    });
  });

  it('is lowered by the cap in force, never raised', () => {
    expect(devicePowerOf({ fullName: 'NVIDIA H100 80GB HBM3', powerCapWatts: 400 }).maxWatts).toBe(400);
    expect(devicePowerOf({ fullName: 'Tesla T4', powerCapWatts: 900 }).maxWatts).toBe(70);
  });

  it('of an unknown model is its cap, else an assumption', () => {
    expect(devicePowerOf({ fullName: 'Card of 2031', powerCapWatts: 500 })).toEqual({ maxWatts: 500, idleWatts: 50 });
    expect(devicePowerOf({ fullName: 'Card of 2031', powerCapWatts: null })).toEqual({ maxWatts: 300, idleWatts: 30 });
  });
});

describe('metering', () => {
  const slice = (profile: string, model = 'H100') => ({ uuid: 'MIG-1', parentUuid: 'GPU-1', profile, model });

  it('of a whole device is by itself', () => {
    const device = { uuid: 'GPU-1', parentUuid: null, profile: null, model: 'H100' };
    expect(meteredAs(device, 500)).toEqual({ uuid: 'GPU-1', milli: 500 });
  });

  it.each([
    ['1g.10gb', 'H100', 143],
    ['2g.20gb', 'H100', 286],
    ['7g.80gb', 'H100', 1000],
    ['1c.2g.20gb', 'H100', 286],
    ['1g.10gb+me', 'H100', 143],
    ['2g.12gb', 'A30', 500],
  ])('of slice %s on %s is %i thousandths of its parent', (profile, model, milli) => {
    expect(meteredAs(slice(profile, model), 1000)).toEqual({ uuid: 'GPU-1', milli });
  });
});

const watts = fc.double({ min: 0, max: 5000, noNaN: true });
const seconds = fc.double({ min: 0, max: 1e5, noNaN: true });
const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const anyCpu = fc.record({
  cores: fc.double({ min: 0, max: 512, noNaN: true }),
  cpuSeconds: seconds,
  node: fc.option(fc.record({ joules: fc.double({ min: 0, max: 1e9, noNaN: true }), busyCpuSeconds: seconds })),
});
const anyDevice = fc
  .record({
    milli: fc.integer({ min: 0, max: 1000 }),
    joules: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
    utilizationRatio: fc.option(ratio),
    power: fc.tuple(watts, watts).map(([a, b]) => ({ idleWatts: Math.min(a, b), maxWatts: Math.max(a, b) })),
  })
  .map((use): DeviceUse => use);
const anyDevices = fc.array(anyDevice, { maxLength: 8 });
const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
const SEED = { seed: 20260714, numRuns: 300 };

describe('energy of any attempt', () => {
  it('is finite, not negative, and the sum of its parts', () => {
    fc.assert(
      fc.property(seconds, anyCpu, anyDevices, (length, cpuUse, devices) => {
        const { joules, cpuJoules, deviceJoules } = attemptEnergy(length, cpuUse, devices);
        expect(Number.isFinite(joules) && cpuJoules >= 0 && deviceJoules >= 0).toBe(true);
        expect(close(joules, cpuJoules + deviceJoules)).toBe(true);
      }),
      SEED,
    );
  });

  it('survives numbers that are none', () => {
    const wild = fc.double();
    fc.assert(
      fc.property(wild, wild, wild, wild, (a, b, c, d) => {
        const use = { milli: a, joules: null, utilizationRatio: b, power: { idleWatts: c, maxWatts: d } };
        const { joules } = attemptEnergy(a, { cores: b, cpuSeconds: c, node: { joules: d, busyCpuSeconds: a } }, [use]);
        expect(joules >= 0).toBe(true);
      }),
      SEED,
    );
  });

  it('splits into intervals whose energies add up to the whole', () => {
    fc.assert(
      fc.property(seconds, anyCpu, anyDevices, ratio, (length, cpuUse, devices, at) => {
        const part = (share: number) =>
          attemptEnergy(
            length * share,
            {
              ...cpuUse,
              cpuSeconds: cpuUse.cpuSeconds * share,
              node: cpuUse.node && {
                joules: cpuUse.node.joules * share,
                busyCpuSeconds: cpuUse.node.busyCpuSeconds * share,
              },
            },
            devices.map((use) => ({ ...use, joules: use.joules === null ? null : use.joules * share })),
          );
        const whole = part(1);
        const split = sumEnergy([part(at), part(1 - at)]);
        expect(close(whole.joules, split.joules)).toBe(true);
        expect(split.method).toBe(whole.method);
      }),
      SEED,
    );
  });

  it('grows with time, CPU time, share, utilisation and counters', () => {
    fc.assert(
      fc.property(seconds, anyCpu, anyDevice, ratio, (length, cpuUse, use, less) => {
        const of = (t: number, c: CpuUse, d: DeviceUse) => attemptEnergy(t, c, [d]).joules;
        const whole = of(length, cpuUse, use) * (1 + 1e-12) + 1e-9;
        expect(of(length * less, cpuUse, use)).toBeLessThanOrEqual(whole);
        expect(of(length, { ...cpuUse, cpuSeconds: cpuUse.cpuSeconds * less }, use)).toBeLessThanOrEqual(whole);
        expect(of(length, cpuUse, { ...use, milli: use.milli * less })).toBeLessThanOrEqual(whole);
        expect(
          of(length, cpuUse, { ...use, utilizationRatio: (use.utilizationRatio ?? 1) * less }),
        ).toBeLessThanOrEqual(whole);
        if (use.joules !== null) {
          expect(of(length, cpuUse, { ...use, joules: use.joules * less })).toBeLessThanOrEqual(whole);
        }
      }),
      SEED,
    );
  });

  it('shared out among attempts is never more than the device drew', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 4 }), watts, (shares, joules) => {
        const none = cpu({ cpuSeconds: 0, node: { joules: 0, busyCpuSeconds: 0 } });
        const parts = shares.map((milli) => attemptEnergy(1, none, [gpu({ milli, joules })]));
        expect(sumEnergy(parts).joules).toBeLessThanOrEqual(joules * (1 + 1e-12));
      }),
      SEED,
    );
  });
});
