/** The sampler and its feeds: what a sample holds, when a child runs, how it comes back, what is stale. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DiscoveredDevice, discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { AmdPoll } from '../../../../../src/metapod/agent/samples/amd-poll.ts';
import { NodeSampler } from '../../../../../src/metapod/agent/samples/index.ts';
import { NvidiaStream } from '../../../../../src/metapod/agent/samples/nvidia-stream.ts';
import { RaplMeter } from '../../../../../src/metapod/agent/samples/rapl.ts';
import type { DeviceReading } from '../../../../../src/metapod/agent/samples/sample.ts';
import { fakeNvidiaSmi, fixture, outsideOf } from '../discovery/world.ts';

const UUID = 'GPU-2d4c1b7e-9a51-4a3e-8c11-0a6f5d3b9e01';
const LINE = `${UUID}, 50, 1024, 400.00, 61, 0x0000000000000000`;

async function gpus(): Promise<DiscoveredDevice[]> {
  const outside = outsideOf({ tools: { 'nvidia-smi': fakeNvidiaSmi({ table: fixture('nvidia/h100x2.csv') }) } });
  return (await discoverNode({ outside, scratch: '/tmp' })).devices;
}

describe('sampler', () => {
  it('starts no child on a node without devices', async () => {
    const outside = outsideOf({});
    const sampler = new NodeSampler({ outside, devices: [] });
    sampler.start();
    await sampler.sampleNode();
    await sampler.stop();
    expect(outside.followed).toEqual([]);
    expect(outside.ran).toEqual([]);
  });

  it('says nothing rather than zero where the machine says nothing', async () => {
    const sampler = new NodeSampler({
      outside: outsideOf({}),
      devices: [],
      clock: { now: () => new Date(7), monotonicMs: () => 8 },
    });
    expect(await sampler.sampleNode()).toEqual({
      wallMs: 7,
      monotonicMs: 8,
      cpuUtilizationRatio: null,
      cpuBusySecondsTotal: null,
      memoryUsedBytes: null,
      cpuEnergyJoulesTotal: null,
      devices: [],
    });
  });

  it('gives CPU utilisation from the second sample on', async () => {
    const files = { '/proc/stat': 'cpu  100 0 0 900 0 0 0 0 0 0\n', '/proc/meminfo': fixture('host/meminfo') };
    const sampler = new NodeSampler({ outside: outsideOf({ files }), devices: [] });
    expect((await sampler.sampleNode()).cpuUtilizationRatio).toBeNull();
    files['/proc/stat'] = 'cpu  150 0 0 950 0 0 0 0 0 0\n';
    expect(await sampler.sampleNode()).toMatchObject({ cpuUtilizationRatio: 0.5, cpuBusySecondsTotal: 1.5 });
  });

  it('runs one child for all GPUs, takes its lines and forgets what is old', async () => {
    let now = 0;
    const outside = outsideOf({});
    const clock = { now: () => new Date(now), monotonicMs: () => now };
    const sampler = new NodeSampler({ outside, devices: await gpus(), clock });
    sampler.start();
    sampler.start();
    expect(outside.followed).toHaveLength(1);
    expect(outside.followed[0]?.args.join(' ')).toContain('-lms 1000');
    outside.followed[0]?.handlers.line(LINE);
    now = 1000;
    outside.followed[0]?.handlers.line(LINE);
    outside.followed[0]?.handlers.line('GPU-99999999-0000-4000-8000-000000000000, 1, 1, 1, 1, 0x0');
    expect((await sampler.sampleNode()).devices).toEqual([
      {
        uuid: UUID,
        monotonicMs: 1000,
        utilizationRatio: 0.5,
        memoryUsedBytes: 2 ** 30,
        powerWatts: 400,
        temperatureCelsius: 61,
        energyJoulesTotal: 400,
        energySource: 'power',
        energyEpoch: 0,
        throttleReasons: [],
      },
    ]);
    now = 6001;
    expect((await sampler.sampleNode()).devices).toEqual([]);
    await sampler.stop();
    expect(outside.followed[0]?.stopped).toBe(true);
  });
});

describe('nvidia-smi child', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function stream() {
    const outside = outsideOf({});
    const readings: DeviceReading[] = [];
    const child = new NvidiaStream({ outside, onReading: (reading) => readings.push(reading), maxBackoffMs: 4000 });
    child.start();
    return { outside, readings, child, last: () => outside.followed.at(-1)?.handlers };
  }

  it('comes back after it died, with growing pauses up to a limit', () => {
    const { outside, last } = stream();
    for (const pause of [1000, 2000, 4000, 4000]) {
      const before = outside.followed.length;
      last()?.ended('died');
      vi.advanceTimersByTime(pause - 1);
      expect(outside.followed).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(outside.followed).toHaveLength(before + 1);
    }
  });

  it('pauses briefly again after a reading', () => {
    const { outside, last } = stream();
    last()?.ended('died');
    vi.advanceTimersByTime(1000);
    last()?.line(LINE);
    last()?.ended('died');
    vi.advanceTimersByTime(1000);
    expect(outside.followed).toHaveLength(3);
  });

  it('is asked under the old name at once when the driver refuses a field', () => {
    const { outside, readings, last } = stream();
    last()?.line('Field "clocks_event_reasons.active" is not a valid field to query.');
    last()?.ended('ended with 2');
    vi.advanceTimersByTime(0);
    expect(outside.followed).toHaveLength(2);
    expect(outside.followed[1]?.args[0]).toContain('clocks_throttle_reasons.active');
    last()?.line(`${UUID}, 50, 1024, 400.00, 61, 0x0000000000000008`);
    expect(readings[0]?.throttleReasons).toEqual(['hw-slowdown']);
  });

  it('is killed and started again when it falls silent', async () => {
    const { outside, last } = stream();
    vi.advanceTimersByTime(9000);
    last()?.line(LINE);
    vi.advanceTimersByTime(9999);
    expect(outside.followed[0]?.stopped).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(outside.followed[0]?.stopped).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(outside.followed).toHaveLength(2);
  });

  it('does not come back after stop, and takes nothing after it', async () => {
    const { outside, readings, child, last } = stream();
    const handlers = last();
    await child.stop();
    handlers?.line(LINE);
    vi.advanceTimersByTime(120_000);
    expect(outside.followed).toHaveLength(1);
    expect(readings).toEqual([]);
  });
});

describe('amd-smi poll', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks one at a time, waits longer after failures, and stops', async () => {
    let works = false;
    const metric = fixture('amd/metric.json');
    const outside = outsideOf({
      tools: {
        'amd-smi': (args) =>
          works ? { kind: 'ok', stdout: args[0] === 'metric' ? metric : '[]' } : { kind: 'timeout' },
      },
    });
    const devices = [{ ...(await gpus())[0], vendor: 'amd', index: 0 } as DiscoveredDevice];
    const readings: DeviceReading[] = [];
    const poll = new AmdPoll({ outside, devices, onReading: (reading) => readings.push(reading) });
    poll.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(outside.ran).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1999);
    expect(outside.ran).toHaveLength(1);
    works = true;
    await vi.advanceTimersByTimeAsync(1);
    expect(readings).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(readings).toHaveLength(2);
    await poll.stop();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(readings).toHaveLength(2);
  });

  it('falls back to rocm-smi only where amd-smi is missing', async () => {
    const outside = outsideOf({ tools: { 'rocm-smi': fixture('amd/rocm-smi.json') } });
    const devices = [{ ...(await gpus())[0], vendor: 'amd', index: 0 } as DiscoveredDevice];
    const readings: DeviceReading[] = [];
    const poll = new AmdPoll({ outside, devices, onReading: (reading) => readings.push(reading) });
    poll.start();
    await vi.advanceTimersByTimeAsync(0);
    await poll.stop();
    expect(readings[0]?.powerWatts).toBe(311);
  });
});

describe('RAPL', () => {
  const zone = (name: string, label: string, microjoules: number) => ({
    [`/sys/class/powercap/${name}/name`]: `${label}\n`,
    [`/sys/class/powercap/${name}/energy_uj`]: `${microjoules}\n`,
    [`/sys/class/powercap/${name}/max_energy_range_uj`]: '262143328850\n',
  });

  it('adds packages and their memory, but neither cores inside nor the platform around', async () => {
    const files: Record<string, string> = {
      ...zone('intel-rapl:0', 'package-0', 1_000_000),
      ...zone('intel-rapl:1', 'package-1', 262_143_000_000),
      ...zone('intel-rapl:0:0', 'core', 500_000),
      ...zone('intel-rapl:0:1', 'dram', 0),
      ...zone('intel-rapl:2', 'psys', 0),
      ...zone('intel-rapl-mmio:0', 'package-0', 1_000_000),
    };
    const meter = new RaplMeter(outsideOf({ files }));
    expect(await meter.joulesTotal(0)).toBe(0);
    for (const name of ['intel-rapl:0', 'intel-rapl:0:0', 'intel-rapl:0:1', 'intel-rapl:2', 'intel-rapl-mmio:0']) {
      const path = `/sys/class/powercap/${name}/energy_uj`;
      files[path] = String(Number(files[path]) + 10_000_000);
    }
    files['/sys/class/powercap/intel-rapl:1/energy_uj'] = '671150\n';
    expect(await meter.joulesTotal(1000)).toBeCloseTo(10 + 10 + 1, 9);
  });

  it('that only root may read is not available', async () => {
    const files = { '/sys/class/powercap/intel-rapl:0/name': 'package-0\n' };
    expect(await new RaplMeter(outsideOf({ files })).joulesTotal(0)).toBeNull();
  });

  it('that stops being readable keeps its total', async () => {
    const files: Record<string, string> = zone('intel-rapl:0', 'package-0', 0);
    const meter = new RaplMeter(outsideOf({ files }));
    await meter.joulesTotal(0);
    files['/sys/class/powercap/intel-rapl:0/energy_uj'] = '5000000';
    expect(await meter.joulesTotal(1000)).toBe(5);
    delete files['/sys/class/powercap/intel-rapl:0/energy_uj'];
    expect(await meter.joulesTotal(2000)).toBe(5);
  });
});
