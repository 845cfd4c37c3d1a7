import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { createSite, registerNode } from '../../../../src/drm/tracker/index.ts';
import { device, inventory } from '../../drm/support/fleet.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let tenant: { tenantId: string; projectId: string };
let admin = '';
let member = '';
const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();

beforeAll(async () => {
  api = await startApi();
  tenant = await api.makeTenant('research');
  admin = (await api.makeKey({ ...tenant, role: 'admin' })).text;
  member = (await api.makeKey({ ...tenant, role: 'member' })).text;
  await withSystem(api.database.db, async (tx) => {
    const site = await createSite(tx, { name: 'here' }, 'test');
    for (const rack of ['red', 'blue']) {
      const devices = Array.from({ length: 2 }, (_, index) => device(`g${index}`, { index }));
      const nodeId = newId('node') as string;
      await registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ devices, labels: { rack } }) });
    }
  });
});
afterAll(() => api?.close());

const create = (key: string, body: object) =>
  api.ask(key, 'POST', '/v1/reservations', { name: 'demo', until: hours(2), ...body });
const list = async (key: string, query = '') => (await api.ask(key, 'GET', `/v1/reservations${query}`)).json;
const cancel = (key: string, id: string) => api.ask(key, 'POST', `/v1/reservations/${id}/cancel`);

describe('reservations', () => {
  it('are made by operators for anybody, seen by who they are for, given back by either', async () => {
    const made = await create(api.adminKey, {
      tenant: tenant.tenantId,
      project: 'default',
      nodes: 1,
      labels: { rack: 'red' },
      from: hours(1),
    });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      tenant: { name: 'research' },
      project: { name: 'default' },
      wanted: { nodes: 1, devices: null, labels: { rack: ['red'] }, site: null },
      state: 'booked',
      nodeCount: 1,
      nodes: [{ ready: true }],
    });
    expect((await list(member)).items.map(({ id }: { id: string }) => id)).toEqual([made.json.id]);
    expect((await list(api.adminKey)).items).toEqual([]);
    expect((await list(api.adminKey, '?everybody=true')).items).toHaveLength(1);
    expect((await list(member, '?everybody=true')).code).toBe('forbidden');
    expect((await cancel(member, made.json.id)).json.code).toBe('forbidden');
    const stranger = (await api.makeKey({ ...(await api.makeTenant('stranger')), role: 'admin' })).text;
    expect((await cancel(stranger, made.json.id)).json.code).toBe('not_found');
    expect((await cancel(admin, made.json.id)).json).toMatchObject({ state: 'cancelled', nodes: [] });
    expect((await cancel(admin, made.json.id)).json.code).toBe('conflict');
    expect((await list(member)).items).toEqual([]);
    expect((await list(member, '?all=true')).items).toHaveLength(1);
    const { items } = (await api.ask(admin, 'GET', '/v1/audit')).json;
    expect(items.map(({ action }: { action: string }) => action)).toContain('reservation.cancelled');
  });

  it('of a tenant’s own admin go as far as what it is guaranteed', async () => {
    const gpus = (count: number) => create(admin, { devices: { kind: 'gpu', count } });
    expect((await gpus(2)).json).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('guaranteed 0') });
    const quotas = [{ resource: 'gpu/H100', guaranteed: 2 }];
    await api.ask(api.adminKey, 'PUT', '/v1/quotas', { tenant: tenant.tenantId, quotas });
    const made = await gpus(2);
    expect(made.json).toMatchObject({ state: 'open', nodeCount: 1, wanted: { devices: { kind: 'gpu', model: null } } });
    expect((await gpus(1)).json.detail).toContain('4 × gpu');
    // What was refused has left nothing behind.
    expect((await list(admin)).items).toHaveLength(1);
    expect((await create(admin, { tenant: api.tenantId, nodes: 1 })).json.code).toBe('forbidden');
    await cancel(admin, made.json.id);
    // Two at once do not both find it unused.
    for (let round = 0; round < 5; round += 1) {
      const both = await Promise.all(
        ['red', 'blue'].map((rack) => create(admin, { devices: { kind: 'gpu', count: 2 }, labels: { rack } })),
      );
      expect(both.map(({ status }) => status).sort()).toEqual([201, 403]);
      await Promise.all(both.filter(({ status }) => status === 201).map(({ json }) => cancel(admin, json.id)));
    }
  });

  it('that do not fit, or make no sense, are refused with why', async () => {
    const wrong = async (body: object) => (await create(api.adminKey, { nodes: 1, ...body })).json;
    expect(await wrong({ nodes: 3 })).toMatchObject({
      code: 'reservation_conflict',
      detail: '3 nodes wanted; 2 nodes that are ready match, of which 2 are not reserved in that time.',
    });
    expect((await wrong({ labels: { rack: 'green' } })).code).toBe('reservation_conflict');
    expect(await wrong({ until: hours(-1) })).toMatchObject({ code: 'reservation_invalid' });
    expect((await wrong({ from: hours(5), until: hours(4) })).detail).toContain('later than');
    expect((await wrong({ until: hours(24 * 400) })).detail).toContain('366 days');
    expect((await wrong({ from: hours(24 * 700), until: hours(24 * 800) })).detail).toContain('two years');
    expect((await wrong({ until: 'tomorrow' })).issues).toMatchObject([{ at: '/until' }]);
    expect((await wrong({ nodes: 0 })).issues).toMatchObject([{ at: '/nodes' }]);
    expect((await wrong({ devices: { kind: 'gpu', count: 1 } })).issues).toMatchObject([{ at: '/nodes' }]);
    expect((await wrong({ labels: { 'a b': 'c' } })).code).toBe('invalid_body');
    expect((await wrong({ project: 'nowhere' })).code).toBe('not_found');
    expect((await wrong({ tenant: newId('tenant') })).code).toBe('not_found');
    expect((await list(api.adminKey, '?everybody=true')).items).toEqual([]);
  });
});
