/** Whatever tools and files say, discovery neither throws nor believes an absurd number. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amdEntries, rocmEntries } from '../../../../../src/metapod/agent/discovery/amd/entries.ts';
import { xrtCardsOf } from '../../../../../src/metapod/agent/discovery/fpga.ts';
import { type DiscoveredDevice, discoverNode, modelOf } from '../../../../../src/metapod/agent/discovery/index.ts';
import { lastXids, throttleReasonsOf } from '../../../../../src/metapod/agent/discovery/nvidia/health.ts';
import { migInstancesOf, migListingsOf } from '../../../../../src/metapod/agent/discovery/nvidia/mig.ts';
import { rowOf } from '../../../../../src/metapod/agent/discovery/nvidia/query.ts';
import { topologyOf } from '../../../../../src/metapod/agent/discovery/nvidia/topology.ts';
import {
  integerIn,
  jsonWithin,
  membersOf,
  numberIn,
  pciAddressOf,
  textOf,
} from '../../../../../src/metapod/agent/discovery/reading.ts';
import { fixture, outsideOf, pciFiles } from './world.ts';

/** Arbitrary text, and real output with pieces cut out, doubled and replaced. */
const garbage = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  ...['nvidia/h100x2.csv', 'nvidia/h100-mig-list.txt', 'nvidia/h100-mig-plain.txt', 'nvidia/broken.csv'].map(mangled),
  ...['nvidia/topo-h100x2.txt', 'nvidia/dmesg.txt', 'amd/static.json', 'amd/rocm-smi.json', 'xilinx/examine.txt'].map(
    mangled,
  ),
  fc.json({ maxDepth: 6 }),
);

function mangled(name: string): fc.Arbitrary<string> {
  const text = fixture(name);
  const cut = fc.nat(text.length);
  const filling = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('[N/A]', '-1', '1e308', 'NaN', '999999999999'),
  );
  return fc.tuple(cut, cut, filling).map(([from, to, put]) => text.slice(0, from) + put + text.slice(to));
}

function expectSane(device: DiscoveredDevice): void {
  const within = (value: number | null, min: number, max: number) => {
    if (value === null) return;
    expect(Number.isFinite(value)).toBe(true);
    expect(value).toBeGreaterThanOrEqual(min);
    expect(value).toBeLessThanOrEqual(max);
  };
  within(device.index, 0, 4095);
  within(device.memoryBytes, 2 ** 20, 2 ** 43);
  within(device.numaNode, 0, 4095);
  within(device.powerCapWatts, 0, 5000);
  within(device.tdpWatts, 1, 5000);
  expect(device.uuid).toMatch(/^[\w:./-]{8,100}$/);
  expect(device.fullName).toMatch(/^\P{Cc}{1,128}$/u);
  expect(device.model).toMatch(/^[\w.-]{1,48}$/);
  for (const node of device.deviceNodes) expect(node).toMatch(/^\/dev\/[\w/-]{1,64}$/);
  for (const peer of device.peers) expect(peer.links).toBeLessThanOrEqual(64);
}

describe('discovery', () => {
  it('survives any output of any tool', async () => {
    const tools = ['nvidia-smi', 'dmesg', 'amd-smi', 'rocm-smi', 'xbutil', 'xrt-smi'];
    const world = fc.record({ outputs: fc.tuple(...tools.map(() => garbage)), ended: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(world, async ({ outputs, ended }) => {
        const answers = tools.map((tool, at) => [tool, outputs[at] ?? ''] as const);
        const failing = answers.map(([tool, output]) => [tool, { kind: 'failed', code: 1, output }] as const);
        const outside = outsideOf({ tools: Object.fromEntries(ended ? answers : failing) });
        const { devices, warnings } = await discoverNode({ outside, scratch: '/tmp' });
        devices.forEach(expectSane);
        expect(new Set(devices.map((device) => device.uuid)).size).toBe(devices.length);
        expect(warnings.length).toBeLessThanOrEqual(64);
        for (const warning of warnings) expect(warning.detail).toMatch(/^\P{Cc}{1,128}$/u);
      }),
      { seed: 20260714, numRuns: 150 },
    );
  });

  it('survives any content of the files it reads', async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.constantFrom('0x1ae0', '0x10ee', '0x120000', '0x0063', '-1', 'max'),
    );
    const files = fc.record({ vendor: text, device: text, class: text, numa_node: text, subsystem_device: text });
    const proc = fc.record({ mountinfo: text, cgroup: text, online: text, meminfo: text });
    await fc.assert(
      fc.asyncProperty(files, proc, async (pci, { mountinfo, cgroup, online, meminfo }) => {
        const outside = outsideOf({
          files: {
            ...pciFiles('0000:00:04.0', pci),
            '/proc/self/mountinfo': `1 2 0:1 / /cg rw - cgroup2 c rw\n${mountinfo}`,
            '/proc/self/cgroup': `0::/${cgroup}`,
            '/cg/memory.max': cgroup,
            '/cg/cpu.max': `${cgroup} ${online}`,
            '/sys/devices/system/cpu/online': online,
            '/proc/meminfo': meminfo,
          },
        });
        const node = await discoverNode({ outside, scratch: '/tmp' });
        node.devices.forEach(expectSane);
        for (const number of [node.cpuMilli, node.memoryBytes, node.diskBytes]) {
          expect(Number.isFinite(number) && number >= 0).toBe(true);
        }
      }),
      { seed: 20260714, numRuns: 150 },
    );
  });
});

