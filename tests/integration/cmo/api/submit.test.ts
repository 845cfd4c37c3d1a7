import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../../src/common/database/index.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ poolSize: 16 });
});
afterAll(() => api.close());

const spec = { name: 'train', command: ['true'] };
const submit = (body: unknown, headers?: Record<string, string>, query = '') =>
  api.ask(api.adminKey, 'POST', `/v1/jobs${query}`, body, headers);

async function countJobs(name: string): Promise<number> {
  const { rows } = await withSystem(api.database.db, (tx) =>
    tx.query<{ n: number }>('select count(*)::int as n from cmo_jobs where name = $1', [name]),
  );
  return rows[0]!.n;
}

describe('submitting a job', () => {
  it('refuses what would not fit into a frame to its node, and arrays that would fill the disk', async () => {
    const texts = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x'.repeat(32_000)]));
    const large = await submit({ ...spec, env: texts(17) });
    expect(large.json).toMatchObject({ status: 422, code: 'job_spec_invalid', issues: [{ at: '' }] });
    const many = await submit({ ...spec, env: texts(2), array: { count: 10_000 } });
    expect(many.json).toMatchObject({ code: 'job_spec_invalid', issues: [{ at: '/array/count' }] });
    expect((await submit({ ...spec, env: texts(15), array: { count: 2 } }, {}, '?dryRun=true')).status).toBe(201);
  });

  it('answers 201 with the id of a queued job that can be read and listed', async () => {
    const made = await submit({ ...spec, labels: { team: 'nlp' } });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      state: 'queued',
      count: 1,
      arrayId: null,
      dryRun: false,
      project: { name: 'default' },
    });
    const job = await api.ask(api.adminKey, 'GET', `/v1/jobs/${made.json.id}`);
    expect(job.status).toBe(200);
    expect(job.json).toMatchObject({
      id: made.json.id,
      state: 'queued',
      pending: { reason: 'new' },
      attempts: [],
      usage: { costUsd: '0.000000', open: false },
      timeline: [{ kind: 'job.queued' }],
    });
    const list = await api.ask(api.adminKey, 'GET', '/v1/jobs?label=team:nlp&state=queued&namePrefix=tr');
    expect(list.json.items.map((item: { id: string }) => item.id)).toEqual([made.json.id]);
  });

  it('wakes the scheduler after the commit', async () => {
    let woken = 0;
    const off = api.deps.wake.on('scheduler', () => {
      woken += 1;
    });
    await submit(spec);
    off();
    expect(woken).toBe(1);
  });

  it('takes YAML of the same schema', async () => {
    const yaml = 'name: from-yaml\ncommand: ["sh", "-c", "echo hi"]\nresources: { memory: 64MiB }\n';
    const made = await submit(yaml, { 'content-type': 'application/yaml' });
    expect(made.status).toBe(201);
    expect(await countJobs('from-yaml')).toBe(1);
  });

  it('makes every task of an array or none', async () => {
    const made = await submit({ name: 'many', command: ['true'], array: { count: 25 } });
    expect(made.json).toMatchObject({ count: 25 });
    expect(made.json.arrayId).toMatch(/^arr_/);
    const first = await api.ask(api.adminKey, 'GET', `/v1/jobs?arrayId=${made.json.arrayId}&limit=10`);
    const second = await api.ask(
      api.adminKey,
      'GET',
      `/v1/jobs?arrayId=${made.json.arrayId}&limit=100&cursor=${first.json.nextCursor}`,
    );
    expect(first.json.items).toHaveLength(10);
    expect(second.json.items).toHaveLength(15);
    expect(second.json.nextCursor).toBeNull();
    const indexes = [...first.json.items, ...second.json.items].map((item: { arrayIndex: number }) => item.arrayIndex);
    expect(indexes.sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index));
  });

  it('makes nothing in a dry run and says what would happen', async () => {
    const dry = await submit({ ...spec, name: 'dry' }, {}, '?dryRun=true');
    expect(dry.status).toBe(201);
    expect(dry.json).toMatchObject({ id: null, dryRun: true, verdict: { startsNow: true } });
    expect(await countJobs('dry')).toBe(0);
  });
});

