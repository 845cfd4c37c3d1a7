/** Tenants and projects get other names; a project that nothing belongs to can be deleted, and no other. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bootstrap } from '../../../../src/cmo/api/index.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { until } from '../../../support/until.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let key = '';
let own: { tenantId: string; projectId: string };
let project = '';
let count = 0;

beforeAll(async () => {
  api = await startApi();
  own = await api.makeTenant('own');
  key = (await api.makeKey({ ...own, role: 'admin' })).text;
});
afterAll(() => api.close());
beforeEach(async () => {
  count += 1;
  project = (await ask('POST', '/v1/projects', { name: `project-${count}` })).json.id;
});

const ask = (method: string, url: string, body?: unknown, by = key) => api.ask(by, method, url, body);
const remove = () => ask('DELETE', `/v1/projects/${project}`);
const names = async () =>
  (await ask('GET', '/v1/projects')).json.items.map(({ name }: { name: string }) => name) as string[];
const actions = async (by = key) =>
  (await ask('GET', '/v1/audit', undefined, by)).json.items.map(({ action }: { action: string }) => action) as string[];

describe('another name', () => {
  it('of a project is that of its jobs; specs that name the old one are refused, with the place', async () => {
    const job = await ask('POST', '/v1/jobs', { name: 'j', command: ['true'], project: `project-${count}` });
    const renamed = await ask('PATCH', `/v1/projects/${project}`, { name: 'vision' });
    expect(renamed).toMatchObject({ status: 200, json: { id: project, name: 'vision' } });
    expect((await ask('GET', `/v1/jobs/${job.json.id}`)).json.project).toEqual({ id: project, name: 'vision' });
    const late = await ask('POST', '/v1/jobs', { name: 'j', command: ['true'], project: `project-${count}` });
    expect(late).toMatchObject({ status: 422, json: { issues: [{ at: '/project' }] } });
    expect((await ask('PATCH', `/v1/projects/${project}`, { name: 'vision' })).status).toBe(200);
    expect(await actions()).toContain('project.renamed');
  });

  it('that another project has, or that is none, is refused', async () => {
    expect(await ask('PATCH', `/v1/projects/${project}`, { name: 'default' })).toMatchObject({
      status: 409,
      json: { code: 'already_exists' },
    });
    expect((await ask('PATCH', `/v1/projects/${project}`, { name: '<b>' })).status).toBe(422);
    expect((await ask('PATCH', `/v1/projects/${newId('project')}`, { name: 'x' })).status).toBe(404);
    expect(await names()).toContain(`project-${count}`);
  });

  it('of a tenant is for the operator to give, and shows at once with every key', async () => {
    const path = `/v1/tenants/${own.tenantId}`;
    expect((await ask('PATCH', path, { name: 'mine' })).status).toBe(403);
    await api.makeTenant('taken');
    const taken = await ask('PATCH', path, { name: 'taken' }, api.adminKey);
    expect(taken).toMatchObject({ status: 409, json: { code: 'already_exists' } });
    expect((await ask('PATCH', path, { name: 'acme' }, api.adminKey)).json).toMatchObject({ name: 'acme' });
    await until('the key says so', async () => (await ask('GET', '/v1/whoami')).json.tenant.name === 'acme');
    expect(await actions(api.adminKey)).toContain('tenant.renamed');
  });

  it('of the first project is no reason for the next start to make a second one', async () => {
    await ask('PATCH', `/v1/projects/${api.projectId}`, { name: 'research' }, api.adminKey);
    const again = await bootstrap(api.database.db, { home: api.home });
    expect(again).toMatchObject({ projectId: api.projectId, keyMade: false });
  });
});

describe('deleting a project', () => {
  it('that nothing belongs to is done and in the audit log; keys that open nothing any more do not keep it', async () => {
    const old = await api.makeKey({ tenantId: own.tenantId, projectId: project, role: 'member' });
    expect(await remove()).toMatchObject({
      status: 409,
      json: { code: 'conflict', detail: expect.stringContaining('keys that are not revoked') },
    });
    await ask('POST', `/v1/keys/${old.id}/revoke`);
    expect((await remove()).status).toBe(204);
    expect(await names()).not.toContain(`project-${count}`);
    expect((await remove()).status).toBe(404);
    expect(await actions()).toContain('project.removed');
    expect((await ask('GET', '/v1/keys')).json.items.map(({ id }: { id: string }) => id)).toContain(old.id);
  });

  it.each([
    ['jobs', () => ask('POST', '/v1/jobs', { name: 'j', command: ['true'], project: `project-${count}` })],
    ['secrets', () => ask('PUT', '/v1/secrets/token', { value: 'x', project: `project-${count}` })],
    ['people or service', () => ask('POST', '/v1/users', { email: 'ann@example.org', project: `project-${count}` })],
    ['a share or quota', () => ask('PUT', '/v1/quotas', { project: `project-${count}`, weight: 2 })],
  ])('that has %s is refused, and says so', async (what, give) => {
    expect((await give()).status).toBeLessThan(300);
    const refused = await remove();
    expect(refused).toMatchObject({ status: 409, json: { code: 'conflict' } });
    expect(refused.json.detail).toContain(what);
    expect(await names()).toContain(`project-${count}`);
  });

  it('waits for a job that is just being submitted to it, and is refused then', async () => {
    await ask('POST', '/v1/jobs', { name: 'seed', command: ['true'] });
    let refused: Promise<{ status: number }> | undefined;
    await withSystem(api.database.db, async (tx) => {
      const columns = await tx.query<{ all: string }>(
        `select string_agg(quote_ident(column_name), ', ') as all from information_schema.columns
         where table_name = 'cmo_jobs' and is_generated = 'NEVER' and column_name not in ('id', 'project')`,
      );
      const { all } = columns.rows[0]!;
      await tx.query(
        `insert into cmo_jobs (id, project, ${all}) select $1, $2, ${all} from cmo_jobs where tenant = $3 limit 1`,
        [newId('job'), project, own.tenantId],
      );
      refused = remove();
      await until('it waits', async () => {
        const { rows } = await api.database.db.system.query<{ n: number }>(
          `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted`,
        );
        return rows[0]!.n > 0;
      });
    });
    expect((await refused!).status).toBe(409);
  });
});
