import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordVerdicts } from '../../../../../src/cmo/jobs/index.ts';
import type { JobSummary } from '../../../../../src/common/contract/live.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { pruneEvents } from '../../../../../src/common/events/index.ts';
import { type ListeningApi, type RawLive, startListeningApi } from './support/listening-api.ts';

let api: ListeningApi;

beforeAll(async () => {
  api = await startListeningApi();
});
afterAll(() => api.close());

const submit = async (name: string, key = api.adminKey, spec: object = {}): Promise<string> => {
  const answer = await api.ask(key, 'POST', '/v1/jobs', { name, command: ['true'], ...spec });
  expect(answer.status).toBe(201);
  return answer.json.id;
};
const cancel = (id: string, key = api.adminKey) => api.ask(key, 'POST', `/v1/jobs/${id}/cancel`);
const listed = async (query: string): Promise<JobSummary[]> =>
  (await api.ask(api.adminKey, 'GET', `/v1/jobs?${query}`)).json.items;

async function subscribed(params: Record<string, unknown>, key = api.adminKey): Promise<RawLive> {
  const live = await api.live(key);
  live.say({ op: 'subscribe', id: 's', topic: 'jobs', params });
  await live.next('s', 'a snapshot', ({ type }) => type === 'snapshot');
  return live;
}

/** Waits for a row in a delta. What the snapshot showed may be told once more before what follows, so it is said what is waited for. */
const row = async (live: RawLive, id: string, is: (job: JobSummary) => boolean = () => true): Promise<JobSummary> => {
  const delta = await live.next('s', `row ${id}`, ({ type, data }) =>
    Boolean(type === 'delta' && data.put?.some((job: JobSummary) => job.id === id && is(job))),
  );
  return delta.data.put.find((job: JobSummary) => job.id === id && is(job));
};

describe('a list', () => {
  test('begins with the newest page and tells how its rows change', async () => {
    const id = await submit('one');
    const live = await subscribed({ namePrefix: 'one' });
    const [snapshot] = live.of('s');
    expect(snapshot).toMatchObject({ type: 'snapshot', data: { items: await listed('namePrefix=one') } });
    await cancel(id);
    const told = await row(live, id, ({ state }) => state === 'cancelled');
    expect(told).toEqual((await listed('namePrefix=one'))[0]);
    live.close();
  });

  test('counts jobs that belong into it instead of sending them', async () => {
    const shown = await submit('fresh-1');
    const live = await subscribed({ namePrefix: 'fresh' });
    const added = await submit('fresh-2');
    await submit('elsewhere');
    const delta = await live.next('s', 'a count', ({ data }) => data.fields?.fresh === 1);
    expect(delta.data.put).toBeUndefined();
    live.say({ op: 'watch', id: 's', ids: [shown, added] });
    expect((await row(live, added)).name).toBe('fresh-2');
    live.close();
  });

  test('keeps a row that its filter no longer holds for, with the state that it has', async () => {
    const id = await submit('filtered');
    const live = await subscribed({ namePrefix: 'filtered', state: ['queued'] });
    await cancel(id);
    expect(await row(live, id, ({ state }) => state === 'cancelled')).toBeDefined();
    live.close();
  });

  test('is told of a verdict, which is no event and raises no revision', async () => {
    const id = await submit('waits');
    const live = await subscribed({ namePrefix: 'waits' });
    const verdict = { jobId: id as never, reason: 'insufficient_capacity', detail: { message: 'no room' } } as const;
    await withSystem(api.database.db, (tx) => recordVerdicts(tx, [verdict]));
    const job = await row(live, id, ({ pending }) => pending?.reason === 'insufficient_capacity');
    expect(job).toMatchObject({ revision: '1', pending: { message: 'no room' } });
    live.close();
  });

  test('takes filters as the list endpoint has them, and says what is wrong with others', async () => {
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 's', topic: 'jobs', params: { state: ['asleep'], label: ['nonsense'] } });
    const refused = await live.next('s', 'an error', ({ type }) => type === 'error');
    expect(refused.error).toMatchObject({ code: 'invalid_query', status: 422 });
    expect(refused.error.issues.map(({ at }: { at: string }) => at)).toEqual(['/state/0', '/label/0']);
    live.close();
  });

  test('of one tenant never has a job of another, even when it is asked for by its id', async () => {
    const other = await api.makeTenant('other');
    const key = (await api.makeKey({ ...other, role: 'admin' })).text;
    const theirs = await submit('secret', key);
    const live = await subscribed({ ids: [theirs] });
    live.say({ op: 'watch', id: 's', ids: [theirs] });
    await cancel(theirs, key);
    const mine = await submit('marker');
    live.say({ op: 'watch', id: 's', ids: [theirs, mine] });
    await row(live, mine);
    expect(JSON.stringify(live.received)).not.toContain('secret');
    live.close();
  });
});

