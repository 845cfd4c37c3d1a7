/**
 * The product for somebody who is not root: where the tests run as root, for a uid that the machine does not know; without a
 * home directory, and with a umask that forbids what one's own processes need.
 */
import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';

const strangerUid = 54_321;
const isRoot = process.getuid?.() === 0;
const asStranger = ['setpriv', '--reuid', `${strangerUid}`, '--regid', `${strangerUid}`, '--clear-groups'];

const home = mkdtempSync(join(tmpdir(), 'solyx-stranger-'));
const product = new Product({
  home,
  prefix: [...(isRoot ? asStranger : []), 'env', '-u', 'HOME', 'sh', '-c', 'umask 0277; exec "$@"', 'sh'],
  env: { XDG_CACHE_HOME: join(home, 'cache') },
});

beforeAll(async () => {
  if (isRoot) chownSync(home, strangerUid, strangerUid);
  chmodSync(home, 0o700);
  await product.up();
}, 90_000);
afterAll(() => product.dispose(), 90_000);

describe('for somebody without root, without HOME and with a strange umask', () => {
  it('the main job runs in the sandbox', async () => {
    const result = await product.run(['submit', resolve('examples/train.yaml'), '--follow']);
    expect(result.code, `${result.stderr}\n${product.output}\n${product.log('agent')}`).toBe(0);
    expect(result.stdout).toMatch(/validation loss/i);
    const { items } = await product.json<{ items: { isolation: string[] }[] }>(['nodes']);
    expect(items[0]!.isolation).toContain('sandbox');
  }, 120_000);
});
