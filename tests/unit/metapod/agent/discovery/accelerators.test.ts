/** TPUs by the PCI bus and FPGAs by xbutil and the PCI bus. */
import { describe, expect, it } from 'vitest';
import { xrtCardsOf } from '../../../../../src/metapod/agent/discovery/fpga.ts';
import { discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { fixture, outsideOf, pciFiles, type World } from './world.ts';

const discover = (world: World) => discoverNode({ outside: outsideOf(world), scratch: '/tmp' });
const tpu = (address: string, device: string, more: Record<string, string> = {}) =>
  pciFiles(address, { vendor: '0x1ae0', device, class: '0x120000', numa_node: '0', ...more });

describe('TPU', () => {
  it('v4 chips pair with /dev/accelN in PCI order', async () => {
    const files = {
      ...tpu('0000:00:05.0', '0x005e'),
      ...tpu('0000:00:04.0', '0x005e', { numa_node: '1' }),
      '/dev/accel10': '',
      '/dev/accel2': '',
    };
    const { devices, warnings } = await discover({ files });
    expect(warnings).toEqual([]);
    expect(devices.map(({ uuid, deviceNodes }) => [uuid, deviceNodes])).toEqual([
      ['pci-0000:00:04.0', ['/dev/accel2']],
      ['pci-0000:00:05.0', ['/dev/accel10']],
    ]);
    expect(devices[0]).toMatchObject({
      kind: 'tpu',
      vendor: 'google',
      model: 'TPU-v4',
      memoryBytes: 32 * 2 ** 30,
      numaNode: 1,
      tdpWatts: 192,
    });
  });

  it('v5e chips are bound to vfio groups', async () => {
    const links = { '/sys/bus/pci/devices/0000:00:04.0/iommu_group': '../../../../kernel/iommu_groups/7' };
    const { devices } = await discover({ files: tpu('0000:00:04.0', '0x0063'), links });
    expect(devices[0]).toMatchObject({ model: 'TPU-v5e', deviceNodes: ['/dev/vfio/7', '/dev/vfio/vfio'] });
  });

  it.each([
    ['0x0027', '0x004e', 'TPU-v2', 16],
    ['0x0027', '0x004f', 'TPU-v3', 32],
    ['0x0062', '', 'TPU-v5p', 95],
    ['0x006f', '', 'TPU-v6e', 32],
    ['0x0076', '', 'TPU-v7', 192],
  ])('%s %s is %s with %i GiB', async (device, subsystem, model, gib) => {
    const { devices } = await discover({ files: tpu('0000:00:04.0', device, { subsystem_device: subsystem }) });
    expect(devices[0]).toMatchObject({ model, memoryBytes: gib * 2 ** 30 });
  });

  it("is not Google's network card or disk", async () => {
    const files = pciFiles('0000:00:04.0', { vendor: '0x1ae0', device: '0x0042', class: '0x020000' });
    expect((await discover({ files })).devices).toEqual([]);
  });
});

describe('FPGA', () => {
  it('comes from the JSON inside the report of xbutil', async () => {
    const files = { '/sys/bus/pci/devices/0000:d8:00.1/drm/renderD129/dev': '226:129\n' };
    const { devices, warnings } = await discover({ tools: { xbutil: fixture('xilinx/examine.txt') }, files });
    expect(warnings).toEqual([]);
    expect(devices[0]).toMatchObject({
      kind: 'fpga',
      vendor: 'xilinx',
      model: 'U250',
      fullName: 'xilinx_u250_gen3x16_xdma_shell_4_1',
      uuid: 'pci-0000:d8:00.1',
      driverVersion: '2.16.204',
      memoryBytes: 64 * 2 ** 30,
      deviceNodes: ['/dev/dri/renderD129'],
      health: { state: 'ok' },
      tdpWatts: 225,
    });
  });

  it('that is not ready is degraded', async () => {
    const { devices } = await discover({ tools: { 'xrt-smi': fixture('xilinx/examine.txt') } });
    expect(devices[1]).toMatchObject({ model: 'U50', health: { state: 'degraded', reasons: ['not-ready'] } });
  });

  it('is one device though it has two PCI functions, and is not listed again beside XRT', async () => {
    const files = {
      ...pciFiles('0000:d8:00.0', { vendor: '0x10ee', device: '0x5004', class: '0x120000' }),
      ...pciFiles('0000:d8:00.1', { vendor: '0x10ee', device: '0x5005', class: '0x120000' }),
    };
    const bare = await discover({ files });
    expect(bare.devices.map((device) => device.uuid)).toEqual(['pci-0000:d8:00.1']);
    const withXrt = await discover({ files, tools: { xbutil: fixture('xilinx/examine.txt') } });
    expect(withXrt.devices.map((device) => device.uuid)).toEqual(['pci-0000:d8:00.1', 'pci-0000:3b:00.1']);
  });

  it('of Intel is known by id; an NPU of the same class is none', async () => {
    const files = {
      ...pciFiles('0000:5e:00.0', { vendor: '0x8086', device: '0x0b2b', class: '0x120000' }),
      ...pciFiles('0000:00:0b.0', { vendor: '0x8086', device: '0x7d1d', class: '0x120000' }),
    };
    const { devices } = await discover({ files });
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({ vendor: 'intel', fullName: 'Intel FPGA PAC D5005', kind: 'fpga' });
  });

  it.each([
    ['fails', { kind: 'failed', code: 1, output: 'ERROR: no driver' }, 'tool-failed'],
    ['hangs', { kind: 'timeout' }, 'tool-timeout'],
    ['prints no JSON', { kind: 'ok', stdout: 'Devices present' }, 'tool-garbage'],
  ] as const)('xbutil that %s is a warning', async (_, answer, code) => {
    const { devices, warnings } = await discover({ tools: { xbutil: answer } });
    expect(devices).toEqual([]);
    expect(warnings.map((warning) => warning.code)).toEqual([code]);
  });

  it('report without devices is an empty list, not garbage', () => {
    expect(xrtCardsOf('{"system":{"host":{"devices":""}}}')).toEqual([]);
  });
});
