/** The parsers behind NVIDIA discovery one by one: topology, slices, throttle bits, XIDs, queries on odd drivers. */
import { describe, expect, it } from 'vitest';
import type { DiscoveryWarning } from '../../../../../src/metapod/agent/discovery/index.ts';
import {
  healthReasonsOf,
  lastXids,
  throttleReasonsOf,
} from '../../../../../src/metapod/agent/discovery/nvidia/health.ts';
import { migInstancesOf, migListingsOf } from '../../../../../src/metapod/agent/discovery/nvidia/mig.ts';
import {
  queryGpus,
  refusedField,
  rowOf,
  withoutField,
} from '../../../../../src/metapod/agent/discovery/nvidia/query.ts';
import { topologyOf } from '../../../../../src/metapod/agent/discovery/nvidia/topology.ts';
import { fixture, outsideOf } from './world.ts';

describe('topology', () => {
  const matrix = (...rows: string[]) => topologyOf(rows.join('\n'));

  it('of one GPU has no peers', () => {
    const { links, numaNodes } = matrix(
      '\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID',
      'GPU0\t X \t0-19\t0\t\tN/A',
    );
    expect(links.get(0)).toEqual([]);
    expect(numaNodes.get(0)).toBe(0);
  });

  it('knows every path over PCIe', () => {
    const { links } = matrix(
      '        GPU0 GPU1 GPU2 GPU3 GPU4 GPU5 CPU Affinity NUMA Affinity',
      'GPU0  X   PIX  PXB  PHB  NODE SYS  0-7  0-1',
    );
    expect(links.get(0)?.map(({ to, link }) => [to, link])).toEqual([
      [1, 'pix'],
      [2, 'pxb'],
      [3, 'phb'],
      [4, 'node'],
      [5, 'sys'],
    ]);
  });

  it('counts bonded NVLinks', () => {
    const { links } = matrix('   GPU0 GPU1 GPU2 CPU Affinity', 'GPU0  X   NV12 NV1 0-7 0');
    expect(links.get(0)).toEqual([
      { to: 1, link: 'nvlink', links: 12 },
      { to: 2, link: 'nvlink', links: 1 },
    ]);
  });

  it('skips network cards, the legend and cells that it does not know', () => {
    const { links } = topologyOf(fixture('nvidia/topo-h100x2.txt'));
    expect([...links.keys()]).toEqual([0, 1]);
    expect(matrix('  GPU0 GPU1 CPU Affinity', 'GPU0 X ??? 0-7 0').links.get(0)).toEqual([]);
  });

  it('takes no NUMA node from a range or from N/A', () => {
    expect(matrix('  GPU0 CPU Affinity', 'GPU0 X 0-7 0-1').numaNodes.size).toBe(0);
    expect(matrix('  GPU0 CPU Affinity', 'GPU0 X 0-7 N/A').numaNodes.size).toBe(0);
  });

  it('of something else is empty', () => {
    for (const text of ['', 'Failed to query topology', 'GPU0', 'GPU0 X NV1 NV2']) {
      expect(topologyOf(text).numaNodes.size).toBe(0);
    }
  });
});

describe('MIG listing', () => {
  it('belongs to the GPU above it', () => {
    const text = [
      'GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-00000000-aaaa-4000-8000-000000000000)',
      '  MIG 1g.5gb      Device  0: (UUID: MIG-00000000-aaaa-5000-8000-000000000001)',
      'GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-00000000-bbbb-4000-8000-000000000000)',
      '  MIG 3g.20gb     Device  0: (UUID: MIG-00000000-bbbb-5000-8000-000000000001)',
    ].join('\n');
    expect(migListingsOf(text).map(({ parentUuid, profile, slot }) => [parentUuid, profile, slot])).toEqual([
      ['GPU-00000000-aaaa-4000-8000-000000000000', '1g.5gb', 0],
      ['GPU-00000000-bbbb-4000-8000-000000000000', '3g.20gb', 0],
    ]);
  });

  it('knows the uuids of older drivers and profiles with media extensions', () => {
    const text = [
      'GPU 0: A100 (UUID: GPU-00000000-aaaa-4000-8000-000000000000)',
      '  MIG 1g.10gb+me  Device 11: (UUID: MIG-GPU-00000000-aaaa-4000-8000-000000000000/7/0)',
    ].join('\n');
    expect(migListingsOf(text)[0]).toMatchObject({
      uuid: 'MIG-GPU-00000000-aaaa-4000-8000-000000000000/7/0',
      profile: '1g.10gb+me',
      slot: 11,
    });
  });

  it('without a GPU above has no parent and is left out', () => {
    expect(migListingsOf('  MIG 1g.5gb      Device  0: (UUID: MIG-00000000-aaaa-5000-8000-000000000001)')).toEqual([]);
  });

  it('reads only first lines of the table of slices', () => {
    expect(migInstancesOf(fixture('nvidia/h100-mig-plain.txt'))).toEqual([
      { gpu: 0, slot: 0, gpuInstance: 2, computeInstance: 0, memoryBytes: 40448 * 2 ** 20 },
      { gpu: 0, slot: 1, gpuInstance: 3, computeInstance: 0, memoryBytes: 20096 * 2 ** 20 },
      { gpu: 0, slot: 2, gpuInstance: 9, computeInstance: 0, memoryBytes: 9984 * 2 ** 20 },
    ]);
  });
});

