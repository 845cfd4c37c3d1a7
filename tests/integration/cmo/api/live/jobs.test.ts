import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ListeningApi, startListeningApi } from './support/listening-api.ts';

let api: ListeningApi;

beforeAll(async () => {
  api = await startListeningApi();
});
afterAll(() => api.close());

const spec = (name: string) => ({ name, command: ['true'] });
const submit = async (name: string, key = api.adminKey): Promise<string> =>
  (await api.ask(key, 'POST', '/v1/jobs', spec(name))).json.id;

test('a list begins with the newest page and tells how its rows change', async () => {
  const id = await submit('one');
  const live = await api.live(api.adminKey);
  live.say({ op: 'subscribe', id: 's', topic: 'jobs', params: { namePrefix: 'one' } });
  const snapshot = await live.next('s', 'a snapshot', ({ type }) => type === 'snapshot');
  expect(snapshot.data.items.map((job: { id: string }) => job.id)).toEqual([id]);
  await api.ask(api.adminKey, 'POST', `/v1/jobs/${id}/cancel`);
  const delta = await live.next('s', 'the cancelled row', ({ type, data }) => type === 'delta' && data.put);
  expect(delta.data.put).toEqual([(await api.ask(api.adminKey, 'GET', `/v1/jobs?namePrefix=one`)).json.items[0]]);
  expect(delta.data.put[0]).toMatchObject({ id, state: 'cancelled' });
  live.close();
});
