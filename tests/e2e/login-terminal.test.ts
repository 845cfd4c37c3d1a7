/** `solyx login` at a terminal: the key that is typed is not shown. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const pty = await import('@lydell/node-pty').catch(() => undefined);
if (!pty) process.stderr.write('terminal tests are skipped: @lydell/node-pty is not installed\n');

describe.skipIf(pty === undefined)('a login at a terminal', () => {
  const here = new Product();
  const elsewhere = new Product();
  let url: string;
  beforeAll(async () => {
    url = await here.up(['--no-node']);
  }, 90_000);
  afterAll(async () => {
    await elsewhere.dispose();
    await here.dispose();
  }, 60_000);

  function type() {
    const solyx = resolve(import.meta.dirname, '../../bin/solyx.mjs');
    const env = { ...process.env, SOLYX_HOME: elsewhere.home, NO_COLOR: '1' } as Record<string, string>;
    const terminal = pty!.spawn(process.execPath, [solyx, 'login', url], { env, cols: 200, rows: 20 });
    const seen = { text: '', code: undefined as number | undefined };
    terminal.onData((data) => {
      seen.text += data;
    });
    terminal.onExit(({ exitCode }) => {
      seen.code = exitCode;
    });
    return { terminal, seen };
  }

  it('shows nothing of the key, and takes corrections', async () => {
    const { terminal, seen } = type();
    await until('it asks', () => seen.text.includes('API key of'));
    const key = readFileSync(join(here.home, 'admin.key'), 'utf8').trim();
    terminal.write(`${key}xx\u007f\u007f\r`);
    await until('it has ended', () => seen.code !== undefined);
    expect(seen.code).toBe(0);
    expect(seen.text).toContain('signed in to');
    expect(seen.text).not.toContain(key.slice(0, 20));
    expect(await elsewhere.json(['whoami'])).toMatchObject({ role: 'admin' });
  });

  it('ends with Ctrl-C, keeping nothing', async () => {
    await elsewhere.ok(['logout']);
    const { terminal, seen } = type();
    await until('it asks', () => seen.text.includes('API key of'));
    terminal.write('\u0003');
    await until('it has ended', () => seen.code !== undefined);
    expect(seen.code).not.toBe(0);
    expect(await elsewhere.json(['logout'])).toEqual({ forgotten: false });
  });
});