describe('throttle bits', () => {
  it.each([
    ['0x0000000000000000', []],
    ['0x0000000000000001', []],
    ['0x0000000000000012', []],
    ['0x0000000000000004', ['power-cap']],
    ['0x0000000000000060', ['sw-thermal', 'hw-thermal']],
    ['0x00000000000000ec', ['power-cap', 'hw-slowdown', 'sw-thermal', 'hw-thermal', 'power-brake']],
    ['0xffffffffffff0000', []],
    ['Not Active', []],
    ['[N/A]', []],
    ['4', []],
  ])('%s are %j', (mask, reasons) => {
    expect(throttleReasonsOf(mask)).toEqual(reasons);
  });
});

describe('health', () => {
  const row = (cells: Record<string, string>) => new Map(Object.entries(cells));

  it.each([
    [{ 'ecc.errors.uncorrected.volatile.total': '0' }, []],
    [{ 'ecc.errors.uncorrected.volatile.total': '2' }, ['ecc-uncorrected']],
    [{ 'remapped_rows.pending': 'No', 'remapped_rows.failure': 'Yes' }, ['row-remap-failure']],
    [{ 'remapped_rows.pending': '1', 'remapped_rows.failure': '0' }, ['row-remap-pending']],
    [{ 'retired_pages.pending': 'Yes' }, ['retired-pages-pending']],
    [{ gpu_recovery_action: 'None' }, []],
    [{ gpu_recovery_action: 'Drain and Reset' }, ['recovery-drain-and-reset']],
    [{ 'clocks_event_reasons.active': '0x0000000000000004' }, []],
    [{ 'clocks_event_reasons.active': '0x0000000000000020' }, []],
    [{ 'clocks_event_reasons.active': '0x0000000000000080' }, ['throttle-power-brake']],
    [{ a: '[Unknown Error]', b: 'ERR!', c: '1' }, []],
    [{ a: '[Unknown Error]', b: 'ERR!', c: 'ERR!' }, ['unreadable']],
    [{ a: '[GPU requires reset]' }, ['unreadable']],
    [{ name: 'NVIDIA H100', uuid: '[N/A]' }, []],
  ])('of %j is %j', (cells, reasons) => {
    expect(healthReasonsOf(row(cells as Record<string, string>), null)).toEqual(reasons);
  });

  it.each([
    [13, false],
    [31, false],
    [43, false],
    [63, false],
    [94, false],
    [48, true],
    [74, true],
    [79, true],
    [95, true],
    [119, true],
  ])('after XID %i is degraded: %s', (xid, degraded) => {
    expect(healthReasonsOf(row({}), xid)).toEqual(degraded ? [`xid-${xid}`] : []);
  });

  it('keeps the worst XID of each GPU and ignores other lines', () => {
    const log = [
      'NVRM: Xid (PCI:0000:3b:00): 13, Graphics SM Warp Exception',
      'NVRM: Xid (PCI:0000:86:00): 48, pid=1, DBE',
      'NVRM: Xid (PCI:0000:86:00): 13, Graphics Exception',
      'NVRM: Xid (PCI:nonsense): 79',
      'NVRM: GPU at PCI:0000:3b:00: GPU-2d4c1b7e',
    ].join('\n');
    expect([...lastXids(log)]).toEqual([
      ['0000:3b:00.0', 13],
      ['0000:86:00.0', 48],
    ]);
  });
});

describe('queries', () => {
  it('recognise the field that a driver refuses', () => {
    expect(refusedField('Field "compute_cap" is not a valid field to query.\n')).toBe('compute_cap');
    expect(refusedField('Unable to determine the device handle for GPU')).toBeNull();
  });

  it('rename a field once and drop it when the old name is refused too', () => {
    const once = withoutField(['uuid', 'clocks_event_reasons.active'], 'clocks_event_reasons.active');
    expect(once).toEqual(['uuid', 'clocks_throttle_reasons.active']);
    expect(withoutField(once, 'clocks_throttle_reasons.active')).toEqual(['uuid']);
  });

  it('answer under the new name whatever was asked', () => {
    const row = rowOf(['uuid', 'clocks_throttle_reasons.active'], 'GPU-1, 0x1');
    expect(row?.get('clocks_event_reasons.active')).toBe('0x1');
  });

  it('end even if the driver refuses every field for ever', async () => {
    const outside = outsideOf({
      tools: {
        'nvidia-smi': (args) => {
          const field = /--query-gpu=([^,]+)/.exec(args[0] ?? '')?.[1] ?? '';
          return { kind: 'failed', code: 2, output: `Field "${field}" is not a valid field to query.` };
        },
      },
    });
    const warnings: DiscoveryWarning[] = [];
    const rows = await queryGpus(outside, (warning) => warnings.push(warning), [
      'clocks_event_reasons.active',
      'b',
      'c',
    ]);
    expect(rows).toBeNull();
    expect(outside.ran.length).toBeLessThan(10);
  });

  it('warn when a driver refuses a field that was not asked', async () => {
    const output = 'Field "other" is not a valid field to query.';
    const outside = outsideOf({ tools: { 'nvidia-smi': { kind: 'failed', code: 2, output } } });
    const warnings: DiscoveryWarning[] = [];
    expect(await queryGpus(outside, (warning) => warnings.push(warning), ['uuid'])).toBeNull();
    expect(warnings[0]?.code).toBe('tool-failed');
  });

  it('skip lines that are too short, with a warning, and keep the rest', async () => {
    const outside = outsideOf({ tools: { 'nvidia-smi': 'GPU-1, 5\nhalf\n\nGPU-2, 6\n' } });
    const warnings: DiscoveryWarning[] = [];
    const rows = await queryGpus(outside, (warning) => warnings.push(warning), ['uuid', 'index']);
    expect(rows?.map((row) => row.get('index'))).toEqual(['5', '6']);
    expect(warnings.map((warning) => warning.detail)).toEqual(['half']);
  });
});
