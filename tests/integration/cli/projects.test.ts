/** `solyx projects` and `solyx tenants` as processes, against a real API. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../cmo/api/harness.ts';

const program = resolve(import.meta.dirname, '../../../bin/solyx.mjs');
let api: TestApi;
let url = '';

beforeAll(async () => {
  api = await startApi();
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => api.close());

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command with a key; the operator's when none is named. */
const solyx = (words: readonly string[], key = api.adminKey): Promise<Ran> =>
  new Promise((done) => {
    const env = { PATH: process.env.PATH, SOLYX_HOME: api.home, SOLYX_URL: url, SOLYX_API_KEY: key, NO_COLOR: '1' };
    execFile(process.execPath, [program, ...words], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });

describe('solyx projects', () => {
  it('creates a project, lists it, and says of a name that is taken or none what is wrong', async () => {
    const made = await solyx(['projects', 'create', 'vision']);
    expect(made.stdout).toMatch(/^prj_[0-9a-z]{26} {2}vision\n$/);
    expect(await solyx(['projects', 'create', 'vision'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^already_exists: .*vision/),
    });
    expect(await solyx(['projects', 'create', 'no name'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^invalid_body: [\s\S]*\/name: use 1–63 letters/),
    });
    const { items } = JSON.parse((await solyx(['projects', '--json'])).stdout) as { items: { name: string }[] };
    expect(items.map(({ name }) => name)).toEqual(['default', 'vision']);
    const [head, ...lines] = (await solyx(['projects', 'list'])).stdout.split('\n');
    expect(head).toMatch(/^ID +NAME +CREATED$/);
    expect(lines.join('\n')).toContain('vision');
  }, 120_000);

  it('renames by name or id and deletes what is empty; what is not there or not empty is told', async () => {
    const id = (await solyx(['projects', 'create', 'old'])).stdout.slice(0, 30);
    expect((await solyx(['projects', 'rename', 'old', 'new'])).stdout).toBe(`${id}  new\n`);
    expect((await solyx(['projects', 'rename', 'old', 'x'])).stderr).toMatch(/^not_found: .*No project old/);
    expect((await solyx(['projects', 'rm', id])).stdout).toBe(`${id}  new  deleted\n`);
    expect((await solyx(['projects', 'rm', 'default'])).stderr).toMatch(/^conflict: .*default still has keys/);
  }, 120_000);

  it('lets who may only look create none', async () => {
    const viewer = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' });
    const refused = await solyx(['projects', 'create', 'mine'], viewer.text);
    expect(refused.stderr).toMatch(/^forbidden: /);
    expect(refused.code).not.toBe(0);
    expect((await solyx(['projects'], viewer.text)).stdout).not.toContain('mine');
  }, 120_000);
});

describe('solyx tenants', () => {
  it('creates a tenant whose key, alone on stdout, works in it and nowhere else', async () => {
    const made = await solyx(['tenants', 'create', 'acme', '--project', 'first']);
    const key = made.stdout.trim();
    expect(key).toMatch(/^slx_|^sk_|^[a-z]+_/);
    expect(made.stderr).toContain('acme, with project first');
    expect((await solyx(['projects', '--json'], key)).stdout).toMatch(/"name": ?"first"/);
    const listed = await solyx(['tenants']);
    expect(listed.stdout).toMatch(/acme +– /);
    expect(listed.stdout + listed.stderr).not.toContain(key);
    expect((await solyx(['tenants', 'rename', 'acme', 'acme-2'])).stdout).toMatch(/^ten_[0-9a-z]{26} {2}acme-2\n$/);
    const own = await solyx(['tenants'], key);
    expect([own.code === 0, own.stdout]).toEqual([false, '']);
    expect(own.stderr).toMatch(/^(forbidden|operator_only|not_found): /);
  }, 120_000);
});
