import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPendingJobs } from '../../../../src/cmo/jobs/index.ts';
import { readAccounts } from '../../../../src/cmo/scheduler/index.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let tenant: { tenantId: string; projectId: string };
let admin = '';
let member = '';

beforeAll(async () => {
  api = await startApi();
  tenant = await api.makeTenant('research');
  admin = (await api.makeKey({ ...tenant, role: 'admin' })).text;
  member = (await api.makeKey({ ...tenant, role: 'member' })).text;
});
afterAll(() => api?.close());

const set = (key: string, body: object) => api.ask(key, 'PUT', '/v1/quotas', body);
const rows = async () =>
  (await readAccounts(api.database.db.system)).filter(({ id }) => id.startsWith(tenant.tenantId));

describe('quotas', () => {
  it('are nothing at first: the tenant alone, with weight 1', async () => {
    const { json } = await api.ask(member, 'GET', '/v1/quotas');
    expect(json.items).toMatchObject([
      { project: null, submitter: null, declared: false, weight: 1, quotas: [], uses: { jobs: 0 }, share: 0 },
    ]);
  });

  it('of a project are set by an admin of its tenant, and reach the rounds in thousandths', async () => {
    const quotas = [{ resource: 'gpu', guaranteed: 2.5, borrowLimit: 4 }];
    const body = { project: 'default', weight: 3, quotas, limits: { runningJobs: 7 } };
    expect((await set(admin, body)).json).toMatchObject({
      project: { id: tenant.projectId, name: 'default' },
      declared: true,
      weight: 3,
      quotas,
      limits: { runningJobs: 7, devices: null },
    });
    expect(await rows()).toMatchObject([
      {
        id: `${tenant.tenantId}/${tenant.projectId}`,
        weight: 3,
        quotas: [{ resource: 'gpu', guaranteed: 2500, borrowLimit: 4000 }],
        limits: { runningJobs: 7 },
      },
    ]);
    expect((await api.ask(admin, 'DELETE', '/v1/quotas?project=default')).status).toBe(204);
    expect(await rows()).toEqual([]);
    expect((await api.ask(admin, 'DELETE', '/v1/quotas?project=default')).json.code).toBe('not_found');
  });

  it('of a tenant as a whole are set by operators only', async () => {
    expect((await set(admin, { weight: 9 })).json.code).toBe('forbidden');
    expect((await set(admin, { tenant: api.tenantId, project: 'default' })).json.code).toBe('forbidden');
    expect((await api.ask(admin, 'GET', `/v1/quotas?tenant=${api.tenantId}`)).json.code).toBe('forbidden');
    const done = await set(api.adminKey, { tenant: tenant.tenantId, weight: 2 });
    expect(done.json).toMatchObject({ project: null, weight: 2 });
    expect((await api.ask(member, 'GET', '/v1/quotas')).json.items[0]).toMatchObject({ declared: true, weight: 2 });
    await api.ask(api.adminKey, 'DELETE', `/v1/quotas?tenant=${tenant.tenantId}`);
  });

  it('that make no sense are refused with where', async () => {
    const wrong = async (body: object) => (await set(admin, { project: 'default', ...body })).json;
    expect(await wrong({ weight: 0 })).toMatchObject({ code: 'invalid_body', issues: [{ at: '/weight' }] });
    const disk = await wrong({ quotas: [{ resource: 'disk', guaranteed: 1 }] });
    expect(disk).toMatchObject({ code: 'invalid_body', issues: [{ at: '/quotas/0/resource' }] });
    const twice = await wrong({
      quotas: [
        { resource: 'gpu/H100', guaranteed: 1 },
        { resource: 'gpu/h100', guaranteed: 2 },
      ],
    });
    expect(twice.code).toBe('quota_invalid');
    expect(twice.detail).toMatch(/two quotas for gpu\/h100/);
    expect((await wrong({ project: 'nowhere' })).code).toBe('not_found');
    expect((await wrong({ submitter: 'key_00000000000000000000000000' })).code).toBe('not_found');
    expect(await rows()).toEqual([]);
  });

  it('are budgets, too: dollars and energy of a day or month, with what is spent of them', async () => {
    const budgets = [
      { kind: 'usd', period: 'month', limitUsd: '500' },
      { kind: 'kwh', period: 'day', limitKwh: 2.5, onExhausted: 'stop' },
    ];
    const { json } = await set(admin, { project: 'default', budgets });
    expect(json.budgets).toMatchObject([
      { kind: 'kwh', period: 'day', onExhausted: 'stop', limitKwh: 2.5, spentKwh: 0 },
      { kind: 'usd', period: 'month', onExhausted: 'wait', limitUsd: '500.000000', spentUsd: '0.000000' },
    ]);
    const now = new Date();
    const tomorrow = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1);
    expect(Date.parse(json.budgets[0].renewsAt)).toBe(tomorrow);
    expect(Date.parse(json.budgets[1].renewsAt)).toBe(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
    expect((await rows())[0]!.limits!.budgets).toMatchObject([
      { kind: 'wattHours', period: 'day', limit: 2500, spent: 0, stop: true },
      { kind: 'microUsd', period: 'month', limit: 500_000_000, spent: 0 },
    ]);
    expect((await set(admin, { project: 'default' })).json.budgets).toEqual([]);
    const wrong = async (...list: object[]) => (await set(admin, { project: 'default', budgets: list })).json;
    expect(await wrong({ ...budgets[0], limitUsd: '-1' })).toMatchObject({ issues: [{ at: '/budgets/0/limitUsd' }] });
    expect((await wrong({ ...budgets[0], period: 'year' })).code).toBe('invalid_body');
    expect((await wrong({ ...budgets[0], kind: 'gco2e' })).code).toBe('invalid_body');
    expect((await wrong(budgets[0]!, { ...budgets[0], limitUsd: '1' })).detail).toContain(
      'two budgets for usd a month',
    );
    await api.ask(admin, 'DELETE', '/v1/quotas?project=default');
  });

  it('of one who submits count for all keys and sessions of a user', async () => {
    const service = (await api.ask(admin, 'POST', '/v1/service-accounts', { name: 'trainer' })).json;
    const done = await set(admin, { project: 'default', submitter: service.key.id, weight: 5 });
    expect(done.json).toMatchObject({ submitter: { id: service.account.id, name: 'trainer' }, weight: 5 });
    const job = (await api.ask(service.key.secret, 'POST', '/v1/jobs', { name: 'a', command: 'true' })).json;
    const [queued] = await readPendingJobs(api.database.db.system, [job.id]);
    expect(queued!.submittedBy).toBe(service.account.id);
  });
});

