/**
 * A secret from `solyx secrets set` to the job and nowhere else: not on the disk, not in the database, not in a log, not in the
 * arguments or the environment of any process but the job's.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const plaintext = 'correct-horse-battery-staple-4711';
const encoded = Buffer.from(plaintext).toString('base64');
/** Prints a hash of what it was given, waits to be looked at, and prints the secret itself. */
const script = [
  'sha256sum "$SOLYX_SECRETS_DIR/token" | cut -c1-8',
  'stat -c %a "$SOLYX_SECRETS_DIR/token"',
  'printf %s "$TOKEN" | sha256sum | cut -c1-8',
  'echo "leaked: $TOKEN"',
  'echo up',
  'while [ ! -e go ]; do sleep 0.05; done',
].join('; ');

let product: Product;

beforeAll(async () => {
  product = new Product({ env: { SOLYX_NODE_ISOLATION: 'sandbox,process', SOLYX_NODE_HOST_NETWORK: 'true' } });
  await product.up();
  await product.ok(['secrets', 'set', 'token'], { input: plaintext });
}, 120_000);
afterAll(() => product.dispose());

/** Files below a folder that hold the secret, as it is or as base64; links are not followed. */
function filesWithSecret(folder: string): string[] {
  const found: string[] = [];
  const walk = (path: string) => {
    for (const entry of attempt(() => readdirSync(path, { withFileTypes: true })) ?? []) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) walk(child);
      if (!entry.isFile()) continue;
      const bytes = attempt(() => readFileSync(child));
      if (bytes?.includes(plaintext) || bytes?.includes(encoded)) found.push(child);
    }
  };
  walk(folder);
  return found;
}

/** Files and processes go while they are looked at. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Command lines of processes that hold the text in their arguments or environment. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const command = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ?? '';
    const environment = attempt(() => readFileSync(`/proc/${pid}/environ`, 'latin1')) ?? '';
    return `${command} ${environment}`.includes(text) ? [command.replaceAll('\0', ' ').trim()] : [];
  });
}

describe.each(['sandbox', 'process'])('with isolation %s', (isolation) => {
  it('a job is given its secret by variable and file, and nobody else has it', async () => {
    const spec = {
      name: `secret-${isolation}`,
      command: script,
      isolation,
      network: isolation === 'process' ? 'host' : 'none',
      secrets: [{ name: 'token', env: 'TOKEN', file: 'token' }],
    };
    const { id } = await product.json<{ id: string }>(['submit', '-'], { input: JSON.stringify(spec) });
    expect(id).toMatch(/^job_/);
    const lines = await until(
      'the job is up',
      async () => {
        const text = (await product.run(['logs', id])).stdout;
        return text.includes('\nup') ? text.split('\n') : undefined;
      },
      60_000,
    );
    expect(lines[0]).toBe(lines[2]);
    expect(lines[1]).toBe('400');
    expect(lines[3]).toBe('leaked: ***');
    // The job itself has it in its environment; that is what was asked for.
    const holders = processesWith(plaintext);
    expect(holders.length).toBeGreaterThan(0);
    expect(holders.filter((command) => !/^(\/bin\/sh -c sha256sum|sleep)/.test(command))).toEqual([]);
    expect(filesWithSecret(product.home)).toEqual([]);
    // What shows that such a search finds anything: where there is no tmpfs of one's own, the file is seen in memory.
    if (isolation === 'process') expect(filesWithSecret('/dev/shm')).toHaveLength(1);
    expect(product.output).not.toContain(plaintext);
    for (const args of [['jobs'], ['job', id], ['secrets', 'list'], ['audit', 'list']]) {
      expect(JSON.stringify(await product.json(args))).not.toContain(plaintext);
    }
    await product.ok(['cancel', id]);
    await until('the job has ended', async () => (await product.ok(['job', id])).includes('cancelled'), 30_000);
    await until('its secrets are gone from memory', () => filesWithSecret('/dev/shm').length === 0);
    expect(filesWithSecret(product.home)).toEqual([]);
  }, 120_000);
});

it('says at submit which secret does not exist', async () => {
  const spec = { name: 'absent', command: ['true'], secrets: [{ name: 'nothing-of-that-name', env: 'X' }] };
  const result = await product.run(['submit', '-'], { input: JSON.stringify(spec) });
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain('secret_missing');
  expect(result.stderr).toContain('nothing-of-that-name');
});

it('verifies its own audit log', async () => {
  expect(await product.ok(['audit', 'verify'])).toMatch(/right|verified/);
});
