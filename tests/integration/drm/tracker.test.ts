import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attemptLedger } from '../../../src/cmo/jobs/index.ts';
import type { WireInventory } from '../../../src/common/contract/agent/protocol.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { commitPlan, releaseAllocations } from '../../../src/drm/allocator/index.ts';
import {
  createSite,
  ensureSite,
  getNode,
  getSite,
  joinNode,
  listDevices,
  listNodes,
  listSites,
  readFleet,
  readFleetSites,
  recordHeartbeats,
  registerNode,
  removeNode,
  type Site,
  setScheduling,
  updateSite,
} from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { addJobs, addTenant, device, deviceIds, gib, inventory, miscounted, placement, rank } from './support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };
let site: Site;
let number = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await system(addTenant);
});
afterAll(() => database?.drop());
beforeEach(async () => {
  number += 1;
  site = await system((tx) => createSite(tx, { name: `site-${number}` }, 'test'));
});

const system = <T>(fn: Parameters<typeof withSystem<T>>[1]) => withSystem(database.db, fn);
const node = (id: string) => system((tx) => getNode(tx, id));

async function register(nodeId: string, over: Partial<WireInventory> = {}) {
  return system((tx) =>
    registerNode(tx, { nodeId, siteId: site.id, bootId: 'b1', inventory: inventory({ name: `n${nodeId}`, ...over }) }),
  );
}

async function addNode(over: Partial<WireInventory> = {}): Promise<string> {
  const nodeId = newId('node');
  await register(nodeId, over);
  return nodeId;
}

/** Puts a job on a node; returns its attempt. */
async function occupy(nodeId: string, devices: readonly string[] = [], over: Parameters<typeof rank>[2] = {}) {
  const [job] = await system((tx) => addJobs(tx, owner, 1));
  const plan = { placements: [placement(job!, site.id, rank(nodeId, devices, over))] };
  const { committed, refused } = await commitPlan(database.db, plan, attemptLedger);
  expect(refused).toEqual([]);
  return committed[0]!.attemptId;
}

async function eventsOf(subject: string) {
  const { rows } = await system((tx) =>
    tx.query<{ kind: string; data: Record<string, unknown> }>(
      'select kind, data from feed_events where subject = $1 order by id',
      [subject],
    ),
  );
  return rows.map(({ kind, data }) => `${kind}: ${data.from} → ${data.to}`);
}

describe('sites', () => {
  it('are made with everything that prices and energy need', async () => {
    const settings = { latitude: 52.5, longitude: 13.4, gridZone: 'DE', pue: 1.1, deviceUsdPerHour: 2_500_000n };
    const made = await system((tx) => createSite(tx, { name: 'berlin', ...settings }, 'key_1'));
    expect(await system((tx) => getSite(tx, made.id))).toMatchObject({ name: 'berlin', ...settings, revision: 1n });
    expect(await system((tx) => readFleetSites(tx, [made.id]))).toMatchObject([
      { pue: 1.1, deviceUsdPerHour: 2_500_000 },
    ]);
  });

  it.each([
    [{ latitude: 91, longitude: 0 }, '/latitude'],
    [{ latitude: 0, longitude: -181 }, '/longitude'],
    [{ latitude: 10 }, '/longitude'],
    [{ pue: 0.99 }, '/pue'],
    [{ pue: Number.NaN }, '/pue'],
    [{ gridZone: 'no zone' }, '/gridZone'],
    [{ cpuUsdPerHour: -1n }, '/cpuUsdPerHour'],
    [{ name: '../etc' }, '/name'],
  ])('are refused with %o', async (over, at) => {
    const bad = system((tx) => createSite(tx, { name: 'bad', ...over }, 'test'));
    await expect(bad).rejects.toMatchObject({ code: 'invalid_body', issues: [{ at }] });
  });

  it('have names of their own', async () => {
    const other = await system((tx) => createSite(tx, { name: `other-${number}` }, 'test'));
    await expect(system((tx) => createSite(tx, { name: site.name }, 'test'))).rejects.toMatchObject({
      code: 'already_exists',
    });
    const renamed = system((tx) => updateSite(tx, other.id, { name: site.name }, 'test'));
    await expect(renamed).rejects.toMatchObject({ code: 'already_exists' });
  });

  it('change only by what is new', async () => {
    const changed = await system((tx) => updateSite(tx, site.id, { pue: 1.3 }, 'test'));
    expect(changed).toMatchObject({ pue: 1.3, revision: 2n });
    expect(await system((tx) => updateSite(tx, site.id, { pue: 1.3 }, 'test'))).toMatchObject({ revision: 2n });
    expect(await eventsOf(site.id)).toHaveLength(2);
  });

  it('are ensured once by servers that start together, and not reset by the next start', async () => {
    const made = await Promise.all([1, 2, 3].map(() => ensureSite(database.db, { name: `local-${number}`, pue: 1.2 })));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    await system((tx) => updateSite(tx, made[0]!.id, { pue: 1.5 }, 'test'));
    expect(await ensureSite(database.db, { name: `local-${number}` })).toMatchObject({ pue: 1.5 });
    const all = await system((tx) => listSites(tx));
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
  });
});

