/** Sockets whose clients take too little, driven by a topic that says what the test wants. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { Connection, type ConnectionLimits } from '../../../../../src/cmo/api/live/connection.ts';
import { Flusher } from '../../../../../src/cmo/api/live/flusher.ts';
import { makeLiveMetrics } from '../../../../../src/cmo/api/live/metrics.ts';
import { SharedReads } from '../../../../../src/cmo/api/live/shared-reads.ts';
import { SharedViews } from '../../../../../src/cmo/api/live/shared-views.ts';
import { defineTopic, type Outlet } from '../../../../../src/cmo/api/live/topic.ts';
import type { ServerMessage } from '../../../../../src/common/contract/live.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { until } from '../../../../support/until.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function connected(limits: Partial<ConnectionLimits>) {
  const outlets: Outlet[] = [];
  const things = defineTopic({
    name: 'things',
    pattern: /^things$/,
    params: z.unknown(),
    open: async ({ outlet }) => {
      outlets.push(outlet);
      outlet.snapshot('{"at":"snapshot"}', 'c0');
      return { close: () => {} };
    },
  });
  const registry = new Registry();
  const services = {
    deps: { logger: silentLogger } as never,
    feed: undefined as never,
    reads: new SharedReads(),
    views: new SharedViews(),
    metrics: makeLiveMetrics(registry),
  };
  const flusher = new Flusher();
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    new Connection({
      socket,
      stream: request.socket,
      principal: {} as never,
      services,
      flusher,
      topics: [things],
      limits,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const received: ServerMessage[] = [];
  client.on('message', (data) => received.push(JSON.parse(String(data))));
  const closed = { code: 0 };
  client.on('close', (code) => {
    closed.code = code;
  });
  await once(client, 'open');
  closers.push(() => {
    client.terminate();
    flusher.stop();
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  client.send('{"op":"subscribe","id":"t","topic":"things"}');
  await until('a snapshot', () => received.some(({ type }) => type === 'snapshot'));
  const [peer] = sockets.clients;
  const metric = async (name: string) => (await registry.getSingleMetricAsString(name)).split('\n').at(-1)!;
  return { client, received, outlets, closed, peer: peer!, metric };
}

const change = (key: string, value: unknown) => ({ part: 'put', key, json: JSON.stringify(value) });
const types = (received: readonly ServerMessage[]) =>
  received.map(({ type }) => type).filter((type) => type !== 'mark');

test('changes within one frame are merged: the last value of each entity is sent once', async () => {
  const { received, outlets, metric } = await connected({});
  for (let value = 1; value <= 5; value += 1) {
    outlets[0]!.push([change('a', { id: 'a', value }), change('b', { id: 'b', value })], `c${value}`);
  }
  outlets[0]!.push([{ part: 'fields', key: 'fresh', json: '3' }], 'c6');
  await until('a delta', () => received.at(-1)!.type === 'delta');
  expect(received.at(-1)).toEqual({
    type: 'delta',
    id: 't',
    revision: 1,
    cursor: 'c6',
    data: {
      put: [
        { id: 'a', value: 5 },
        { id: 'b', value: 5 },
      ],
      fields: { fresh: 3 },
    },
  });
  expect(await metric('solyx_live_coalesced_total')).toBe('solyx_live_coalesced_total 8');
});

test('a client that stops reading has what changes merged, and little of it on the way', async () => {
  const { client, received, outlets, peer } = await connected({
    fullBytes: 500_000,
    lowBytes: 100_000,
    mostWaitingBytes: 5_000_000,
  });
  client.pause();
  const text = 'x'.repeat(200_000);
  // The kernel takes some; from then on nothing more is handed to it.
  let value = 0;
  await until('the socket is full', () => {
    for (const key of ['a', 'b', 'c']) outlets[0]!.push([change(key, { id: key, value: ++value, text })], `c${value}`);
    return peer.bufferedAmount > 500_000;
  });
  for (let more = 0; more < 500; more += 1) outlets[0]!.push([change('a', { id: 'a', value: ++value, text })]);
  expect(peer.bufferedAmount).toBeLessThan(500_000 + 4 * 200_000);
  client.resume();
  await until('the last value', () => JSON.stringify(received.at(-1)).includes(`"value":${value}`));
  expect(types(received)).not.toContain('reset');
  expect(outlets).toHaveLength(1);
});

test('a client for which too much waits is begun anew instead of buffered', async () => {
  const { client, received, outlets, peer, metric } = await connected({
    fullBytes: 500_000,
    lowBytes: 100_000,
    mostWaitingBytes: 2_000_000,
  });
  client.pause();
  const text = 'x'.repeat(200_000);
  let entity = 0;
  await until('it is reset', async () => {
    for (let index = 0; index < 5; index += 1) outlets[0]!.push([change(`e${++entity}`, { text })]);
    return (await metric('solyx_live_resets_total')).includes('reason="slow"');
  });
  // Nobody gathers for it any more, and it is not asked again until it takes something.
  outlets[0]!.push([change('late', { id: 'late' })]);
  expect(outlets).toHaveLength(1);
  const before = peer.bufferedAmount;
  client.resume();
  await until('a new snapshot', () => types(received).slice(1).includes('snapshot'));
  // What was on the way when it became full, and one round of what waited.
  expect(before).toBeLessThan(15_000_000);
  expect(outlets).toHaveLength(2);
  const after = types(received);
  expect(after.slice(after.indexOf('reset'))).toEqual(['reset', 'snapshot']);
  expect(JSON.stringify(received)).not.toContain('late');
  outlets[1]!.push([change('on', { id: 'on' })], 'c9');
  await until('it goes on', () => JSON.stringify(received.at(-1)).includes('"on"'));
});

test('a client that takes nothing for long is cut off', async () => {
  const { client, outlets, closed, peer } = await connected({ fullBytes: 500_000, lowBytes: 100_000, stuckMs: 300 });
  client.pause();
  const text = 'x'.repeat(200_000);
  await until('the socket is full', () => {
    outlets[0]!.push([change('a', { text })]);
    return peer.bufferedAmount > 500_000;
  });
  outlets[0]!.push([change('a', { text })]);
  await until('the server ended it', () => peer.readyState === WebSocket.CLOSED);
  client.resume();
  await until('the client knows', () => closed.code !== 0);
});
