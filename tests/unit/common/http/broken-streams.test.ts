/** Answers that end in their middle: a client that leaves is no fault, and what breaks is cut off and said once. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/common/clock.ts';
import { routes } from '../../../../src/common/contract/routes/index.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { bindRoute, closeServer, createHttpServer } from '../../../../src/common/http/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { createLogger } from '../../../../src/common/logger.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly message: string; readonly code?: string };
}

const warn = 40;
let folder = '';
let app: FastifyInstance;
const path = `/v1/jobs/${newId('job')}/logs`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-broken-streams-'));
  app = await createHttpServer({
    logger: createLogger({ level: 'debug', name: 'test', destination: join(folder, 'log') }),
    clock: systemClock,
    authenticate: async () => {
      throw new SolyxError('unauthenticated');
    },
  });
});
afterEach(async () => {
  await closeServer(app);
  rmSync(folder, { recursive: true, force: true });
});

/** Serves frames at the place of a log, from before its head is asked for. */
async function serve(frames: () => AsyncGenerator<string>): Promise<{ url: string; ended: Promise<void> }> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  bindRoute(app, { ...routes.getJobLogs, access: 'public' }, async ({ reply }) => {
    const body = Readable.from(frames(), { highWaterMark: 1 });
    body.once('close', resolve);
    return reply.type('application/x-ndjson').send(body);
  });
  app.get('/again', async () => 'here');
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), ended };
}

/** What was complained of, once the server has served something after it. */
async function said(url: string): Promise<string[]> {
  expect(await (await fetch(`${url}/again`)).text()).toBe('here');
  const lines = readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(0, -1);
  return lines
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.level >= warn)
    .map(({ msg, err }) => `${msg}: ${err?.message}`);
}

describe('a stream', () => {
  it('whose client leaves is no fault', async () => {
    const { url, ended } = await serve(async function* () {
      for (;;) {
        yield '{}\n';
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const leave = new AbortController();
    const answer = await fetch(`${url}${path}`, { signal: leave.signal });
    const reader = answer.body!.getReader();
    await reader.read();
    leave.abort();
    await ended;
    expect(await said(url)).toEqual([]);
  });

  it('that breaks after its head was sent is cut off, and that is said once', async () => {
    const read = Promise.withResolvers<void>();
    const { url, ended } = await serve(async function* () {
      yield '{}\n';
      await read.promise;
      throw new Error('the rest was lost');
    });
    const answer = await fetch(`${url}${path}`);
    expect(answer.status).toBe(200);
    read.resolve();
    await expect(answer.text()).rejects.toThrow('terminated');
    await ended;
    expect(await said(url)).toEqual(['answer broke off: the rest was lost']);
  });
});

describe('a handler', () => {
  it('that waits for the rest of a body whose sender leaves is no fault', async () => {
    const { promise: given, resolve: begin } = Promise.withResolvers<void>();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    app.addContentTypeParser('application/x-own', async (_request: unknown, body: Readable) => body);
    app.post('/own', async (request) => {
      begin();
      try {
        for await (const _part of request.body as Readable);
      } finally {
        setImmediate(end);
      }
    });
    const { url } = await serve(async function* () {});
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('POST /own HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-own\r\ncontent-length: 9\r\n\r\nhalf');
    await given;
    socket.destroy();
    await over;
    expect(await said(url)).toEqual([]);
  });

  it('that fails after it has begun to answer is cut off, and its fault is what is logged', async () => {
    const read = Promise.withResolvers<void>();
    app.get('/own', async (_request, reply) => {
      reply.raw.writeHead(200, { 'content-type': 'text/plain' });
      reply.raw.write('half of it');
      await read.promise;
      throw new Error('the rest was lost');
    });
    const { url } = await serve(async function* () {});
    const answer = await fetch(`${url}/own`);
    read.resolve();
    await expect(answer.text()).rejects.toThrow('terminated');
    expect(await said(url)).toEqual(['request failed: the rest was lost']);
  });
});
