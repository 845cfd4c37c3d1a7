/** Who may open a live socket, and how long. */
import { request } from 'node:http';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthenticator, serveApi } from '../../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { liveProtocol, ticketProtocolPrefix } from '../../../../../src/common/contract/live.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { closeServer, createHttpServer } from '../../../../../src/common/http/index.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { until } from '../../../../support/until.ts';
import { type ListeningApi, RawLive, startListeningApi } from './support/listening-api.ts';

let api: ListeningApi;

beforeAll(async () => {
  api = await startListeningApi();
});
afterAll(() => api.close());

const withTicket = (ticket: string, headers: Record<string, string> = {}, origin = api.origin) =>
  new RawLive(origin, [liveProtocol, ticketProtocolPrefix + ticket], headers);
const newKey = (role: string) => api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role });

describe('a ticket', () => {
  test('opens one socket and no second', async () => {
    const ticket = await api.ticket(api.adminKey);
    const first = withTicket(ticket);
    await first.opened;
    expect(first.socket.protocol).toBe(liveProtocol);
    await expect(withTicket(ticket).opened).rejects.toThrow('401');
    first.close();
  });

  test('of two who show it at once opens one socket', async () => {
    const ticket = await api.ticket(api.adminKey);
    const both = await Promise.allSettled([withTicket(ticket).opened, withTicket(ticket).opened]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('opens a socket at another replica', async () => {
    const deps = { ...api.deps, metrics: new Registry() };
    const authenticate = makeAuthenticator(api.database.db, systemClock);
    const replica = await createHttpServer({ logger: silentLogger, clock: systemClock, authenticate });
    await serveApi(replica, deps);
    const origin = await replica.listen({ host: '127.0.0.1', port: 0 });
    const live = withTicket(await api.ticket(api.adminKey), {}, origin);
    await live.opened;
    live.close();
    await closeServer(replica, 1_000);
  });

  test('is too old after a minute', async () => {
    const ticket = await api.ticket(api.adminKey);
    await withSystem(api.database.db, (tx) =>
      tx.query(`update cmo_live_tickets set expires_at = expires_at - interval '61 seconds'`),
    );
    await expect(withTicket(ticket).opened).rejects.toThrow('401');
  });

  test('of another purpose does not open it, and is not spent', async () => {
    const ticket = await api.ticket(api.adminKey, { purpose: 'exec' });
    await expect(withTicket(ticket).opened).rejects.toThrow('401');
    const { rows } = await api.database.db.system.query(`select from cmo_live_tickets where purpose = 'exec'`);
    expect(rows).toHaveLength(1);
  });

  test('for a shell is not for viewers', async () => {
    const { text } = await newKey('viewer');
    expect((await api.ask(text, 'POST', '/v1/live/tickets', { purpose: 'exec' })).status).toBe(403);
    expect((await api.ask(text, 'POST', '/v1/live/tickets', { purpose: 'live' })).status).toBe(201);
  });

  test('is kept as a hash only', async () => {
    const ticket = await api.ticket(api.adminKey);
    const { rows } = await api.database.db.system.query('select t::text from cmo_live_tickets t');
    expect(JSON.stringify(rows)).not.toContain(ticket);
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(ticket).toString('hex'));
  });

  test('of a key that was revoked meanwhile opens nothing', async () => {
    const key = await newKey('member');
    const ticket = await api.ticket(key.text);
    await api.ask(api.adminKey, 'POST', `/v1/keys/${key.id}/revoke`);
    await expect(withTicket(ticket).opened).rejects.toThrow('401');
  });

  test('is one of at most a hundred that a key may leave unused', async () => {
    const { text } = await newKey('member');
    const made = await Promise.all(Array.from({ length: 110 }, () => api.ask(text, 'POST', '/v1/live/tickets', {})));
    const refused = made.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(made.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(100);
  });
});

describe('a socket', () => {
  test('is opened by a program with its API key, and not by a guess', async () => {
    const live = new RawLive(api.origin, [], { authorization: `Bearer ${api.adminKey}` });
    await live.opened;
    await until('a mark', () => live.received.some(({ type }) => type === 'mark'));
    live.close();
    await expect(new RawLive(api.origin, []).opened).rejects.toThrow('401');
    await expect(new RawLive(api.origin, [], { authorization: 'Bearer sx_api_x' }).opened).rejects.toThrow('401');
  });

  test('is not opened by a cookie: a browser would send that from any page', async () => {
    const headers = { cookie: `solyx=${api.adminKey}`, origin: api.origin };
    await expect(new RawLive(api.origin, [liveProtocol], headers).opened).rejects.toThrow('401');
  });

  test('is not opened from a page of another origin', async () => {
    for (const origin of ['http://evil.example', api.origin.replace(/\d+$/, '1'), 'null', 'file://']) {
      const ticket = await api.ticket(api.adminKey);
      await expect(withTicket(ticket, { origin }).opened, origin).rejects.toThrow('403');
    }
    const own = withTicket(await api.ticket(api.adminKey), { origin: api.origin });
    await own.opened;
    own.close();
  });

  test('needs the protocol to be spoken when one is offered', async () => {
    const ticket = await api.ticket(api.adminKey);
    const live = new RawLive(api.origin, ['something.else', ticketProtocolPrefix + ticket]);
    await expect(live.opened).rejects.toThrow();
  });

  test('is closed within a second when its key is revoked', async () => {
    const key = await newKey('member');
    const live = await api.live(key.text);
    const bystander = await api.live(api.adminKey);
    // Straight in the database: no wake-up of this process tells of it.
    const began = performance.now();
    await withSystem(api.database.db, (tx) =>
      tx.query('update cmo_api_keys set revoked_at = now() where id = $1', [key.id]),
    );
    await until('the socket is closed', () => live.closed);
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(live.closed).toEqual({ code: 4401 });
    expect(bystander.closed).toBeUndefined();
    bystander.close();
  });

  test('is closed when its role changes', async () => {
    const key = await newKey('member');
    const live = await api.live(key.text);
    await withSystem(api.database.db, (tx) =>
      tx.query(`update cmo_api_keys set role = 'viewer' where id = $1`, [key.id]),
    );
    await until('the socket is closed', () => live.closed);
    expect(live.closed).toEqual({ code: 4401 });
  });

  test.each([
    ['no JSON', '{'],
    ['no message', '[]'],
    ['an unknown word', '{"op":"drop","id":"x"}'],
    ['a field too many', '{"op":"unsubscribe","id":"x","force":true}'],
    ['an id with a line break', '{"op":"unsubscribe","id":"a\\nb"}'],
    ['bytes', Buffer.from([1, 2, 3])],
  ])('is closed when it says %s', async (_what, text) => {
    const live = await api.live(api.adminKey);
    live.socket.send(text);
    await until('the socket is closed', () => live.closed);
    expect(live.closed).toEqual({ code: 4400 });
  });

  test('is closed when a message is longer than allowed, or there are too many', async () => {
    const long = await api.live(api.adminKey);
    long.socket.send(JSON.stringify({ op: 'unsubscribe', id: 'x'.repeat(70_000) }));
    await until('the socket is closed', () => long.closed);
    expect(long.closed).toEqual({ code: 1009 });
    const chatty = await api.live(api.adminKey);
    for (let index = 0; index < 400; index += 1) chatty.socket.send('{"op":"unsubscribe","id":"x"}');
    await until('the socket is closed', () => chatty.closed);
    expect(chatty.closed).toEqual({ code: 4400 });
  });

  test('has a bounded number of subscriptions, and unknown topics are refused', async () => {
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'x', topic: 'everything' as never });
    expect(await live.next('x', 'an error', ({ type }) => type === 'error')).toMatchObject({
      error: { code: 'not_found' },
    });
    for (let index = 0; index < 65; index += 1) live.say({ op: 'subscribe', id: `s${index}`, topic: 'jobs' });
    expect(await live.next('s64', 'an error', () => true)).toMatchObject({ error: { code: 'conflict' } });
    await live.next('s63', 'a snapshot', ({ type }) => type === 'snapshot');
    live.close();
  });

  test('of an unknown path is refused instead of left open', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${api.origin}/v1/lives`, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'x',
          'sec-websocket-version': '13',
        },
      });
      asked.once('response', (response) => resolve(response.statusCode));
      asked.once('error', reject);
      asked.end();
    });
    expect(status).toBe(404);
  });

  test('is told of the restart when the server stops', async () => {
    const own = await startListeningApi();
    const live = await own.live(own.adminKey);
    live.say({ op: 'subscribe', id: 's', topic: 'jobs' });
    await live.next('s', 'a snapshot', ({ type }) => type === 'snapshot');
    await own.close();
    await until('the socket is closed', () => live.closed);
    expect(live.closed).toEqual({ code: 1012 });
  });
});