describe('parsers', () => {
  it('never throw', () => {
    fc.assert(
      fc.property(garbage, (text) => {
        for (const parse of [amdEntries, rocmEntries, xrtCardsOf, lastXids, throttleReasonsOf, migInstancesOf])
          parse(text);
        for (const parse of [migListingsOf, topologyOf, jsonWithin, membersOf, pciAddressOf, textOf, modelOf])
          parse(text);
      }),
      { seed: 20260714, numRuns: 300 },
    );
  });

  it('keep numbers within their range or drop them', () => {
    const value = fc.oneof(fc.double(), fc.string(), fc.maxSafeInteger(), fc.anything());
    fc.assert(
      fc.property(value, fc.tuple(fc.integer(), fc.integer()), (input, [a, b]) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const number = numberIn(input, [min, max]);
        if (number !== null) expect(number >= min && number <= max).toBe(true);
        const whole = integerIn(input, [min, max]);
        if (whole !== null) expect(Number.isInteger(whole)).toBe(true);
      }),
    );
  });

  it('read a row whatever stands in the name', () => {
    const cell = fc.stringMatching(/^[\w.[\]/ ]{0,12}$/);
    fc.assert(
      fc.property(cell, cell, fc.stringMatching(/^[\w, ]{1,30}$/), (first, second, name) => {
        const row = rowOf(['a', 'b', 'name'], `${first}, ${second}, ${name}`);
        expect(row?.get('a')).toBe(first.trim());
        expect(row?.get('b')).toBe(second.trim());
        expect(row?.get('name')?.replaceAll(/[ ,]/g, '')).toBe(name.replaceAll(/[ ,]/g, ''));
      }),
    );
  });
});

describe('readings', () => {
  it.each([
    ['71.20 W', 71.2],
    [' 37 % ', 37],
    ['[N/A]', null],
    ['[Not Supported]', null],
    ['ERR!', null],
    ['1e99', null],
    ['0x10', null],
    ['', null],
    ['-70', null],
    [Number.NaN, null],
    [{}, null],
  ])('%j is %j', (input, expected) => {
    expect(numberIn(input, [0, 100])).toBe(expected);
  });

  it.each([
    ['00000000:3B:00.0', '0000:3b:00.0'],
    ['3b:00.1', '0000:3b:00.1'],
    ['10000:01:00.0', '10000:01:00.0'],
    ['0000:3b:00.9', null],
    ['../../etc', null],
  ])('PCI address %s is %s', (input, expected) => {
    expect(pciAddressOf(input)).toBe(expected);
  });

  it.each([
    ['NVIDIA A100-SXM4-80GB', 'A100'],
    ['Tesla T4', 'T4'],
    ['NVIDIA GeForce RTX 4090', 'RTX-4090'],
    ['NVIDIA L40S', 'L40S'],
    ['NVIDIA L4', 'L4'],
    ['NVIDIA A10G', 'A10G'],
    ['AMD Instinct MI300X OAM', 'MI300X'],
    ['NVIDIA TITAN V', 'TITAN-V'],
    ['Radeon RX 7900 XTX', 'RX-7900-XTX'],
    ['   ', 'unknown'],
  ])('%s is a %s', (fullName, model) => {
    expect(modelOf(fullName)).toBe(model);
  });

  it('finds JSON between banners', () => {
    expect(jsonWithin('WARNING: x\n[{"gpu": 0}]\nbye')).toEqual([{ gpu: 0 }]);
    expect(jsonWithin('no json')).toBeUndefined();
    expect(jsonWithin('12')).toBeUndefined();
  });
});
