/**
 * Every endpoint × who asks, from the contract table: nothing leaks, the foreign does not exist, and every answer is what
 * its schema says. An endpoint without a sample request here does not compile.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownBlobs } from '../../../../src/common/blobs/index.ts';
import { allRoutes, type Role, type Route, type RouteId, roles } from '../../../../src/common/contract/routes/index.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { makeKey } from '../../../../src/common/keys.ts';
import { until } from '../../../support/until.ts';
import { conforms } from './conformance.ts';
import { type Answer, startApi, type TestApi } from './harness.ts';

/** Stands in everything that tenant A owns; must never be seen by others. */
const marker = 'confidential-a';
const blob = Buffer.from(`bytes of ${marker}`);
const blobHash = createHash('sha256').update(blob).digest('hex');

interface Sample {
  /** What stands for the parameter, in the path or the query. */
  readonly of?:
    | 'tenant'
    | 'project'
    | 'notification'
    | 'secret'
    | 'reservation'
    | 'job'
    | 'key'
    | 'site'
    | 'node'
    | 'blob'
    | 'session'
    | 'user'
    | 'service'
    | 'ownKey';
  readonly query?: string;
  readonly body?: () => unknown;
  readonly headers?: Record<string, string>;
  /** Statuses beside the route's own that are right for whoever may ask. */
  readonly also?: readonly number[];
}

let counter = 0;
const unique = (prefix: string) => `${prefix}-${++counter}`;

const samples: Record<RouteId, Sample> = {
  submitJob: { body: () => ({ name: 'matrix', command: ['true'] }) },
  listJobs: {},
  getJob: { of: 'job' },
  cancelJob: { of: 'job', also: [409] },
  suspendJob: { of: 'job', also: [409] },
  resumeJob: { of: 'job', also: [409] },
  listQuotas: {},
  setQuota: { body: () => ({ project: 'default', weight: 2 }) },
  removeQuota: { query: '?project=default', also: [404] },
  getQueue: {},
  listReservations: {},
  // There are no nodes, which whoever may reserve is told.
  createReservation: { body: () => ({ name: 'demo', nodes: 1, until: '2999-01-01T00:00:00Z' }), also: [422] },
  cancelReservation: { of: 'reservation', also: [404] },
  getJobLogs: { of: 'job' },
  // The job does not run, which whoever may ask is told.
  getJobFiles: { of: 'job', query: '?path=x', also: [409] },
  putJobFiles: {
    of: 'job',
    query: '?path=x&entry=file',
    body: () => Buffer.from('x'),
    headers: { 'content-type': 'application/octet-stream' },
    also: [409],
  },
  listJobEvents: { of: 'job' },
  getJobMetrics: { of: 'job' },
  compareMetrics: { of: 'job', query: '?job=:id&name=loss' },
  getJobTelemetry: { of: 'job' },
  getNodeTelemetry: { of: 'node' },
  createLiveTicket: { body: () => ({}) },
  getUsage: {},
  listJobUsage: { query: `?id=${newId('job')}` },
  getOverview: {},
  createTenant: { body: () => ({ name: unique('tenant') }) },
  listTenants: {},
  updateTenant: { of: 'tenant', body: () => ({ name: unique('renamed') }) },
  createProject: { body: () => ({ name: unique('project') }) },
  listProjects: {},
  updateProject: { of: 'project', body: () => ({ name: unique('renamed') }) },
  removeProject: { of: 'project', also: [409] },
  createKey: { body: () => ({ name: unique('key'), role: 'viewer' }) },
  listKeys: {},
  revokeKey: { of: 'key' },
  whoami: {},
  createSession: { body: () => ({ key: 'sx_api_nonsense' }), also: [401] },
  listSessions: {},
  endSession: { also: [409] },
  revokeSession: { of: 'session', also: [404] },
  createLoginLink: { body: () => ({}) },
  mailLoginLink: { body: () => ({ email: 'nobody@example.com' }), also: [409] },
  getSignInOptions: {},
  beginOidc: { body: () => ({}), also: [409] },
  finishOidc: { body: () => ({ code: 'x', state: 'x' }), also: [409] },
  listOwnTenants: {},
  switchTenant: { body: () => ({ tenantId: newId('tenant') }), also: [409] },
  listUsers: {},
  inviteUser: { body: () => ({ email: `${unique('invited')}@example.com` }) },
  renewInvitation: { of: 'user', body: () => ({}) },
  updateUser: { of: 'user', body: () => ({ role: 'viewer' }) },
  disableUser: { of: 'user' },
  enableUser: { of: 'user' },
  getInvitation: { body: () => ({ link: 'sx_invite_nonsense' }), also: [410] },
  acceptInvitation: { body: () => ({ link: 'sx_invite_nonsense' }), also: [410] },
  listServiceAccounts: {},
  createServiceAccount: { body: () => ({ name: unique('service') }) },
  rotateServiceAccount: { of: 'service', body: () => ({}) },
  listOwnKeys: {},
  createOwnKey: { body: () => ({ name: unique('own') }), also: [409] },
  revokeOwnKey: { of: 'ownKey', also: [404] },
  createSite: { body: () => ({ name: unique('site'), latitude: 52.5, longitude: 13.4, deviceUsdPerHour: '2.49' }) },
  listSites: {},
  getSite: { of: 'site' },
  updateSite: { of: 'site', body: () => ({ pue: 1.2 }) },
  listNodes: {},
  getNode: { of: 'node' },
  cordonNode: { of: 'node' },
  uncordonNode: { of: 'node' },
  drainNode: { of: 'node' },
  removeNode: { of: 'node', body: () => ({}) },
  listDevices: {},
  planMoves: {},
  setSecret: { of: 'secret', body: () => ({ value: unique('value'), project: 'default' }) },
  listSecrets: {},
  removeSecret: { of: 'secret', query: '?project=default', also: [404] },
  rotateSecretsKey: { body: () => ({}) },
  createNotificationChannel: { body: () => ({ name: unique('channel'), recipients: ['ada@example.com'] }) },
  listNotificationChannels: {},
  updateNotificationChannel: { of: 'notification', body: () => ({ enabled: false }), also: [404] },
  removeNotificationChannel: { of: 'notification', also: [404] },
  testNotificationChannel: { of: 'notification', also: [404] },
  listNotificationDeliveries: {},
  replayNotificationDelivery: { of: 'notification', also: [404] },
  listAudit: {},
  getAuditHead: {},
  listAuditSeals: {},
  putBlob: { of: 'blob', body: () => blob, headers: { 'content-type': 'application/octet-stream' } },
  headBlob: { of: 'blob' },
  getLiveness: {},
  getReadiness: {},
  getMetrics: {},
  getOpenapi: {},
};

