/** The browser's live connection against a real WebSocket server that says what the test wants. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { LiveClient, LiveRefused } from '../../../../dashboard/src/live/client.ts';
import type { ClientMessage, ServerMessage } from '../../../../src/common/contract/live.ts';
import { until } from '../../../support/until.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

class Server {
  readonly sockets: WebSocket[] = [];
  readonly heard: ClientMessage[][] = [];
  readonly offered: string[] = [];
  #server!: WebSocketServer;
  #port = 0;

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/v1/live`;
  }

  async listen(): Promise<void> {
    this.#server = new WebSocketServer({ host: '127.0.0.1', port: this.#port, handleProtocols: () => 'solyx.live.v1' });
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#server.on('connection', (socket, request) => {
      this.offered.push(String(request.headers['sec-websocket-protocol']));
      this.sockets.push(socket);
      const heard: ClientMessage[] = [];
      this.heard.push(heard);
      socket.on('message', (data) => heard.push(JSON.parse(String(data))));
      this.say({ type: 'mark', at: new Date().toISOString() });
    });
    closers.push(() => this.stop());
  }

  say(message: ServerMessage): void {
    this.sockets.at(-1)!.send(JSON.stringify(message));
  }

  stop(): void {
    for (const socket of this.sockets) socket.terminate();
    this.#server.close();
  }
}

async function started(ticket: () => Promise<string> = async () => 't1') {
  const server = new Server();
  await server.listen();
  const client = new LiveClient({ url: server.url, ticket, random: () => 0 });
  closers.push(() => client.stop());
  return { server, client };
}

const snapshot = (id: string, cursor: string, data: unknown): ServerMessage => ({
  type: 'snapshot',
  id,
  revision: 0,
  cursor,
  data,
});

test('it shows its ticket as a subprotocol, subscribes and hands on what comes', async () => {
  const { server, client } = await started();
  const seen: unknown[] = [];
  client.subscribe('overview', {}, { onSnapshot: (data) => seen.push(data), onDelta: (data) => seen.push(data) });
  client.start();
  await until('the subscription', () => server.heard[0]?.length === 1);
  expect(server.offered).toEqual(['solyx.live.v1, solyx.ticket.t1']);
  expect(server.heard[0]).toEqual([{ op: 'subscribe', id: '1', topic: 'overview', params: {} }]);
  server.say(snapshot('1', 'c1', { queued: 1 }));
  server.say({ type: 'delta', id: '1', revision: 1, cursor: 'c2', data: { fields: { queued: 2 } } });
  await until('both', () => seen.length === 2);
  expect(seen).toEqual([{ queued: 1 }, { fields: { queued: 2 } }]);
  expect(client.status.state).toBe('live');
});

test('after a break it goes on from its cursor with the rows that are on the screen', async () => {
  const { server, client } = await started();
  const jobs = client.subscribe('jobs', { namePrefix: 'x' }, { onSnapshot: () => {}, onDelta: () => {} });
  client.start();
  await until('the subscription', () => server.heard[0]?.length === 1);
  server.say(snapshot('1', 'c1', { items: [] }));
  jobs.watch(['job_1']);
  await until('the rows', () => server.heard[0]!.length === 2);
  server.say({ type: 'delta', id: '1', revision: 1, cursor: 'c2', data: {} });
  server.say({ type: 'mark', at: 'later' });
  await until('it is live', () => client.status.state === 'live');
  const states: string[] = [];
  client.onStatus(() => states.push(client.status.state));
  server.stop();
  await until('it notices', () => client.status.state === 'reconnecting');
  expect(client.status.nextTryAt).not.toBeNull();
  await server.listen();
  await until('it is back', () => client.status.state === 'live' && (server.heard.at(-1)?.length ?? 0) > 0);
  expect(server.heard.at(-1)).toEqual([
    { op: 'subscribe', id: '1', topic: 'jobs', params: { namePrefix: 'x', ids: ['job_1'] }, since: 'c2' },
  ]);
  expect(states[0]).toBe('reconnecting');
});

test('a reset is told, and its cursor is not used again', async () => {
  const { server, client } = await started();
  let resets = 0;
  client.subscribe('jobs', {}, { onSnapshot: () => {}, onDelta: () => {}, onReset: () => (resets += 1) });
  client.start();
  await until('the subscription', () => server.heard[0]?.length === 1);
  server.say(snapshot('1', 'c1', {}));
  server.say({ type: 'reset', id: '1', reason: 'slow' });
  await until('the reset', () => resets === 1);
  server.sockets[0]!.terminate();
  await until('it comes back', () => server.heard[1]?.length === 1);
  expect(server.heard[1]![0]).not.toHaveProperty('since');
});

test('a subscription that the server ended is not asked for again', async () => {
  const { server, client } = await started();
  const errors: string[] = [];
  client.subscribe(
    'job/job_x',
    {},
    {
      onSnapshot: () => {},
      onDelta: () => {},
      onError: ({ code }) => errors.push(code),
    },
  );
  client.start();
  await until('the subscription', () => server.heard[0]?.length === 1);
  const error = { type: 't', title: 'No.', status: 404, code: 'not_found', remedy: 'r' } as const;
  server.say({ type: 'error', id: '1', error });
  await until('the error', () => errors.length === 1);
  server.sockets[0]!.terminate();
  await until('it comes back', () => server.heard.length === 2 && client.status.state === 'live');
  expect(server.heard[1]).toEqual([]);
});

test('it stops trying when it is refused, and tries again when asked to', async () => {
  let allowed = false;
  let asked = 0;
  const { client } = await started(async () => {
    asked += 1;
    if (!allowed) throw new LiveRefused('signed out');
    return 't';
  });
  client.start();
  await until('the refusal', () => client.status.state === 'refused');
  expect(client.status).toMatchObject({ why: 'signed out', nextTryAt: null });
  client.hurry();
  expect(asked).toBe(1);
  allowed = true;
  client.start();
  await until('it is live', () => client.status.state === 'live');
});

test('what is not a message is passed over, and closing a subscription ends it', async () => {
  const { server, client } = await started();
  const seen: unknown[] = [];
  const subscription = client.subscribe(
    'overview',
    {},
    {
      onSnapshot: (data) => seen.push(data),
      onDelta: (data) => seen.push(data),
    },
  );
  client.start();
  await until('the subscription', () => server.heard[0]?.length === 1);
  server.sockets[0]!.send('{');
  server.say(snapshot('7', 'c', 'of nobody'));
  server.say(snapshot('1', 'c', 'mine'));
  await until('its own', () => seen.length === 1);
  subscription.close();
  server.say(snapshot('1', 'c', 'too late'));
  await until('the end', () => server.heard[0]!.length === 2);
  expect(server.heard[0]![1]).toEqual({ op: 'unsubscribe', id: '1' });
  expect(seen).toEqual(['mine']);
});
