import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { nodeFlag, type Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { SnapshotStore } from '../../../../src/cmo/scheduler/state/snapshot-store.ts';
import { device, devices, fleetOf, gib, node, site } from './support/builders.ts';

/** What a snapshot says of each node, whatever rows it uses. */
function contentOf({ nodes, devices: columns, sites, models, drivers }: Snapshot) {
  const content: Record<string, unknown> = {};
  for (let row = 0; row < nodes.length; row += 1) {
    if ((nodes.flags[row]! & nodeFlag.live) === 0) continue;
    const start = nodes.deviceStart[row]!;
    const at = nodes.site[row]!;
    content[nodes.ids[row]!] = {
      site: [sites.ids[at], sites.deviceUsdPerHour[at], sites.cpuUsdPerHour[at], sites.memoryUsdPerHour[at]],
      state: [nodes.flags[row], nodes.isolation[row]],
      capacity: [nodes.cpuMilli[row], nodes.memoryBytes[row], nodes.diskBytes[row]],
      free: [nodes.cpuMilliFree[row], nodes.memoryBytesFree[row], nodes.diskBytesFree[row]],
      devices: Array.from({ length: nodes.deviceCount[row]! }, (_, i) => [
        columns.ids[start + i],
        columns.kind[start + i],
        models[columns.model[start + i]!],
        drivers[columns.driver[start + i]!],
        columns.memoryBytes[start + i],
        columns.milli[start + i],
        columns.milliFree[start + i],
        columns.healthy[start + i],
      ]),
    };
  }
  return content;
}

const nodeArb = (id: string) =>
  fc
    .record({
      siteId: fc.constantFrom('s1', 's2', 's3'),
      presence: fc.constantFrom('ready', 'lost', 'joining'),
      cpuMilli: fc.integer({ min: 0, max: 9000 }),
      usedCpuMilli: fc.integer({ min: 0, max: 9000 }),
      devices: fc.array(
        fc.record({
          model: fc.constantFrom('H100', 'A100', 'L4'),
          driver: fc.constantFrom('550', null),
          usedMilli: fc.constantFrom(0, 300, 1000),
          kind: fc.constantFrom('gpu', 'tpu'),
        }),
        { maxLength: 5 },
      ),
    })
    .map((made) =>
      node(id, { ...made, devices: made.devices.map((one, i) => device(`${id}-${i}`, one as never)) } as never),
    );

const deltaArb = fc.record({
  sites: fc.array(fc.tuple(fc.constantFrom('s1', 's2', 's3'), fc.option(fc.integer({ min: 0, max: 9 }))), {
    maxLength: 2,
  }),
  nodes: fc.array(
    fc
      .constantFrom(...Array.from({ length: 12 }, (_, i) => `n${i}`))
      .chain((id) => fc.tuple(fc.constant(id), fc.option(nodeArb(id), { freq: 2 }))),
    { maxLength: 8 },
  ),
});

describe('SnapshotStore', () => {
  it('holds after any deltas what a store that is built anew holds', () => {
    fc.assert(
      fc.property(fc.array(deltaArb, { maxLength: 12 }), (deltas) => {
        const store = new SnapshotStore();
        const sites = new Map<string, ReturnType<typeof site> | null>();
        const nodes = new Map<string, NodeRow>();
        for (const delta of deltas) {
          const siteRows = new Map(
            delta.sites.map(([id, price]) => [id, price === null ? null : site(id, { deviceUsdPerHour: price })]),
          );
          const nodeRows = new Map(delta.nodes);
          store.apply({ sites: siteRows, nodes: nodeRows });
          for (const [id, row] of siteRows) sites.set(id, row);
          for (const [id, row] of nodeRows) row === null ? nodes.delete(id) : nodes.set(id, row);
        }
        const anew = new SnapshotStore();
        anew.apply({ sites, nodes });
        expect(contentOf(store.snapshot)).toEqual(contentOf(anew.snapshot));
        expect([...store.nodeRevisions.keys()].sort()).toEqual([...nodes.keys()].sort());
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the row of a node while it exists and reuses that of a removed one', () => {
    const store = new SnapshotStore();
    const rows = (...ids: string[]) => new Map(ids.map((id) => [id, node(id)]));
    store.apply({ sites: new Map([['s1', site()]]), nodes: rows('n1', 'n2', 'n3') });
    store.apply({ sites: new Map(), nodes: new Map([['n2', null]]) });
    store.apply({ sites: new Map(), nodes: rows('n4') });
    expect(store.snapshot.nodes.ids).toEqual(['n1', 'n4', 'n3']);
  });

  it('does not grow its device columns without end when nodes change shape', () => {
    const store = new SnapshotStore();
    for (let i = 0; i < 400; i += 1) {
      const nodes = new Map(
        [1, 2, 3].map((n) => [`n${n}`, node(`n${n}`, { devices: devices(`n${n}`, (i * n) % 40) })]),
      );
      store.apply({ sites: new Map(), nodes });
    }
    expect(store.snapshot.devices.length).toBeLessThan(5000);
    expect(store.snapshot.nodes.deviceCount[2]).toBe((399 * 3) % 40);
  });

  it('takes and gives back what placements use', () => {
    const store = new SnapshotStore();
    store.apply({
      sites: new Map([['s1', site()]]),
      nodes: new Map([['n1', node('n1', { devices: devices('n1', 2) })]]),
    });
    const before = contentOf(store.snapshot);
    const use = {
      nodeId: 'n1',
      cpuMilli: 1000,
      memoryBytes: gib,
      diskBytes: 0,
      devices: [{ deviceId: 'n1-d1', milli: 400 }],
    };
    store.use(use, 1);
    expect(store.snapshot.nodes.cpuMilliFree[0]).toBe(15_000);
    expect(store.snapshot.devices.milliFree[1]).toBe(600);
    store.use(use, -1);
    store.use({ ...use, nodeId: 'gone' }, 1);
    expect(contentOf(store.snapshot)).toEqual(before);
  });

  it('leaves a removed node out of every plan', () => {
    const snapshot = fleetOf([node('n1', { presence: 'removed' })]);
    expect(contentOf(snapshot)).toEqual({});
  });
});