/** What belongs to tenant A alone. A blob is shared by all who have its bytes, so putting it is no trespass. */
const owned = new Set(['project', 'job', 'key', 'blob', 'session', 'user', 'service', 'ownKey']);

let api: TestApi;
const ids = {
  notification: newId('notificationChannel') as string,
  reservation: newId('reservation') as string,
  secret: 'token',
  job: '',
  key: '',
  site: '',
  node: '',
  blob: blobHash,
  session: '',
  user: '',
  service: '',
  ownKey: '',
  tenant: '',
  project: '',
};
const keys: Record<'operator' | 'own' | 'foreign', Record<Role, string>> = {
  operator: { viewer: '', member: '', admin: '' },
  own: { viewer: '', member: '', admin: '' },
  foreign: { viewer: '', member: '', admin: '' },
};
let revokedKey = '';
/** Browser sessions of the operator's tenant, and one that has ended. */
const cookies: Record<Role, string> = { viewer: '', member: '', admin: '' };
let endedCookie = '';
const ownPage = { host: 'solyx.test', origin: 'http://solyx.test', 'sec-fetch-site': 'same-origin' };
const foreignPage = { ...ownPage, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
const cookieOf = async (key: string) =>
  String((await api.ask(null, 'POST', '/v1/sessions', { key }, ownPage)).headers['set-cookie']).split(';')[0]!;

beforeAll(async () => {
  // Every endpoint is asked by four strangers; how many tries they have is tested elsewhere.
  api = await startApi({ http: { strangerLimit: { perSecond: 1e6, burst: 1e6 } } });
  const { db } = api.database;
  const a = await api.makeTenant(`tenant-${marker}`);
  const b = await api.makeTenant('tenant-b');
  for (const role of roles) {
    keys.operator[role] = (await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role })).text;
    keys.own[role] = (await api.makeKey({ ...a, role })).text;
    keys.foreign[role] = (await api.makeKey({ ...b, role })).text;
  }
  const revoked = await api.makeKey({ ...a, role: 'admin' });
  revokedKey = revoked.text;
  const victim = await api.makeKey({ ...a, role: 'viewer' });
  ids.key = victim.id;
  const spec = { name: marker, command: ['true'], labels: { [marker]: marker }, env: { SECRET: marker } };
  ids.job = (await api.ask(keys.own.member, 'POST', '/v1/jobs', spec)).json.id;
  await api.ask(keys.own.admin, 'PUT', '/v1/secrets/token', { value: marker });
  ids.tenant = b.tenantId;
  ids.project = (await api.ask(keys.own.admin, 'POST', '/v1/projects', { name: `project-${marker}` })).json.id;
  const session = await api.ask(null, 'POST', '/v1/sessions', { key: keys.own.viewer }, { 'user-agent': marker });
  ids.session = session.json.keyId;
  for (const role of roles) cookies[role] = await cookieOf(keys.operator[role]);
  const ended = { ...ownPage, cookie: await cookieOf(keys.own.admin) };
  await api.ask(null, 'DELETE', '/v1/sessions/current', undefined, ended);
  endedCookie = ended.cookie;
  await until(
    'the session has ended',
    async () => (await api.ask(null, 'GET', '/v1/whoami', undefined, ended)).status === 401,
  );
  const invited = { email: `${marker}@example.com`, name: marker };
  ids.user = (await api.ask(keys.own.admin, 'POST', '/v1/users', invited)).json.user.id;
  const service = (await api.ask(keys.own.admin, 'POST', '/v1/service-accounts', { name: `service-${marker}` })).json;
  ids.service = service.account.id;
  ids.ownKey = service.key.id;
  ids.site = (await api.ask(api.adminKey, 'POST', '/v1/sites', { name: 'berlin' })).json.id;
  ids.node = newId('node');
  const device = newId('device');
  await withSystem(db, async (tx) => {
    await tx.query('update cmo_api_keys set revoked_at = now() where id = $1', [revoked.id]);
    await tx.query('update cmo_api_keys set name = $2 where id = $1', [victim.id, marker]);
    await tx.query(
      `insert into drm_nodes (id, site_id, name, backend, presence, isolation, facts, observed_cpu_milli, cpu_milli)
       values ($1, $2, 'node-1', 'agent', 'ready', '{sandbox}', '{"kernel": "operators-only"}', 8000, 8000)`,
      [ids.node, ids.site],
    );
    await tx.query(
      `insert into drm_devices (id, node_id, kind, vendor, model, local_index, uuid, memory_bytes, facts)
       values ($1, $2, 'gpu', 'nvidia', 'H100', 0, 'GPU-1', 85899345920, '{"pci": "operators-only"}')`,
      [device, ids.node],
    );
    await tx.query(
      `insert into drm_samples (subject_id, node_id, at, slot, data) values ($1, $2, now(), now(), '{"powerWatts": 300}')`,
      [device, ids.node],
    );
    await ownBlobs(tx, a.tenantId, [{ hash: blobHash, sizeBytes: blob.length }]);
  });
});
afterAll(() => api.close());

