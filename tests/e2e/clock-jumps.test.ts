/** Wall clocks that are wrong by days: what decides and bills goes by boot time and by the database's clock. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const libraries = ['x86_64', 'aarch64'].map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`);
const library = libraries.find((file) => existsSync(file));
if (library === undefined) process.stderr.write('clock tests are skipped: no libfaketime (package faketime)\n');

interface Job {
  state: string;
  attempts: { outcome: string | null; ranks: { startedAt: string; endedAt: string }[] }[];
  usage: { runSeconds: number; open: boolean };
}

describe.skipIf(library === undefined)('a node whose wall clock', () => {
  const product = new Product();
  const elsewhere = mkdtempSync(join(tmpdir(), 'solyx-clock-'));
  /** What the node's wall clock is off by; read anew every second by every process there. */
  const offset = join(elsewhere, 'offset');
  let agent: NodeAgent;

  beforeAll(async () => {
    writeFileSync(offset, '+0\n');
    const url = await product.up(['--no-node']);
    const token = await product.ok(['keys', 'create', '--name', 'off', '--kind', 'join']);
    const env = {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_CACHE_DURATION: '1',
      // Time since boot is what must be relied on; it is left alone.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    agent = startNodeAgent({ url, token, dataDir: join(elsewhere, 'agent'), name: 'off', env });
    const ready = async () =>
      (await product.json<{ items: { presence: string }[] }>(['nodes'])).items[0]?.presence === 'ready';
    await until('the node is ready', ready, 30_000);
  }, 120_000);
  afterAll(async () => {
    await product.run(['down'], { env: { SOLYX_HOME: elsewhere } });
    agent?.child.kill('SIGKILL');
    await product.dispose();
    rmSync(elsewhere, { recursive: true, force: true });
  }, 90_000);

  for (const [words, jump] of [
    ['jumps ahead by forty days', '+40d'],
    ['jumps back by two minutes', '-120'],
    ['jumps back by forty days', '-40d'],
  ] as const) {
    it(`${words}: the job runs to its end once, and is billed for what it ran`, async () => {
      writeFileSync(offset, '+0\n');
      const input = countingJob(100, { onDisconnect: { stopAfter: 30 }, timeouts: { run: 300, stopGrace: 5 } });
      const id = await product.ok(['submit', '-'], { input });
      await until('it writes', async () => (await product.ok(['logs', id])).includes('line 0'), 30_000);
      writeFileSync(offset, `${jump}\n`);
      const job = await until(
        'it has ended',
        async () => {
          const seen = await product.json<Job>(['job', id]);
          return seen.state === 'running' || seen.state === 'starting' || seen.usage.open ? undefined : seen;
        },
        60_000,
      );
      expect(job.state).toBe('succeeded');
      expect(job.attempts).toHaveLength(1);
      expect(job.usage.runSeconds).toBeGreaterThan(9);
      expect(job.usage.runSeconds).toBeLessThan(40);
      expect(await product.ok(['logs', id])).toBe(countedLines(100));
    }, 120_000);
  }
});
