import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { registerFleetMetrics } from '../../../src/drm/metrics/index.ts';
import { createSite, recordHeartbeats, registerNode, removeNode } from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { device, inventory } from './support/fleet.ts';

let database: TestDatabase;
const nodeId = newId('node');
const registry = new Registry();

beforeAll(async () => {
  database = await createTestDatabase();
  registerFleetMetrics(registry, database.db);
  await withSystem(database.db, async (tx) => {
    const site = await createSite(tx, { name: 'here' }, 'test');
    const devices = [device('GPU-a'), device('GPU-b', { index: 1, health: 'degraded' })];
    await registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ name: 'n1', devices }) });
    const data = { utilizationRatio: 0.75, powerWatts: 400, energyJoulesTotal: 1000 };
    await recordHeartbeats(tx, [{ nodeId, bootId: 'b', samples: [{ subject: 'GPU-a', data }] }]);
  });
});
afterAll(() => database?.drop());

const lines = async () => (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && line !== '');
const gpu = '{site="here",node="n1",device="0",uuid="GPU-a",model="H100"}';

describe('metrics of the fleet', () => {
  it('show nodes, devices and their latest samples at the first scrape', async () => {
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'solyx_nodes{presence="ready"} 1',
        'solyx_nodes{presence="lost"} 0',
        'solyx_devices{site="here",kind="gpu",model="H100"} 2',
        'solyx_devices_allocated{site="here",kind="gpu",model="H100"} 0',
        `solyx_gpu_utilization_ratio${gpu} 0.75`,
        `solyx_gpu_power_watts${gpu} 400`,
        `solyx_gpu_energy_joules_total${gpu} 1000`,
        `solyx_gpu_healthy${gpu} 1`,
      ]),
    );
  });

  it('do not add up over scrapes', async () => {
    expect(await lines()).toEqual(await lines());
  });

  it('name no job, user or tenant', async () => {
    const labels = new Set(
      (await lines()).flatMap((line) => [...line.matchAll(/[{,](\w+)="/g)].map((match) => match[1])),
    );
    expect([...labels].sort()).toEqual(['device', 'driver', 'kind', 'model', 'node', 'presence', 'site', 'uuid']);
  });

  it('forget what is stale or gone', async () => {
    await withSystem(database.db, (tx) => tx.query(`update drm_samples set at = at - interval '1 minute'`));
    expect((await lines()).join('\n')).not.toContain('solyx_gpu_power_watts{');
    await withSystem(database.db, (tx) => removeNode(tx, nodeId, { poweredOff: false }, 'test'));
    expect((await lines()).join('\n')).not.toContain('GPU-a');
  });
});
