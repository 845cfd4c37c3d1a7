import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthenticator } from '../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { allRoutes } from '../../../../src/common/contract/routes/index.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { closeServer, createHttpServer } from '../../../../src/common/http/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let port = 0;

beforeAll(async () => {
  api = await startApi({ http: { bodyTimeoutSeconds: 0.3 } });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  port = (api.app.server.address() as { port: number }).port;
});
afterAll(() => api.close());

/** Sends bytes as they are and reads all that comes back. */
async function raw(bytes: string, more?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  if (more) socket.end(more);
  await once(socket, 'close');
  return text;
}

describe('a request that is wrong', () => {
  it.each([
    ['an unknown route', 'GET', '/v1/nothing', undefined, {}, 404, 'route_not_found'],
    ['a wrong method', 'DELETE', '/v1/jobs', undefined, {}, 405, 'method_not_allowed'],
    ['broken JSON', 'POST', '/v1/jobs', '{"name":', { 'content-type': 'application/json' }, 400, 'bad_request'],
    ['an empty body', 'POST', '/v1/jobs', '', { 'content-type': 'application/json' }, 400, 'bad_request'],
    [
      'prototype poisoning',
      'POST',
      '/v1/jobs',
      '{"__proto__": {"x": 1}}',
      { 'content-type': 'application/json' },
      400,
      'bad_request',
    ],
    [
      'an unknown media type',
      'POST',
      '/v1/jobs',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
    ],
    [
      'JSON where bytes are expected',
      'PUT',
      `/v1/blobs/${'a'.repeat(64)}`,
      '{}',
      { 'content-type': 'application/json' },
      415,
      'unsupported_media_type',
    ],
    [
      'bytes of another hash',
      'PUT',
      `/v1/blobs/${'a'.repeat(64)}`,
      'bytes',
      { 'content-type': 'application/octet-stream' },
      422,
      'blob_hash_mismatch',
    ],
    [
      'an oversize body',
      'POST',
      '/v1/jobs',
      `{"name": "${'x'.repeat(1_048_577)}"}`,
      { 'content-type': 'application/json' },
      413,
      'body_too_large',
    ],
    ['an unknown parameter', 'GET', '/v1/jobs?stat=queued', undefined, {}, 422, 'invalid_query'],
    ['a wrong parameter', 'GET', '/v1/jobs?limit=0', undefined, {}, 422, 'invalid_query'],
    ['a cursor of another list', 'GET', '/v1/jobs?cursor=bm9wZQ', undefined, {}, 422, 'cursor_invalid'],
    ['an id of another kind', 'GET', '/v1/jobs/node_00000000000000000000000000', undefined, {}, 404, 'not_found'],
    [
      'a body where none belongs',
      'POST',
      '/v1/jobs/job_00000000000000000000000000/cancel',
      '{"x":1}',
      { 'content-type': 'application/json' },
      422,
      'invalid_body',
    ],
    [
      'a wrong Idempotency-Key',
      'POST',
      '/v1/jobs',
      '{"name":"x","command":"true"}',
      { 'content-type': 'application/json', 'idempotency-key': 'a b' },
      422,
      'invalid_query',
    ],
    ['a broken URL', 'GET', '/v1/jobs/%zz', undefined, {}, 400, 'bad_request'],
  ])('is told what is wrong: %s', async (_what, method, url, body, headers, status, code) => {
    const answer = await api.ask(api.adminKey, method, url, body, headers);
    expect(answer).toMatchObject({ status, json: { status, code } });
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json.instance).toMatch(/^req_/);
  });

  it('with a name in its path that can be none is told what a name may be', async () => {
    const json = { 'content-type': 'application/json' };
    const answer = await api.ask(api.adminKey, 'PUT', '/v1/secrets/a%20b', '{"value":"x"}', json);
    expect(answer).toMatchObject({ status: 404, json: { detail: expect.stringMatching(/letters, digits/) } });
  });

  it('with a field that JSON readers refuse is told which', async () => {
    const json = { 'content-type': 'application/json' };
    const answer = await api.ask(api.adminKey, 'POST', '/v1/jobs', '{"labels": {"__proto__": "x"}}', json);
    expect(answer).toMatchObject({ status: 400, json: { detail: expect.stringContaining('__proto__') } });
  });

  it('names the methods of a route that has others', async () => {
    const answer = await api.ask(api.adminKey, 'DELETE', '/v1/jobs');
    expect(answer.headers.allow).toBe('GET, POST');
  });

  it.each([
    ['nested without end', '['.repeat(200_000)],
    [
      'aliases that double',
      [
        'a: &a [x,x,x,x,x,x,x,x,x]',
        ...Array.from(
          { length: 12 },
          (_, i) => `${'bcdefghijklm'[i]}: &${'bcdefghijklm'[i]} [${`*${'abcdefghijkl'[i]},`.repeat(9)}]`,
        ),
      ].join('\n'),
    ],
    ['in blocks without end', '- '.repeat(100_000)],
    ['with a key twice', 'name: a\nname: b\n'],
    ['several documents', 'name: a\n---\nname: b\n'],
    ['a tag that makes things', 'name: !!js/function "x"'],
    ['nothing', ' '],
  ])('is refused as YAML: %s', async (_what, yaml) => {
    const startedAt = performance.now();
    const answer = await api.ask(api.adminKey, 'POST', '/v1/jobs', yaml, { 'content-type': 'application/yaml' });
    expect(answer.status).toBe(422);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('that is no HTTP gets an answer and the connection is closed', async () => {
    const answer = await raw('NONSENSE\r\n\r\n');
    expect(answer).toContain('HTTP/1.1 400');
    expect(answer).toContain('application/problem+json');
  });

  it('whose body comes byte by byte is cut off', async () => {
    const head = `POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.adminKey}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`;
    const startedAt = performance.now();
    await raw(head);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});

describe('every answer', () => {
  it('that takes gzip gets large answers compressed, small ones and those who do not as they are', async () => {
    const get = (url: string, encoding: string) =>
      api.app.inject({ method: 'GET', url, headers: { 'accept-encoding': encoding } });
    const whole = await get('/openapi.json', 'identity');
    const packed = await get('/openapi.json', 'br, gzip');
    expect(whole.headers['content-encoding']).toBeUndefined();
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: expect.stringMatching(/accept-encoding/i),
    });
    expect(gunzipSync(packed.rawPayload).equals(whole.rawPayload)).toBe(true);
    expect(packed.rawPayload.length).toBeLessThan(whole.rawPayload.length / 4);
    expect((await get('/healthz', 'gzip')).headers['content-encoding']).toBeUndefined();
  });

  it('has a request id and no header that invites trouble', async () => {
    const answer = await api.ask(api.adminKey, 'GET', '/v1/whoami');
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.headers['x-powered-by']).toBeUndefined();
  });
});