describe('joining', () => {
  it('gives an id, and the same id to the same installation', async () => {
    const join = (name: string, installationId: string) =>
      system((tx) => joinNode(tx, { siteId: site.id, name, installationId }));
    const first = await join('gpu-1', 'i1');
    expect(first.isNew).toBe(true);
    expect(await join('gpu-1', 'i1')).toEqual({ nodeId: first.nodeId, isNew: false });
    await expect(join('gpu-1', 'i2')).rejects.toMatchObject({ code: 'already_exists' });
    expect(await node(first.nodeId)).toMatchObject({ name: 'gpu-1', presence: 'joining', site: { name: site.name } });
  });

  it('is refused at a site that is not there', async () => {
    const join = system((tx) => joinNode(tx, { siteId: 'site_none', name: 'x', installationId: 'i' }));
    await expect(join).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('hello', () => {
  it('makes a joined node ready with its devices', async () => {
    const { nodeId } = await system((tx) => joinNode(tx, { siteId: site.id, name: 'gpu-1', installationId: 'i' }));
    await system((tx) => registerNode(tx, { nodeId, inventory: inventory({ name: 'host', devices: [device('g0')] }) }));
    expect(await node(nodeId)).toMatchObject({
      name: 'gpu-1',
      presence: 'ready',
      capacity: { cpuMilli: 16_000, memoryBytes: 64 * gib },
      devices: [{ uuid: 'g0', model: 'H100', milli: 1000, usedMilli: 0, health: 'ok' }],
      deviceCount: 1,
    });
    expect(await eventsOf(nodeId)).toEqual(['node.presence: null → joining', 'node.presence: joining → ready']);
  });

  it('said again changes nothing but the time of the last contact, and wakes nobody', async () => {
    const facts = { kernel: '6.1', nested: { b: [1, 2], a: null } };
    const same = { devices: [device('g0', { facts }), device('g1', { index: 1 })], facts, labels: { rack: '4' } };
    const nodeId = await addNode(same);
    const before = await node(nodeId);
    await system((tx) => tx.query('delete from feed_dirty'));
    expect(await register(nodeId, same)).toEqual({ changed: false });
    const after = await node(nodeId);
    expect(after).toEqual({ ...before, lastHeartbeatAt: after.lastHeartbeatAt });
    expect(after.lastHeartbeatAt!.getTime()).toBeGreaterThan(before.lastHeartbeatAt!.getTime());
    expect((await system((tx) => tx.query('select from feed_dirty'))).rows).toHaveLength(0);
  });

  it('with something new raises the revision and keeps the ids of devices', async () => {
    const nodeId = await addNode({ devices: [device('g0')] });
    const before = await node(nodeId);
    expect(
      await register(nodeId, { devices: [device('g0', { driver: '575.0' }), device('g1', { index: 1 })] }),
    ).toEqual({ changed: true });
    const after = await node(nodeId);
    expect(after.revision).toBeGreaterThan(before.revision);
    expect(after.devices[0]).toMatchObject({ id: before.devices[0]!.id, driver: '575.0' });
    expect(after.devices).toHaveLength(2);
  });

  it('of a name that another node of the site has is refused', async () => {
    await addNode({ name: 'twin' });
    const other = newId('node');
    await expect(register(other, { name: 'twin' })).rejects.toMatchObject({ code: 'already_exists' });
  });

  it('of a removed node, or for another site, is refused', async () => {
    const nodeId = await addNode();
    const elsewhere = await system((tx) => createSite(tx, { name: `else-${number}` }, 'test'));
    const moved = system((tx) => registerNode(tx, { nodeId, siteId: elsewhere.id, inventory: inventory() }));
    await expect(moved).rejects.toMatchObject({ code: 'conflict' });
    await system((tx) => removeNode(tx, nodeId, { poweredOff: false }, 'test'));
    await expect(register(nodeId)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('keeps what is held when the node shrinks, and gives nothing more', async () => {
    const nodeId = await addNode({ cpuMilli: 8000, devices: [device('g0'), device('g1', { index: 1 })] });
    const ids = await system((tx) => deviceIds(tx, nodeId));
    const attempt = await occupy(nodeId, [ids.get('g0')!], { cpuMilli: 6000 });
    await register(nodeId, { cpuMilli: 4000, devices: [device('g1', { index: 1 })] });
    expect(await node(nodeId)).toMatchObject({
      capacity: { cpuMilli: 6000 },
      used: { cpuMilli: 6000 },
      health: 'degraded',
      healthReasons: [{ code: 'device_held_but_gone', deviceId: ids.get('g0') }],
    });
    // The scheduler still sees a node that takes work, only without that device.
    const [row] = await system((tx) => readFleet(tx, [nodeId]));
    expect(row).toMatchObject({ health: 'ok', devices: [{ healthy: false, usedMilli: 1000 }, { healthy: true }] });
    await system((tx) => releaseAllocations(tx, [attempt]));
    const after = await node(nodeId);
    expect(after).toMatchObject({
      capacity: { cpuMilli: 4000 },
      used: { cpuMilli: 0 },
      health: 'ok',
      healthReasons: [],
    });
    expect(after.devices.map(({ uuid }) => uuid)).toEqual(['g1']);
    expect(await system(miscounted)).toEqual([]);
  });

  it('cuts a parent into slices only when nobody holds it', async () => {
    const slices = ['g0/1', 'g0/2'].map((uuid) => device(uuid, { parentUuid: 'g0', memoryBytes: 40 * gib }));
    const nodeId = await addNode({ devices: [device('g0')] });
    const ids = await system((tx) => deviceIds(tx, nodeId));
    const attempt = await occupy(nodeId, [ids.get('g0')!]);
    const capacities = async () =>
      Object.fromEntries((await node(nodeId)).devices.map(({ uuid, milli }) => [uuid, milli]));
    await register(nodeId, { devices: [device('g0'), ...slices] });
    expect(await capacities()).toEqual({ g0: 1000, 'g0/1': 0, 'g0/2': 0 });
    expect(await node(nodeId)).toMatchObject({ health: 'degraded' });
    await system((tx) => releaseAllocations(tx, [attempt]));
    expect(await capacities()).toEqual({ g0: 0, 'g0/1': 1000, 'g0/2': 1000 });
    expect(await node(nodeId)).toMatchObject({ health: 'ok', devices: [{}, { parentId: ids.get('g0') }, {}] });
  });
});

describe('operating', () => {
  it('cordons, drains and opens a node, each once', async () => {
    const nodeId = await addNode();
    const set = (to: 'open' | 'cordoned' | 'draining') => system((tx) => setScheduling(tx, nodeId, to, 'key_1'));
    expect(await set('cordoned')).toBe(true);
    expect(await set('cordoned')).toBe(false);
    await set('draining');
    await set('open');
    expect((await eventsOf(nodeId)).slice(1)).toEqual([
      'node.scheduling: open → cordoned',
      'node.scheduling: cordoned → draining',
      'node.scheduling: draining → open',
    ]);
    await expect(system((tx) => setScheduling(tx, 'node_none', 'open', 'x'))).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('removes an empty node, whose name is free again', async () => {
    const nodeId = await addNode({ name: 'reused' });
    expect(await system((tx) => removeNode(tx, nodeId, { poweredOff: false }, 'key_1'))).toBe(true);
    expect(await system((tx) => removeNode(tx, nodeId, { poweredOff: false }, 'key_1'))).toBe(false);
    expect(await system((tx) => readFleet(tx, [nodeId]))).toEqual([]);
    await addNode({ name: 'reused' });
    await expect(system((tx) => setScheduling(tx, nodeId, 'open', 'x'))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('removes a node that holds allocations only on the word that it is powered off', async () => {
    const nodeId = await addNode();
    const attempt = await occupy(nodeId);
    const remove = (poweredOff: boolean) => system((tx) => removeNode(tx, nodeId, { poweredOff }, 'key_1'));
    await expect(remove(false)).rejects.toMatchObject({ code: 'node_in_use' });
    await system((tx) => tx.query('delete from feed_dirty'));
    expect(await remove(true)).toBe(true);
    const dirty = await system((tx) => tx.query('select kind, key from feed_dirty'));
    expect(dirty.rows).toEqual([{ kind: 'node', key: nodeId }]);
    await system((tx) => releaseAllocations(tx, [attempt]));
    expect(await system(miscounted)).toEqual([]);
  });
});

describe('reading', () => {
  it('pages nodes by id and leaves out removed ones unless asked for', async () => {
    const ids = [await addNode(), await addNode(), await addNode()].sort();
    const list = (over: Parameters<typeof listNodes>[1]) => system((tx) => listNodes(tx, { siteId: site.id, ...over }));
    expect((await list({ limit: 2 })).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await list({ after: ids[1]!, limit: 2 })).map(({ id }) => id)).toEqual(ids.slice(2));
    await system((tx) => removeNode(tx, ids[0]!, { poweredOff: false }, 'test'));
    expect((await list({})).map(({ id }) => id)).toEqual(ids.slice(1));
    expect((await list({ presence: 'removed' })).map(({ id }) => id)).toEqual(ids.slice(0, 1));
  });

  it('shows the latest samples of node and devices, and of nobody else', async () => {
    const nodeId = await addNode({ devices: [device('g0')] });
    await system((tx) =>
      recordHeartbeats(tx, [
        {
          nodeId,
          bootId: 'b1',
          samples: [
            { subject: 'node', data: { cpuUtilizationRatio: 0.5 } },
            { subject: 'g0', data: { powerWatts: 410 } },
            { subject: 'not-mine', data: { powerWatts: 1 } },
          ],
        },
      ]),
    );
    const seen = await node(nodeId);
    expect(seen.sample?.data).toEqual({ cpuUtilizationRatio: 0.5 });
    expect(seen.devices[0]?.sample?.data).toEqual({ powerWatts: 410 });
    expect(seen.lastHeartbeatAt).toBeInstanceOf(Date);
    expect(await system((tx) => listDevices(tx, { nodeId, kind: 'gpu' }))).toMatchObject([{ uuid: 'g0' }]);
    expect(await system((tx) => listDevices(tx, { nodeId, kind: 'fpga' }))).toEqual([]);
  });

  it('gives the scheduler nodes in stable order, in chunks', async () => {
    const ids = [await addNode({ devices: [device('g0')] }), await addNode()].sort();
    const all = await system((tx) => readFleet(tx, 'all', { after: '', limit: 1000 }));
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    const before = await system((tx) => readFleet(tx, ids));
    await occupy(ids[0]!);
    const after = await system((tx) => readFleet(tx, ids));
    expect(after[0]!.usedCpuMilli).toBe(1000);
    expect(after[0]!.revision).toBeGreaterThan(before[0]!.revision);
    expect(after[1]).toEqual(before[1]);
    expect(await system((tx) => readFleet(tx, []))).toEqual([]);
  });
});
