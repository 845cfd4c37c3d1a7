/** AMD GPUs from amd-smi's documented JSON, and from rocm-smi's where only that is installed. */
import { describe, expect, it } from 'vitest';
import { discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { fixture, outsideOf, type Tool, type World } from './world.ts';

const amdSmi: Tool = (args) => ({ kind: 'ok', stdout: fixture(`amd/${args[0]}.json`) });

async function discover(tools: Record<string, Tool>, world: World = {}) {
  return discoverNode({ outside: outsideOf({ ...world, tools }), scratch: '/tmp' });
}

describe('amd-smi', () => {
  it('gives model, memory, power cap and the uuid of its list, behind a warning line', async () => {
    const { devices } = await discover({ 'amd-smi': amdSmi });
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({
      kind: 'gpu',
      vendor: 'amd',
      model: 'MI300X',
      fullName: 'AMD Instinct MI300X',
      uuid: 'GPU-60ff74a1-0000-1000-806f-1f0a2b3c4d5e',
      memoryBytes: 196592 * 2 ** 20,
      driverVersion: '6.12.12',
      computeCapability: 'gfx942',
      pciAddress: '0000:05:00.0',
      numaNode: 0,
      powerCapWatts: 700,
      tdpWatts: 750,
    });
  });

  it('gives health of ECC and throttling; the power cap is no illness', async () => {
    const { devices } = await discover({ 'amd-smi': amdSmi });
    expect(devices[0]?.health).toEqual({ state: 'degraded', reasons: ['ecc-uncorrected', 'throttle-hw-thermal'] });
  });

  it('skips a GPU that nothing identifies, with a warning', async () => {
    const { warnings } = await discover({ 'amd-smi': amdSmi });
    expect(warnings).toEqual([
      { code: 'device-skipped', source: 'amd-smi static --json', detail: 'GPU 1 has no uuid, serial or PCI address' },
    ]);
  });

  it('names the nodes that a job needs', async () => {
    const files = { '/dev/kfd': '', '/sys/bus/pci/devices/0000:05:00.0/drm/renderD128/dev': '226:128\n' };
    const { devices } = await discover({ 'amd-smi': amdSmi }, { files });
    expect(devices[0]?.deviceNodes).toEqual(['/dev/kfd', '/dev/dri/renderD128']);
  });

  it('works without list and metric, by serial', async () => {
    const staticOnly: Tool = (args) =>
      args[0] === 'static' ? { kind: 'ok', stdout: fixture('amd/static.json') } : { kind: 'timeout' };
    const { devices } = await discover({ 'amd-smi': staticOnly });
    expect(devices[0]).toMatchObject({ uuid: 'amd-0x6f1f0a2b3c4d5e60', health: { state: 'ok' } });
  });

  it('printing something else is a warning, and rocm-smi is asked', async () => {
    const { devices, warnings } = await discover({
      'amd-smi': 'ERROR: driver not loaded',
      'rocm-smi': fixture('amd/rocm-smi.json'),
    });
    expect(warnings.map((warning) => warning.code)).toEqual(['tool-garbage']);
    expect(devices).toHaveLength(1);
  });
});

describe('rocm-smi', () => {
  it('stands in where amd-smi is missing', async () => {
    const { devices, warnings } = await discover({ 'rocm-smi': fixture('amd/rocm-smi.json') });
    expect(warnings).toEqual([]);
    expect(devices[0]).toMatchObject({
      model: 'MI250X',
      uuid: 'amd-0x18f68e602b8a790f',
      memoryBytes: 68702699520,
      driverVersion: '6.3.6',
      computeCapability: 'gfx90a',
      pciAddress: '0000:c1:00.0',
      powerCapWatts: 560,
      tdpWatts: 560,
    });
  });

  it('failing or printing garbage is a warning', async () => {
    const failed = await discover({ 'rocm-smi': { kind: 'failed', code: 1, output: 'No AMD GPUs specified' } });
    expect(failed.warnings.map((warning) => warning.code)).toEqual(['tool-failed']);
    const garbage = await discover({ 'rocm-smi': 'cat: /sys/module/amdgpu/initstate: No such file' });
    expect(garbage.warnings.map((warning) => warning.code)).toEqual(['tool-garbage']);
  });

  it('takes the PCI address where the serial is all zeros', async () => {
    const json = JSON.stringify({ card0: { 'Unique ID': '0x0000000000000000', 'PCI Bus': '0000:C1:00.0' } });
    expect((await discover({ 'rocm-smi': json })).devices[0]?.uuid).toBe('pci-0000:c1:00.0');
  });
});