describe('when the database is away', () => {
  it('answers 503 with Retry-After and without the address of the database, and is not ready', async () => {
    const other = await startApi();
    await other.database.db.close();
    const job = await other.ask(other.adminKey, 'GET', '/v1/jobs');
    expect(job.status).toBeGreaterThanOrEqual(500);
    expect((await other.ask(null, 'GET', '/readyz')).status).toBe(503);
    expect((await other.ask(null, 'GET', '/healthz')).status).toBe(204);
    await other.close().catch(() => {});
  });

  it('hides what the driver says', async () => {
    const app = await createHttpServer({
      logger: silentLogger,
      clock: systemClock,
      authenticate: async () => {
        throw Object.assign(new Error('connect ENOENT secret-host.sock'), { code: 'ECONNREFUSED' });
      },
    });
    const { serveApi } = await import('../../../../src/cmo/api/index.ts');
    await serveApi(app, api.deps);
    const answer = await app.inject({ method: 'GET', url: '/v1/jobs', headers: { authorization: 'Bearer x' } });
    await closeServer(app);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.body).not.toContain('secret-host');
  });
});

describe('limits', () => {
  it('answer a key that asks too often with 429 and when to come back', async () => {
    const limited = await startApi({ http: { rateLimit: { perSecond: 1, burst: 3 } } });
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => limited.ask(limited.adminKey, 'GET', '/v1/whoami')),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.json.code).toBe('rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await limited.close();
  });

  it('refuse an upload that is larger than the operator allows', async () => {
    const content = Buffer.alloc(api.deps.bundleBytes + 1, 1);
    const url = `/v1/blobs/${createHash('sha256').update(content).digest('hex')}`;
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await api.ask(api.adminKey, 'PUT', url, content, headers);
    expect(answer.status).toBe(413);
    expect(answer.json.code).toBe('body_too_large');
    expect((await api.ask(api.adminKey, 'HEAD', url)).status).toBe(404);
  });

  it('answer an address that guesses keys with 429, and right keys from the same address as ever', async () => {
    const limited = await startApi({ http: { strangerLimit: { perSecond: 0.001, burst: 200 } } });
    const wrong = (index: number) => `sx_api_wrong${index}`;
    for (let i = 0; i < 200; i += 1) expect((await limited.ask(wrong(i), 'GET', '/v1/whoami')).status).toBe(401);
    expect((await limited.ask(wrong(200), 'GET', '/v1/whoami')).status).toBe(429);
    // One that was never seen here, while others go on guessing, and then again.
    const guesses = Array.from({ length: 8 }, (_, index) => limited.ask(wrong(index), 'GET', '/v1/whoami'));
    expect((await limited.ask(limited.adminKey, 'GET', '/v1/whoami')).status).toBe(200);
    expect((await Promise.all(guesses)).map(({ status }) => status)).toEqual(guesses.map(() => 429));
    expect((await limited.ask(limited.adminKey, 'GET', '/v1/whoami')).status).toBe(200);
    await limited.close();
  });
});

