/** NVIDIA GPUs from nvidia-smi's documented output: identity, MIG, topology, health, old drivers and broken ones. */
import { describe, expect, it } from 'vitest';
import { type DiscoveredDevice, discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { type FakeSmi, fakeNvidiaSmi, fixture, outsideOf, type World } from './world.ts';

const TWO: FakeSmi = { table: fixture('nvidia/h100x2.csv'), topo: fixture('nvidia/topo-h100x2.txt') };
const MIG: FakeSmi = {
  table: fixture('nvidia/h100-mig.csv'),
  list: fixture('nvidia/h100-mig-list.txt'),
  plain: fixture('nvidia/h100-mig-plain.txt'),
};

async function discover(smi: FakeSmi, world: World = {}) {
  const outside = outsideOf({ ...world, tools: { 'nvidia-smi': fakeNvidiaSmi(smi), ...world.tools } });
  return discoverNode({ outside, scratch: '/tmp' });
}

function reasons(device: DiscoveredDevice | undefined): string[] {
  return device?.health.state === 'degraded' ? device.health.reasons : [];
}

describe('two H100', () => {
  it('are found with identity, memory in bytes, driver and power', async () => {
    const { devices, warnings } = await discover(TWO);
    expect(warnings).toEqual([]);
    expect(devices).toHaveLength(2);
    expect(devices[0]).toMatchObject({
      kind: 'gpu',
      vendor: 'nvidia',
      model: 'H100',
      fullName: 'NVIDIA H100 80GB HBM3',
      index: 0,
      uuid: 'GPU-2d4c1b7e-9a51-4a3e-8c11-0a6f5d3b9e01',
      memoryBytes: 81559 * 2 ** 20,
      driverVersion: '590.48.01',
      computeCapability: '9.0',
      pciAddress: '0000:3b:00.0',
      mig: { enabled: false, slices: 0 },
      health: { state: 'ok' },
      powerCapWatts: 700,
      tdpWatts: 700,
      parentUuid: null,
    });
  });

  it('know each other over NVLink, and their NUMA nodes, from the topology matrix', async () => {
    const { devices } = await discover(TWO);
    expect(devices[0]?.peers).toEqual([{ uuid: devices[1]?.uuid, link: 'nvlink', links: 18 }]);
    expect(devices[1]?.peers).toEqual([{ uuid: devices[0]?.uuid, link: 'nvlink', links: 18 }]);
    expect(devices.map((device) => device.numaNode)).toEqual([0, 1]);
  });

  it('take NUMA node and /dev minor from the kernel where it tells them', async () => {
    const { devices } = await discover(TWO, {
      files: {
        '/sys/bus/pci/devices/0000:3b:00.0/numa_node': '3\n',
        '/proc/driver/nvidia/gpus/0000:3b:00.0/information': 'Model: \t\t NVIDIA H100\nDevice Minor: \t 1\n',
        '/dev/nvidia0': '',
        '/dev/nvidia1': '',
        '/dev/nvidiactl': '',
        '/dev/nvidia-uvm': '',
      },
    });
    expect(devices[0]?.numaNode).toBe(3);
    expect(devices[0]?.deviceNodes).toEqual(['/dev/nvidia1', '/dev/nvidiactl', '/dev/nvidia-uvm']);
  });

  it('are degraded by an XID that needs care, not by one of an application, whatever comes after', async () => {
    const { devices } = await discover(TWO, { tools: { dmesg: fixture('nvidia/dmesg.txt') } });
    expect(devices[0]).toMatchObject({ lastXid: 31, health: { state: 'ok' } });
    expect(devices[1]).toMatchObject({ lastXid: 79, health: { state: 'degraded', reasons: ['xid-79'] } });
  });

  it('do not need the right to read the kernel log', async () => {
    const { devices, warnings } = await discover(TWO, {
      tools: {
        dmesg: { kind: 'failed', code: 1, output: 'dmesg: read kernel buffer failed: Operation not permitted' },
      },
    });
    expect(devices[0]?.lastXid).toBeNull();
    expect(warnings).toEqual([]);
  });

  it('are not degraded by a power cap', async () => {
    const { devices } = await discover(TWO);
    expect(devices[1]).toMatchObject({ powerCapWatts: 650, health: { state: 'ok' } });
  });
});

describe('MIG', () => {
  it('makes each slice a device with own uuid, profile and parent', async () => {
    const { devices } = await discover(MIG);
    const [parent, ...slices] = devices;
    expect(parent?.mig).toEqual({ enabled: true, slices: 4 });
    expect(slices.map((slice) => slice.profile)).toEqual(['3g.40gb', '2g.20gb', '1g.10gb', '1g.10gb']);
    expect(new Set(slices.map((slice) => slice.uuid)).size).toBe(4);
    for (const slice of slices) {
      expect(slice).toMatchObject({ parentUuid: parent?.uuid, model: 'H100', kind: 'gpu', mig: null, tdpWatts: null });
    }
  });

  it('takes memory from the table of slices, and from the profile with a margin where the table lacks one', async () => {
    const { devices } = await discover(MIG);
    const bytes = devices.slice(1).map((slice) => slice.memoryBytes);
    expect(bytes.slice(0, 3)).toEqual([40448, 20096, 9984].map((mib) => mib * 2 ** 20));
    expect(bytes[3]).toBe(Math.floor(10 * 2 ** 30 * 0.95));
  });

  it('never promises more memory than the parent has', async () => {
    const [parent, ...slices] = (await discover(MIG)).devices;
    const sum = slices.reduce((bytes, slice) => bytes + (slice.memoryBytes ?? 0), 0);
    expect(sum).toBeLessThanOrEqual(parent?.memoryBytes ?? 0);
  });

  it('adds the capability nodes of a slice', async () => {
    const folder = '/proc/driver/nvidia/capabilities/gpu0/mig/gi2';
    const { devices } = await discover(MIG, {
      files: {
        '/dev/nvidia0': '',
        [`${folder}/access`]: 'DeviceFileMinor: 21\nDeviceFileMode: 292\n',
        [`${folder}/ci0/access`]: 'DeviceFileMinor: 22\nDeviceFileMode: 292\n',
      },
    });
    expect(devices[1]?.deviceNodes).toEqual([
      '/dev/nvidia0',
      '/dev/nvidia-caps/nvidia-cap21',
      '/dev/nvidia-caps/nvidia-cap22',
    ]);
  });

  it('reads the CUDA version of the plain report', async () => {
    expect((await discover(MIG)).devices.every((device) => device.cudaVersion === '13.1')).toBe(true);
  });
});

describe('old drivers', () => {
  it('are asked under the old name of a field', async () => {
    const { devices } = await discover({
      table: fixture('nvidia/broken.csv'),
      renamed: { 'clocks_event_reasons.active': 'clocks_throttle_reasons.active' },
    });
    expect(reasons(devices[0])).toContain('throttle-hw-thermal');
  });

  it('lose only the fields that they do not know', async () => {
    const refuses = ['gpu_recovery_action', 'remapped_rows.pending', 'remapped_rows.failure', 'compute_cap'];
    const { devices, warnings } = await discover({ ...TWO, refuses });
    expect(warnings).toEqual([]);
    expect(devices[0]).toMatchObject({ model: 'H100', memoryBytes: 81559 * 2 ** 20, computeCapability: null });
  });
});

describe('broken GPUs', () => {
  const broken = () => discover({ table: fixture('nvidia/broken.csv') });

  it('carry every reason as a code', async () => {
    const { devices } = await broken();
    expect(reasons(devices[0])).toEqual([
      'ecc-uncorrected',
      'row-remap-pending',
      'row-remap-failure',
      'retired-pages-pending',
      'recovery-reset',
      'throttle-hw-slowdown',
      'throttle-hw-thermal',
      'throttle-power-brake',
    ]);
    expect(devices[0]?.powerCapWatts).toBeNull();
  });

  it('that are lost stay listed, unreadable, without numbers', async () => {
    const lost = (await broken()).devices[1];
    expect(lost).toMatchObject({ memoryBytes: null, driverVersion: null, fullName: 'NVIDIA GPU', mig: null });
    expect(reasons(lost)).toEqual(['unreadable']);
  });

  it('with absurd numbers lose the numbers; a comma in the name shifts nothing', async () => {
    const odd = (await broken()).devices[2];
    expect(odd).toMatchObject({
      fullName: 'Odd, Board 2, rev "B"',
      model: 'Odd-Board-2-rev-B',
      uuid: 'pci-0000:03:00.0',
      memoryBytes: null,
      powerCapWatts: null,
      health: { state: 'ok' },
    });
  });

  it('that cannot be told from others are skipped with a warning', async () => {
    const { devices, warnings } = await broken();
    expect(devices).toHaveLength(3);
    expect(warnings.map((warning) => warning.code)).toEqual(['device-skipped']);
  });
});

describe('nvidia-smi itself', () => {
  const only = (answer: Parameters<typeof outsideOf>[0]['tools']) =>
    discoverNode({ outside: outsideOf({ tools: answer ?? {} }), scratch: '/tmp' });

  it('missing means no devices and no warning', async () => {
    expect(await only({})).toMatchObject({ devices: [], warnings: [] });
  });

  it('finding no devices is no warning either', async () => {
    const answer = { kind: 'failed', code: 6, output: 'No devices were found' } as const;
    expect(await only({ 'nvidia-smi': answer })).toMatchObject({ devices: [], warnings: [] });
  });

  it('failing is a warning with its words', async () => {
    const output = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
    const { devices, warnings } = await only({ 'nvidia-smi': { kind: 'failed', code: 9, output } });
    expect(devices).toEqual([]);
    expect(warnings).toEqual([{ code: 'tool-failed', source: 'nvidia-smi --query-gpu', detail: output }]);
  });

  it('hanging is a warning', async () => {
    const { warnings } = await only({ 'nvidia-smi': { kind: 'timeout' } });
    expect(warnings.map((warning) => warning.code)).toEqual(['tool-timeout']);
  });

  it('printing garbage is a warning', async () => {
    const { devices, warnings } = await only({ 'nvidia-smi': 'Segmentation fault\n\u0007\u001b[2J' });
    expect(devices).toEqual([]);
    expect(warnings[0]?.code).toBe('tool-garbage');
  });

  it('is not asked for more when there is no GPU', async () => {
    const outside = outsideOf({ tools: { 'nvidia-smi': 'No devices were found\n' } });
    await discoverNode({ outside, scratch: '/tmp' });
    expect(outside.ran.filter((command) => command.startsWith('nvidia-smi'))).toHaveLength(1);
  });

  it('listing the same GPU twice gives it once', async () => {
    const table = fixture('nvidia/h100-mig.csv');
    const { devices, warnings } = await discover({ table: `${table.trim()}\n${table.trim().split('\n')[1]}\n` });
    expect(devices).toHaveLength(1);
    expect(warnings[0]?.code).toBe('device-skipped');
  });
});