describe('a subscription that was away', () => {
  test('gets what it missed and nothing else', async () => {
    const [changed, same] = [await submit('away-1'), await submit('away-2')];
    await cancel(same);
    const live = await subscribed({ namePrefix: 'away' });
    const { cursor } = live.of('s')[0] as { cursor: string };
    live.close();
    await cancel(changed);
    const added = await submit('away-3');

    const back = await api.live(api.adminKey);
    const params = { namePrefix: 'away', ids: [changed, same] };
    back.say({ op: 'subscribe', id: 's', topic: 'jobs', params, since: cursor });
    const first = await back.next('s', 'an answer', () => true);
    expect(first).toMatchObject({ type: 'delta', data: { fields: { fresh: 1 } } });
    expect(first.data.put).toEqual((await listed('namePrefix=away')).filter(({ id }) => id === changed));
    await cancel(added);
    await cancel(same);
    back.close();
  });

  test('is told that it is up to date when nothing happened', async () => {
    const id = await submit('calm');
    await cancel(id);
    const live = await subscribed({ namePrefix: 'calm' });
    const { cursor } = live.of('s')[0] as { cursor: string };
    live.say({ op: 'subscribe', id: 't', topic: 'jobs', params: { namePrefix: 'calm', ids: [id] }, since: cursor });
    expect(await live.next('t', 'an answer', () => true)).toMatchObject({ type: 'delta', data: {} });
    live.close();
  });

  test.each([
    ['not one of ours', 'nonsense'],
    ['from another database', '900000000:900000001:900000000'],
    ['that the database cannot read', '9:3:'],
    ['that is too long', `1:9999:${Array.from({ length: 4_000 }, (_, index) => index + 1).join(',')}`],
  ])('begins anew with a cursor %s', async (_what, since) => {
    const id = await submit('anew');
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 's', topic: 'jobs', params: { ids: [id] }, since });
    await live.next('s', 'a snapshot', ({ type }) => type === 'snapshot');
    expect(
      live
        .of('s')
        .map(({ type }) => type)
        .slice(0, 2),
    ).toEqual(['reset', 'snapshot']);
    expect(live.of('s')[0]).toMatchObject({ reason: 'too_old' });
    live.close();
  });

  test('begins anew when what it missed was thrown away', async () => {
    const id = await submit('old');
    const live = await subscribed({ namePrefix: 'old' });
    const { cursor } = live.of('s')[0] as { cursor: string };
    await cancel(id);
    await withSystem(api.database.db, (tx) => tx.query(`update feed_events set at = now() - interval '99 days'`));
    await pruneEvents(api.database.db, 90);
    live.say({ op: 'subscribe', id: 't', topic: 'jobs', params: { ids: [id] }, since: cursor });
    await live.next('t', 'a snapshot', ({ type }) => type === 'snapshot');
    expect(live.of('t')[0]).toMatchObject({ type: 'reset', reason: 'too_old' });
    live.close();
  });
});