describe('a revoked key', () => {
  it('is refused within a second', async () => {
    const key = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' });
    expect((await api.ask(key.text, 'GET', '/v1/whoami')).status).toBe(200);
    const revokedAt = performance.now();
    await api.ask(api.adminKey, 'POST', `/v1/keys/${key.id}/revoke`);
    while ((await api.ask(key.text, 'GET', '/v1/whoami')).status === 200)
      expect(performance.now() - revokedAt).toBeLessThan(1_500);
    expect((await api.ask(key.text, 'GET', '/v1/whoami')).json.code).toBe('key_revoked');
  });

  it('that expired is refused too', async () => {
    const authenticate = makeAuthenticator(api.database.db, systemClock);
    await expect(authenticate('Bearer sx_join_x')).rejects.toThrow(SolyxError);
    await expect(authenticate(undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('the OpenAPI document', () => {
  it('describes every endpoint of the table with every error that it may answer', async () => {
    const { json: document } = await api.ask(null, 'GET', '/openapi.json');
    expect(document.openapi).toMatch(/^3\.1\./);
    for (const route of allRoutes) {
      const path = route.path.replace(/:(\w+)/g, '{$1}');
      const operation = document.paths[path][route.method.toLowerCase()];
      // The generator tells a HEAD from its GET by a suffix.
      expect(operation.operationId, path).toBe(route.method === 'HEAD' ? `${route.id}-head` : route.id);
      expect(Object.keys(operation.responses)).toContain(String(route.status));
      for (const status of route.access === 'public' ? ['500'] : ['401', '429', '500', '503']) {
        expect(operation.responses[status].content['application/problem+json'].schema.$ref).toBe(
          '#/components/schemas/Problem',
        );
      }
      const inPath = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((parameter: { in: string }) => parameter.in === 'path');
      expect(declared.map((parameter: { name: string }) => parameter.name)).toEqual(inPath);
      expect(operation.security).toEqual(route.access === 'public' ? [] : [{ key: [] }, { session: [] }]);
    }
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(document.components.schemas, name).toHaveProperty(name!);
    }
  });
});

describe('stopping', () => {
  it('lets a running request finish and refuses what comes later', async () => {
    const other = await startApi();
    await other.app.listen({ port: 0, host: '127.0.0.1' });
    const url = `http://127.0.0.1:${(other.app.server.address() as { port: number }).port}`;
    const ask = () => fetch(`${url}/v1/whoami`, { headers: { authorization: `Bearer ${other.adminKey}` } });
    const running = ask();
    const answer = await running;
    const closing = closeServer(other.app);
    expect(answer.status).toBe(200);
    await closing;
    await expect(ask()).rejects.toThrow();
    await other.close();
  });
});