describe('the queue', () => {
  it('says how many wait for what, highest priority first', async () => {
    const { tenantId, projectId } = await api.makeTenant('queued');
    const key = (await api.makeKey({ tenantId, projectId, role: 'member' })).text;
    const submit = async (name: string, priority: number) =>
      (await api.ask(key, 'POST', '/v1/jobs', { name, command: 'true', priority })).json.id;
    const low = await submit('low', -5);
    const first = await submit('first', 3);
    const second = await submit('second', 3);
    const { json } = await api.ask(key, 'GET', '/v1/queue');
    expect(json).toMatchObject({ waiting: 3, reasons: [{ reason: 'new', jobs: 3 }] });
    expect(json.items.map(({ id, position }: { id: string; position: number }) => [position, id])).toEqual([
      [1, first],
      [2, second],
      [3, low],
    ]);
    await api.database.db.system.query(
      `update cmo_jobs set pending_reason = 'insufficient_capacity',
         pending_detail = '{"message": "Needs more.", "expectedAt": "2030-01-01T00:00:00.000Z"}' where id = $1`,
      [first],
    );
    const told = (await api.ask(key, 'GET', '/v1/queue')).json.items;
    expect(told[0]).toMatchObject({ message: 'Needs more.', expectedAt: '2030-01-01T00:00:00.000Z' });
    expect(told[1]).toMatchObject({ message: null, expectedAt: null, ahead: null });
    expect((await api.ask(key, 'GET', '/v1/queue?limit=1')).json).toMatchObject({ waiting: 3, items: [{ id: first }] });
    expect((await api.ask(member, 'GET', '/v1/queue')).json.items.map(({ id }: { id: string }) => id)).not.toContain(
      low,
    );
  });
});