function ask(route: Route, key: string | null, headers?: Record<string, string>): Promise<Answer> {
  const sample = samples[route.id as RouteId];
  const url = `${route.path}${sample.query ?? ''}`.replace(/:\w+/, sample.of ? ids[sample.of] : '');
  return api.ask(key, route.method, url, sample.body?.(), { ...sample.headers, ...headers });
}

const guarded = allRoutes.filter((route) => route.access !== 'public');
const needs = (route: Route) => route.access as Exclude<Route['access'], 'public'>;
const suffices = (role: Role, route: Route) => roles.indexOf(role) >= roles.indexOf(needs(route).role);
const asserted = (answer: Answer) => ({ status: answer.status, code: answer.json?.code });

// Changes come last and removal last of all, so that every case finds what it asks for.
const order = (route: Route) =>
  route.id === 'removeNode' ? 2 : route.method === 'GET' || route.method === 'HEAD' ? 0 : 1;
const ordered = [...guarded].sort((x, y) => order(x) - order(y));

describe.each(ordered.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_name, route) => {
  const isHead = route.method === 'HEAD';
  const refused = (status: number, code: string) => (isHead ? { status, code: undefined } : { status, code });

  it('refuses nobody, nonsense, revoked keys and tokens of nodes', async () => {
    expect(asserted(await ask(route, null))).toEqual(refused(401, 'unauthenticated'));
    expect(asserted(await ask(route, 'sx_api_nonsense'))).toEqual(refused(401, 'unauthenticated'));
    expect(asserted(await ask(route, makeKey('api').text))).toEqual(refused(401, 'unauthenticated'));
    expect(asserted(await ask(route, makeKey('node').text))).toEqual(refused(401, 'unauthenticated'));
    expect(asserted(await ask(route, revokedKey))).toEqual(refused(401, 'key_revoked'));
  });

  it('refuses a browser session that has ended, and every request of another origin’s page', async () => {
    const ended = await ask(route, null, { ...ownPage, cookie: endedCookie });
    expect(asserted(ended)).toEqual(refused(401, 'session_ended'));
    const foreign = await ask(route, null, { ...foreignPage, cookie: cookies.admin });
    expect(asserted(foreign)).toEqual(refused(403, 'cross_origin'));
  });

  it('refuses a browser session whose role is too weak', async () => {
    for (const role of roles.filter((one) => !suffices(one, route))) {
      const answer = await ask(route, null, { ...ownPage, cookie: cookies[role] });
      expect(asserted(answer), role).toEqual(refused(403, 'forbidden'));
    }
  });

  it('shows a browser session of others nothing of tenant A', async () => {
    if (route.id === 'endSession') return;
    const answer = await ask(route, null, { ...ownPage, cookie: cookies.admin });
    const { of, also = [] } = samples[route.id as RouteId];
    const isForeign = of !== undefined && owned.has(of) && route.id !== 'putBlob' && route.id !== 'headBlob';
    expect(isForeign ? [404] : [route.status, ...also, 404, 409], route.id).toContain(answer.status);
    if (!isForeign) conforms(route, answer);
    if (route.id !== 'listTenants') expect(answer.text).not.toContain(marker);
  });

  it.each(roles)('refuses role %s where it is too weak or of no operator', async (role) => {
    for (const group of ['foreign', 'own', 'operator'] as const) {
      const allowed = suffices(role, route) && (group === 'operator' || !needs(route).operator);
      if (allowed) continue;
      expect(asserted(await ask(route, keys[group][role])), group).toEqual(refused(403, 'forbidden'));
    }
  });

  it.each(roles)('shows role %s of others nothing of tenant A', async (role) => {
    for (const group of ['foreign', 'operator'] as const) {
      const allowed = suffices(role, route) && (group === 'operator' || !needs(route).operator);
      if (!allowed) continue;
      const answer = await ask(route, keys[group][role]);
      const { of } = samples[route.id as RouteId];
      if (
        of !== undefined &&
        owned.has(of) &&
        route.id !== 'putBlob' &&
        !(route.id === 'headBlob' && answer.status === 200 && putBy.has(group))
      ) {
        expect(asserted(answer), group).toEqual(refused(404, 'not_found'));
      } else {
        expect([route.status, ...(samples[route.id as RouteId].also ?? [])], group).toContain(answer.status);
        conforms(route, answer);
      }
      if (route.id === 'putBlob') putBy.add(group);
      // The operator lists tenants by name; what they own stays theirs.
      if (route.id !== 'listTenants') expect(answer.text, group).not.toContain(marker);
      if (group === 'foreign') expect(answer.text).not.toContain('operators-only');
    }
  });

  it.each(roles)('answers role %s of the owner by its schema', async (role) => {
    if (!suffices(role, route) || needs(route).operator) return;
    const answer = await ask(route, keys.own[role]);
    expect([route.status, ...(samples[route.id as RouteId].also ?? [])]).toContain(answer.status);
    conforms(route, answer);
  });
});

const putBy = new Set<string>();

describe('public endpoints', () => {
  it('say nothing that needs a key', async () => {
    for (const route of allRoutes.filter(({ access }) => access === 'public')) {
      const answer = await ask(route, null);
      expect([route.status, ...(samples[route.id as RouteId].also ?? [])], route.id).toContain(answer.status);
      conforms(route, answer);
      if (route.answer === 'none' && answer.status < 400) expect(answer.text).toBe('');
      expect(answer.text).not.toContain(marker);
    }
  });
});
