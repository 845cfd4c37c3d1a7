import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveDashboard } from '../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { createHttpServer } from '../../../../src/common/http/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';

const script = `${'console.log("hello");'.repeat(50)}`;
const html = { accept: 'text/html,application/xhtml+xml' };

let folder: string;
let app: FastifyInstance;

async function serve(build: string | null): Promise<FastifyInstance> {
  const made = await createHttpServer({
    logger: silentLogger,
    clock: systemClock,
    authenticate: async () => {
      throw new SolyxError('unauthenticated');
    },
  });
  made.post('/v1/things', async () => ({}));
  await serveDashboard(made, build);
  await made.ready();
  return made;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'solyx-dashboard-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<meta property="csp-nonce" nonce="__STYLE_NONCE__"><title>page</title>');
  await writeFile(join(folder, 'assets', 'index-abc.js'), script);
  await writeFile(join(folder, 'assets', 'index-abc.js.br'), brotliCompressSync(script));
  await writeFile(join(folder, 'secret'), 'not an asset');
  app = await serve(folder);
});
afterAll(async () => {
  await app?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the dashboard’s page', () => {
  it.each(['/', '/jobs', '/jobs/job_1?tab=logs', '/anything/deep'])('is what a browser gets at %s', async (url) => {
    const answer = await app.inject({ url, headers: html });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toContain('<title>page</title>');
  });

  it('allows scripts of this origin alone, none inline, and styles by a nonce that is new each time', async () => {
    const [first, second] = [
      await app.inject({ url: '/', headers: html }),
      await app.inject({ url: '/', headers: html }),
    ];
    const policy = String(first.headers['content-security-policy']);
    const nonce = /'nonce-([\w-]{22})'/.exec(policy)![1]!;
    expect(first.body).toContain(`nonce="${nonce}"`);
    expect(second.body).not.toContain(nonce);
    expect(policy).toContain("default-src 'none'; script-src 'self'; ");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    expect(first.headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(first.headers['cross-origin-resource-policy']).toBe('same-origin');
  });

  it.each([
    ['/v1/nothing', html],
    ['/v1', html],
    ['/metrics', html],
    ['/assets/gone.js', html],
    ['/jobs', { accept: 'application/json' }],
    ['/jobs', { accept: '*/*' }],
    ['/jobs', {}],
  ])('is not what %s gets with %o: that is a problem as ever', async (url, headers) => {
    const answer = await app.inject({ url, headers });
    expect(answer.statusCode).toBe(404);
    expect(answer.json().code).toBe('route_not_found');
    expect(answer.headers['content-security-policy']).not.toContain('script-src');
  });

  it('leaves the methods of paths as they are', async () => {
    expect((await app.inject({ method: 'POST', url: '/jobs', headers: html })).json().code).toBe('route_not_found');
    const wrong = await app.inject({ method: 'DELETE', url: '/v1/things' });
    expect([wrong.statusCode, wrong.headers.allow]).toEqual([405, 'POST']);
  });

  it('says how it is built where it is not', async () => {
    const bare = await serve(null);
    const answer = await bare.inject({ url: '/', headers: html });
    expect(answer.statusCode).toBe(503);
    expect(answer.body).toContain('tools/scripts/build-dashboard.mjs');
    await bare.close();
  });
});

describe('the dashboard’s files', () => {
  it('come compressed, to be kept for ever', async () => {
    const answer = await app.inject({ url: '/assets/index-abc.js', headers: { 'accept-encoding': 'gzip, br' } });
    expect(answer.headers['content-encoding']).toBe('br');
    expect(answer.headers['content-type']).toContain('javascript');
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.vary).toContain('accept-encoding');
    expect(answer.rawPayload.length).toBeLessThan(script.length);
  });

  it('come plain to whom cannot take that', async () => {
    const answer = await app.inject({ url: '/assets/index-abc.js', headers: { 'accept-encoding': 'identity' } });
    expect(answer.body).toBe(script);
  });

  it.each([
    '/assets/../secret',
    '/assets/..%2fsecret',
    '/assets/%2e%2e/secret',
    '/assets/..%5csecret',
    '/assets//etc/passwd',
  ])('are only those of the build: not %s', async (url) => {
    const answer = await app.inject({ url });
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('not an asset');
  });
});
