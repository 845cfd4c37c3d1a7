import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intervalCost, sumUsage, type UsageInterval } from '../../../src/billing/index.ts';

const gib = 2n ** 30n;
const nothing = {
  cpuMilli: 0n,
  memoryBytes: 0n,
  deviceMilli: 0n,
  cpuUsdPerHour: 0n,
  memoryUsdPerHour: 0n,
  deviceUsdPerHour: 0n,
};
const hour = 3_600_000n;

const held = fc.record({
  cpuMilli: fc.bigInt(0n, 4_096_000n),
  memoryBytes: fc.bigInt(0n, 2n ** 44n),
  deviceMilli: fc.bigInt(0n, 64_000n),
  cpuUsdPerHour: fc.bigInt(0n, 1_000_000n),
  memoryUsdPerHour: fc.bigInt(0n, 1_000_000n),
  deviceUsdPerHour: fc.bigInt(0n, 1_000_000_000n),
});

describe('the cost of an interval', () => {
  it.each([
    ['a device for an hour', { deviceMilli: 1000n, deviceUsdPerHour: 2_490_000n }, hour, 2_490_000n],
    ['a quarter of a device for a minute', { deviceMilli: 250n, deviceUsdPerHour: 2_400_000n }, 60_000n, 10_000n],
    ['half a core for a day', { cpuMilli: 500n, cpuUsdPerHour: 10_000n }, 24n * hour, 120_000n],
    ['512 MiB for an hour', { memoryBytes: gib / 2n, memoryUsdPerHour: 2_000n }, hour, 1_000n],
    ['16 MiB for a thousand hours', { memoryBytes: 2n ** 24n, memoryUsdPerHour: 2_000n }, 1000n * hour, 31_250n],
    ['a millisecond of something cheap', { cpuMilli: 1000n, cpuUsdPerHour: 1n }, 1n, 0n],
    ['half a micro-dollar, rounded up', { cpuMilli: 1000n, cpuUsdPerHour: 1n }, hour / 2n, 1n],
  ])('of %s', (_case, over, ms, cost) => {
    expect(intervalCost({ ...nothing, ...over }, ms)).toBe(cost);
  });

  it('is the sum of three terms, each within half a micro-dollar of the exact fraction', () => {
    fc.assert(
      fc.property(held, fc.bigInt(0n, 10_000n * hour), (what, ms) => {
        // Over the common denominator of all three terms.
        const scale = 1000n * gib * hour;
        const exact =
          (what.deviceUsdPerHour * what.deviceMilli + what.cpuUsdPerHour * what.cpuMilli) * ms * gib +
          what.memoryUsdPerHour * what.memoryBytes * ms * 1000n;
        const error = intervalCost(what, ms) * scale - exact;
        expect(2n * (error < 0n ? -error : error) <= 3n * scale).toBe(true);
      }),
    );
  });

  it('differs by at most 1.5 × (n + 1) micro-dollars when the interval is split in n', () => {
    fc.assert(
      fc.property(held, fc.array(fc.bigInt(0n, 100n * hour), { minLength: 1, maxLength: 20 }), (what, parts) => {
        const whole = intervalCost(
          what,
          parts.reduce((sum, ms) => sum + ms, 0n),
        );
        const split = parts.reduce((sum, ms) => sum + intervalCost(what, ms), 0n);
        const difference = Number(split > whole ? split - whole : whole - split);
        expect(difference).toBeLessThanOrEqual(1.5 * (parts.length + 1));
      }),
    );
  });

  it('never falls with time', () => {
    fc.assert(
      fc.property(held, fc.bigInt(0n, hour), fc.bigInt(0n, hour), (what, ms, more) => {
        expect(intervalCost(what, ms + more) >= intervalCost(what, ms)).toBe(true);
      }),
    );
  });
});

describe('a sum of usage', () => {
  const start = new Date('2026-01-01T00:00:00Z');
  const interval = (over: Partial<UsageInterval>): UsageInterval => ({
    attempt_id: 'att',
    rank: 0,
    node_id: 'node',
    site_id: 'site',
    cpu_milli: 1000n,
    memory_bytes: gib,
    device_milli: 2000n,
    devices: [],
    device_usd_per_hour: 3_600_000n,
    cpu_usd_per_hour: 0n,
    memory_usd_per_hour: 0n,
    started_at: start,
    ended_at: new Date(start.getTime() + 10_000),
    energy_joules: 500,
    energy_source: 'measured',
    cpu_seconds: 7,
    peak_memory_bytes: 1n,
    cost_micro_usd: 20_000n,
    ...over,
  });
  const now = new Date(start.getTime() + 60_000);

  it('adds all attempts of a job', () => {
    expect(sumUsage([interval({}), interval({ attempt_id: 'second' })], now)).toEqual({
      intervals: 2,
      open: 0,
      runSeconds: 20,
      deviceSeconds: 40,
      cpuSeconds: 14,
      energyJoules: 1000,
      energySource: 'measured',
      costMicroUsd: 40_000n,
    });
  });

  it('prices what is open as if it ended now, and says so', () => {
    const open = { ended_at: null, cost_micro_usd: null, energy_joules: null, energy_source: null, cpu_seconds: null };
    expect(sumUsage([interval(open)], now)).toMatchObject({
      open: 1,
      runSeconds: 60,
      costMicroUsd: 120_000n,
      energySource: null,
    });
    expect(sumUsage([interval(open)], start)).toMatchObject({ costMicroUsd: 0n });
  });

  it('is modelled as soon as a part of it is', () => {
    const modelled = interval({ energy_source: 'modelled' });
    expect(sumUsage([modelled, interval({})], now).energySource).toBe('modelled');
    expect(sumUsage([interval({}), modelled], now).energySource).toBe('modelled');
  });
});
