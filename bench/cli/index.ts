/**
 * `cli`: how long a person waits for `solyx jobs`, `solyx submit --json` and `solyx job ID`: whole processes, `bin/solyx` itself,
 * against a server with 10,000 jobs in its database.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { addEndedJobs, addTenants } from '../api/fill.ts';
import type { Benchmark, BenchmarkCase, PeerValue } from '../harness.ts';
import { startBenchDatabase } from '../product/database.ts';
import { startServer } from '../product/server-process.ts';
import { percentile } from '../statistics.ts';

const solyx = resolve(import.meta.dirname, '../../bin/solyx');
const run = promisify(execFile);
const jobs = 10_000;
const runs = 40;
const boundMs = 250;

const quoted = (value: number, what: string): PeerValue => ({ quoted: value, source: `${what}, reference/systems.md` });
const peers = {
  'SkyPilot 0.14': quoted(2_600, 'sky jobs queue, 2.6–4.4 s'),
  'dstack 0.22': quoted(1_000, 'dstack ps, 1.0–1.2 s'),
};

async function measure(): Promise<BenchmarkCase[]> {
  const database = await startBenchDatabase();
  const [tenant] = await addTenants(database, 1);
  await addEndedJobs(database, [tenant!], jobs);
  const server = await startServer(database, ['api', 'scheduler']);
  try {
    const folder = join(database.home, 'work');
    await mkdir(folder);
    const file = join(folder, 'train.yaml');
    await writeFile(file, 'name: train\ncommand: ["true"]\nresources: { cpu: 1, memory: 1GiB }\n');
    const env = { ...process.env, SOLYX_URL: server.url, SOLYX_API_KEY: tenant!.key, SOLYX_HOME: folder };
    const command = async (...words: string[]) => (await run(solyx, words, { env, cwd: folder })).stdout;
    const { id } = JSON.parse(await command('submit', file, '--json')) as { id: string };

    const commands: Record<string, () => string[]> = {
      'solyx jobs': () => ['jobs'],
      'solyx submit --json': () => ['submit', file, '--json'],
      'solyx job ID': () => ['job', id],
    };
    const cases: BenchmarkCase[] = [];
    for (const [name, words] of Object.entries(commands)) {
      await command(...words());
      const took: number[] = [];
      for (let index = 0; index < runs; index += 1) {
        const began = performance.now();
        await command(...words());
        took.push(performance.now() - began);
      }
      cases.push(
        { case: name, metric: 'p50', unit: 'ms', ours: percentile(took, 0.5), peers: {} },
        { case: name, metric: 'p95', unit: 'ms', ours: percentile(took, 0.95), peers, bound: { atMost: boundMs } },
      );
    }
    const [load1] = loadavg();
    cases.push({ case: 'meanwhile', metric: 'load average of the machine', unit: '', ours: load1!, peers: {} });
    return cases;
  } finally {
    await server.stop();
    await database.dispose();
  }
}

export const benchmark: Benchmark = {
  name: 'cli',
  question: 'How long does a person wait for a command?',
  run: (context) => context.measure('commands', measure),
};
