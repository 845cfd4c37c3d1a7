/** What discovery and sampling say fits the agent protocol, whatever the node is like. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentMessage } from '../../../../../src/common/contract/agent/protocol.ts';
import { discoverNode, type Inventory, wireInventoryOf } from '../../../../../src/metapod/agent/discovery/index.ts';
import { type NodeSample, wireSamplesOf } from '../../../../../src/metapod/agent/samples/index.ts';
import { fakeNvidiaSmi, fixture, outsideOf, type Tool } from './world.ts';

const MIG = {
  table: fixture('nvidia/h100-mig.csv'),
  list: fixture('nvidia/h100-mig-list.txt'),
  plain: fixture('nvidia/h100-mig-plain.txt'),
};

const inventoryOf = (tools: Record<string, Tool>) => discoverNode({ outside: outsideOf({ tools }), scratch: '/tmp' });

/** Parses an inventory message made of what was discovered; throws when the protocol refuses it. */
function sent(inventory: Inventory) {
  const own = { name: 'n', isolation: ['process'], isolationMissing: {}, hostNetwork: false, labels: {} };
  const message = JSON.parse(
    JSON.stringify({ type: 'inventory', inventory: { ...own, ...wireInventoryOf(inventory) } }),
  );
  const parsed = agentMessage.parse(message);
  if (parsed.type !== 'inventory') throw new Error('another message');
  return parsed.inventory;
}

describe('inventory on the wire', () => {
  it('puts parents before their slices and says which is whose', async () => {
    const { devices } = sent(await inventoryOf({ 'nvidia-smi': fakeNvidiaSmi(MIG) }));
    expect(devices.map((device) => device.parentUuid)).toEqual([null, ...Array(4).fill(devices[0]?.uuid)]);
    expect(devices[0]?.facts).toMatchObject({
      migEnabled: true,
      cudaVersion: '13.1',
      fullName: 'NVIDIA H100 80GB HBM3',
    });
    expect(devices[3]?.facts).toMatchObject({ profile: '1g.10gb' });
  });

  it('calls a GPU in MIG mode without slices degraded: nothing can run on it', async () => {
    const { devices } = sent(await inventoryOf({ 'nvidia-smi': fakeNvidiaSmi({ ...MIG, list: '' }) }));
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({ health: 'degraded', healthReasons: ['mig-without-slices'] });
  });

  it('leaves out what is unknown, and sends unknown memory as 0', async () => {
    const { devices } = sent(
      await inventoryOf({ 'nvidia-smi': fakeNvidiaSmi({ table: fixture('nvidia/broken.csv') }) }),
    );
    expect(devices[1]).toMatchObject({
      memoryBytes: 0,
      driver: null,
      health: 'degraded',
      healthReasons: ['unreadable'],
    });
    expect(devices[1]?.facts).toEqual({ fullName: 'NVIDIA GPU', pciAddress: '0000:02:00.0' });
  });

  it('carries warnings to whoever operates the node', async () => {
    const { facts } = sent(await inventoryOf({ 'nvidia-smi': { kind: 'timeout' } }));
    expect(facts.warnings).toMatchObject([{ code: 'tool-timeout' }]);
  });

  it('is taken by the protocol whatever tools print', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(fixture('amd/static.json')), fc.json());
    await fc.assert(
      fc.asyncProperty(text, text, async (nvidia, amd) => {
        sent(await inventoryOf({ 'nvidia-smi': nvidia, 'amd-smi': amd, xbutil: nvidia }));
      }),
      { seed: 13, numRuns: 100 },
    );
  });
});

describe('samples on the wire', () => {
  const number = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }));
  const device = fc.record({
    uuid: fc.constantFrom('GPU-1', 'GPU-2'),
    monotonicMs: fc.nat(),
    utilizationRatio: number,
    memoryUsedBytes: number,
    powerWatts: number,
    temperatureCelsius: number,
    energyJoulesTotal: number,
    energySource: fc.constantFrom('counter', 'power', null),
    energyEpoch: fc.nat(),
    throttleReasons: fc.subarray(['power-cap', 'hw-thermal'] as const).map((reasons) => [...reasons]),
  });
  const node: fc.Arbitrary<NodeSample> = fc.record({
    wallMs: fc.nat(),
    monotonicMs: fc.nat(),
    cpuUtilizationRatio: number,
    cpuBusySecondsTotal: number,
    memoryUsedBytes: number,
    cpuEnergyJoulesTotal: number,
    devices: fc.array(device, { maxLength: 4 }),
  });

  it('are numbers by name, the node first, without what is unknown', () => {
    fc.assert(
      fc.property(node, (sample) => {
        const samples = wireSamplesOf(sample);
        const message = { type: 'heartbeat', seq: 1, samples: JSON.parse(JSON.stringify(samples)) };
        expect(agentMessage.safeParse(message).success).toBe(true);
        expect(samples.map(({ subject }) => subject)).toEqual(['node', ...sample.devices.map(({ uuid }) => uuid)]);
        expect('memoryUsedBytes' in (samples[0]?.data ?? {})).toBe(sample.memoryUsedBytes !== null);
      }),
      { seed: 17, numRuns: 200 },
    );
  });

  it('say whether a device is throttled', () => {
    const quiet = { utilizationRatio: null, memoryUsedBytes: null, powerWatts: 5, temperatureCelsius: null };
    const gpu = {
      uuid: 'GPU-1',
      monotonicMs: 0,
      ...quiet,
      energyJoulesTotal: null,
      energySource: null,
      energyEpoch: 0,
    };
    const [, throttled, free] = wireSamplesOf({
      wallMs: 0,
      monotonicMs: 0,
      cpuUtilizationRatio: null,
      cpuBusySecondsTotal: null,
      memoryUsedBytes: null,
      cpuEnergyJoulesTotal: null,
      devices: [
        { ...gpu, throttleReasons: ['hw-thermal'] },
        { ...gpu, throttleReasons: [] },
      ],
    });
    expect(throttled?.data).toEqual({ powerWatts: 5, throttled: 1 });
    expect(free?.data).toEqual({ powerWatts: 5, throttled: 0 });
  });
});
