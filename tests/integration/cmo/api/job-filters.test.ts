import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../support/until.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const submit = async (key: string, name: string): Promise<string> => {
  const answer = await api.ask(key, 'POST', '/v1/jobs', {
    name,
    command: ['true'],
    resources: { cpu: 1, memory: '1GiB' },
  });
  expect(answer.text).toContain('"queued"');
  return answer.json.id;
};
const names = async (key: string, query: string): Promise<string[]> => {
  const answer = await api.ask(key, 'GET', `/v1/jobs?${query}`);
  return answer.json.items.map((job: { name: string }) => job.name);
};

/** An instant that is later than everything before and not later than everything after: ids carry milliseconds. */
const nextMillisecond = async (): Promise<string> => {
  const now = Date.now();
  return until('a millisecond has passed', () => (Date.now() > now ? new Date().toISOString() : null));
};

describe('lists of jobs', () => {
  it('are mine by whichever key or session of mine submitted them, and nobody else’s', async () => {
    const place = { tenantId: api.tenantId, projectId: api.projectId, role: 'member' };
    const mine = await api.makeKey(place);
    const other = await api.makeKey(place);
    await submit(mine.text, 'by-key');
    await submit(other.text, 'by-another');
    const session = await api.ask(
      null,
      'POST',
      '/v1/sessions',
      { key: mine.text },
      { host: 'solyx.test', origin: 'http://solyx.test' },
    );
    expect(session.status).toBe(201);
    const cookie = String([session.headers['set-cookie']].flat()[0]).split(';')[0]!;
    const headers = { host: 'solyx.test', origin: 'http://solyx.test', 'sec-fetch-site': 'same-origin', cookie };
    const spec = { name: 'by-session', command: ['true'], resources: { cpu: 1, memory: '1GiB' } };
    expect((await api.ask(null, 'POST', '/v1/jobs', spec, headers)).status).toBe(201);

    expect(await names(mine.text, 'mine=true')).toEqual(['by-session', 'by-key']);
    const seen = await api.ask(null, 'GET', '/v1/jobs?mine=true', undefined, headers);
    expect(seen.json.items.map((job: { name: string }) => job.name)).toEqual(['by-session', 'by-key']);
    expect(await names(other.text, 'mine=true')).toEqual(['by-another']);
  });

  it('of several states are one list, newest first, each job once', async () => {
    const { text: key } = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'member' });
    const ids: string[] = [];
    for (const name of ['first', 'second', 'third', 'fourth']) ids.push(await submit(key, name));
    for (const id of [ids[0], ids[2]])
      expect((await api.ask(key, 'POST', `/v1/jobs/${id}/cancel`)).status).toBeLessThan(300);
    const mine = (query: string) => names(key, `mine=true&${query}`);
    expect(await mine('state=queued')).toEqual(['fourth', 'second']);
    expect(await mine('state=cancelled&state=queued')).toEqual(['fourth', 'third', 'second', 'first']);
    expect(await mine('state=queued&state=queued&state=cancelled')).toEqual(['fourth', 'third', 'second', 'first']);
    expect(await mine('state=running&state=failed')).toEqual([]);
    const page = await api.ask(key, 'GET', '/v1/jobs?mine=true&state=queued&state=cancelled&limit=3');
    expect(page.json.items.map(({ name }: { name: string }) => name)).toEqual(['fourth', 'third', 'second']);
    expect(await mine(`state=queued&state=cancelled&limit=3&cursor=${page.json.nextCursor}`)).toEqual(['first']);
  });

  it('of mine page by keyset like all others', async () => {
    const { text: key } = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'member' });
    for (const name of ['one', 'two', 'three']) await submit(key, name);
    const first = await api.ask(key, 'GET', '/v1/jobs?mine=true&limit=2');
    expect(first.json.items.map((job: { name: string }) => job.name)).toEqual(['three', 'two']);
    expect(await names(key, `mine=true&limit=2&cursor=${first.json.nextCursor}`)).toEqual(['one']);
  });

  it('are those whose name begins so, also where a name could not end', async () => {
    await submit(api.adminKey, 'prefix-a');
    await submit(api.adminKey, 'prefixed');
    expect(await names(api.adminKey, 'namePrefix=prefix-')).toEqual(['prefix-a']);
    expect((await api.ask(api.adminKey, 'GET', '/v1/jobs?namePrefix=-x')).status).toBe(422);
  });

  it('are cut to an interval of time', async () => {
    const before = await nextMillisecond();
    await submit(api.adminKey, 'within');
    const after = await nextMillisecond();
    await submit(api.adminKey, 'later');
    expect(await names(api.adminKey, `from=${before}&to=${after}`)).toEqual(['within']);
    expect(await names(api.adminKey, `from=${after}`)).toEqual(['later']);
  });
});
