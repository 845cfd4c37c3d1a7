/** Which channels the API takes. What becomes of them is tested in monitoring. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ webHookNetworks: ['10.9.0.0/16'] });
});
afterAll(() => api.close());

const create = (name: string, url: string) =>
  api.ask(api.adminKey, 'POST', '/v1/notifications/channels', { name, url });

it('refuses a web-hook to an address that none will ever go to, and says who can allow it', async () => {
  for (const url of ['http://10.0.0.1/', 'http://[::1]/', 'http://169.254.169.254/', 'http://2130706433/']) {
    const { status, json } = await create('inside', url);
    expect([status, json.code, json.issues[0].at]).toEqual([422, 'invalid_body', '/url']);
    expect(json.issues[0].message).toMatch(/is no address of the public internet; the operator can allow its network/);
  }
  const { json } = await api.ask(api.adminKey, 'GET', '/v1/notifications/channels');
  expect(json.items).toEqual([]);
});

it('takes a network that the operator allowed, and names, which are looked up at each call', async () => {
  expect((await create('allowed', 'http://10.9.0.1/')).status).toBe(201);
  expect((await create('named', 'https://localhost/')).status).toBe(201);
});
