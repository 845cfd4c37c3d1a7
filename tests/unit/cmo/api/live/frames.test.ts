import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { textFrame } from '../../../../../src/cmo/api/live/frames.ts';

let server: WebSocketServer;
let client: WebSocket;
let stream: Duplex;

beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [, request] = await once(server, 'connection');
  stream = request.socket;
  if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
});
afterAll(() => {
  client.terminate();
  server.close();
});

/** What a client makes of the bytes. */
async function read(bytes: Buffer): Promise<string> {
  const message = once(client, 'message');
  stream.write(bytes);
  const [data, isBinary] = await message;
  expect(isBinary).toBe(false);
  return String(data);
}

describe('text frames', () => {
  it.each([
    ['short', 'x'.repeat(125)],
    ['of two bytes of length', 'x'.repeat(126)],
    ['as long as two bytes can say', 'x'.repeat(65_535)],
    ['longer', 'x'.repeat(65_536)],
    ['empty', ''],
    ['whose bytes are more than its characters', 'ä€😀'.repeat(50)],
  ])('are read by a client: %s', async (_, text) => {
    expect(await read(textFrame(text))).toBe(text);
  });

  it('are made once for the same text, however it was put together', () => {
    const parts = ['{"type":"delta"', ',"revision":', String(7), '}'];
    expect(textFrame(parts.join(''))).toBe(textFrame('{"type":"delta","revision":7}'));
  });

  it('are made anew for another text', async () => {
    textFrame('one');
    expect(await read(textFrame('two'))).toBe('two');
    expect(await read(textFrame('one'))).toBe('one');
  });

  it('of long texts are not kept', () => {
    const text = 'x'.repeat(70_000);
    expect(textFrame(text)).not.toBe(textFrame(text));
  });
});