describe('a spec that is refused', () => {
  it.each([
    ['an unknown field', { ...spec, memory: '4GiB' }, 'job_spec_invalid', '/memory'],
    ['an unknown field inside', { ...spec, resources: { cpus: 2 } }, 'job_spec_invalid', '/resources/cpus'],
    ['a wrong amount', { ...spec, resources: { memory: 'lots' } }, 'job_spec_invalid', '/resources/memory'],
    [
      'a wrong device',
      { ...spec, resources: { devices: [{ kind: 'gpu', count: 0 }] } },
      'job_spec_invalid',
      '/resources/devices/0/count',
    ],
    ['a secret', { ...spec, secrets: [{ name: 'token', env: 'TOKEN' }] }, 'secret_missing', '/secrets/0/name'],
    ['a name that is no image', { ...spec, image: 'Not An Image' }, 'job_spec_invalid', '/image'],
    ['an archive on the own machine', { ...spec, image: 'oci-archive:app.tar' }, 'bundle_missing', '/image'],
    [
      'an image that was not uploaded',
      { ...spec, image: `oci-archive:sha256:${'a'.repeat(64)}` },
      'bundle_missing',
      '/image',
    ],
    ['a container without an image', { ...spec, isolation: 'container' }, 'job_spec_invalid', '/image'],
    [
      'credentials of an image that is in no registry',
      { ...spec, image: 'rootfs:/srv/x', imageCredentials: { secret: 'pull' } },
      'job_spec_invalid',
      '/imageCredentials',
    ],
    [
      "the secret of an image's registry",
      { ...spec, image: 'ghcr.io/a/b', imageCredentials: { secret: 'pull' } },
      'secret_missing',
      '/imageCredentials/secret',
    ],
    ['a virtual machine', { ...spec, isolation: 'vm' }, 'job_feature_unsupported', '/isolation'],
    [
      'a bundle that was not uploaded',
      { ...spec, workingDirectory: { bundle: 'a'.repeat(64) } },
      'bundle_missing',
      '/workingDirectory/bundle',
    ],
    ['a folder', { ...spec, workingDirectory: './here' }, 'bundle_missing', '/workingDirectory'],
    ['an unknown project', { ...spec, project: 'nowhere' }, 'job_spec_invalid', '/project'],
  ])('names the place of %s', async (_what, body, code, at) => {
    const answer = await submit(body);
    expect(answer.status).toBe(422);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json).toMatchObject({ code, issues: [{ at }] });
    expect(answer.json.instance).toBe(answer.headers['x-request-id']);
  });

  it('names line and column of broken YAML', async () => {
    const answer = await submit('name: x\ncommand: [a, b\n', { 'content-type': 'application/yaml' });
    expect(answer.json).toMatchObject({ status: 422, code: 'invalid_yaml' });
    expect(answer.json.detail).toMatch(/Line \d+, column \d+/);
  });
});

describe('an Idempotency-Key', () => {
  it('gives 200 requests at once one job and one answer', async () => {
    const body = { name: 'once', command: ['true'] };
    const answers = await Promise.all(Array.from({ length: 200 }, () => submit(body, { 'idempotency-key': 'k-once' })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(199);
    expect(await countJobs('once')).toBe(1);
  });

  it('is refused for another body', async () => {
    await submit({ name: 'first', command: ['true'] }, { 'idempotency-key': 'k-two' });
    const other = await submit({ name: 'second', command: ['true'] }, { 'idempotency-key': 'k-two' });
    expect(other).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } });
    expect(await countJobs('second')).toBe(0);
  });

  it('of another tenant is another key', async () => {
    const tenant = await api.makeTenant('idempotent');
    const key = await api.makeKey({ ...tenant, role: 'member' });
    const mine = await submit({ name: 'shared', command: ['true'] }, { 'idempotency-key': 'k-shared' });
    const theirs = await api.ask(
      key.text,
      'POST',
      '/v1/jobs',
      { name: 'shared', command: ['true'] },
      { 'idempotency-key': 'k-shared' },
    );
    expect(theirs.status).toBe(201);
    expect(theirs.json.id).not.toBe(mine.json.id);
  });
});
