/** The disk of the data directory is full, and later has room again: refusals say so, and what was acknowledged is done. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { countingJob } from '../support/counting-job.ts';
import { startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

/** Whether this user may mount a small disk of their own, in a mount namespace that nobody else sees. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isPossible = mayMount();
const home = mkdtempSync(join(tmpdir(), 'solyx-full-'));
const folder = mkdtempSync(join(tmpdir(), 'solyx-upload-'));
const mount = 'mount -t tmpfs -o size=260m,mode=700 tmpfs "$SOLYX_HOME" && exec "$@"';
const server = new Product({ home, prefix: ['unshare', '--mount', 'sh', '-c', mount, 'sh'] });
/** A client inside the server's mount namespace. */
let client: Product;
const filler = () => `/proc/${server.pid}/root${home}/filler`;

beforeAll(async () => {
  if (!isPossible) return;
  await server.up();
  client = new Product({ home, prefix: ['nsenter', '--mount', '--target', String(server.pid)] });
}, 90_000);
afterAll(async () => {
  if (isPossible) {
    rmSync(filler(), { force: true });
    try {
      await client.run(['down']);
    } finally {
      await server.kill('SIGKILL');
    }
  }
  for (const path of [home, folder]) rmSync(path, { recursive: true, force: true });
}, 90_000);

function fillDisk(path = filler()): void {
  const file = openSync(path, 'a');
  try {
    for (const bytes of [2 ** 20, 4096]) {
      const block = Buffer.alloc(bytes, 1);
      try {
        for (;;) if (writeSync(file, block) < bytes) break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

it.skipIf(!isPossible)(
  'a full disk is told with its code; with room again everything that was acknowledged is done',
  async () => {
    const ids = [await client.ok(['submit', '-'], { input: countingJob(30) })];
    await until('it writes', async () => (await client.ok(['logs', ids[0]!])).includes('line 0'), 30_000);
    fillDisk();
    writeFileSync(join(folder, 'random'), randomBytes(4 * 2 ** 20));
    const upload = await client.run(['submit', '-', '--json'], { input: countingJob(1, { workingDirectory: folder }) });
    expect(JSON.parse(upload.stdout).error?.code).toMatch(/disk_full|database_unavailable/);
    // Small rows fit into pages that are there already: some are taken, until one is not.
    const big = countingJob(1, { env: { PADDING: 'x'.repeat(30_000) } });
    const refusal = await until(
      'a submission is refused',
      async () => {
        fillDisk();
        const result = await client.run(['submit', '-', '--json'], { input: big });
        const answer = JSON.parse(result.stdout) as { id?: string; error?: { code: string } };
        if (answer.id) ids.push(answer.id);
        return answer.error;
      },
      60_000,
    );
    expect(refusal.code, server.output).toMatch(/disk_full|database_unavailable/);

    rmSync(filler());
    await until(
      'a submission is taken',
      async () => {
        const result = await client.run(['submit', '-'], { input: countingJob(1) });
        if (result.code === 0) ids.push(result.stdout.trim());
        return result.code === 0;
      },
      60_000,
    );
    for (const id of ids) {
      let seen = '';
      const succeeds = async () => {
        const job = await client.json<{ state: string }>(['job', id]);
        seen = JSON.stringify(job, null, 1);
        return job.state === 'succeeded';
      };
      await until(`${id} has succeeded`, succeeds, 60_000).catch((error) => {
        throw new Error(`${error.message}\n${seen}\n${server.output.slice(-4_000)}`);
      });
    }
    expect((await client.run(['submit', resolve('examples/train.yaml'), '--dry-run'])).code).toBe(0);
  },
  240_000,
);

it.skipIf(!isPossible)(
  'a node whose disk fills up says so within seconds, and works again within seconds when there is room',
  async () => {
    const away = new Product();
    const dataDir = join(folder, 'agent');
    mkdirSync(dataDir);
    const url = await away.up(['--no-node']);
    const token = await away.ok(['keys', 'create', '--name', 'small', '--kind', 'join']);
    const small = 'mount -t tmpfs -o size=64m,mode=700 tmpfs "$0" && exec "$@"';
    const prefix = ['unshare', '--mount', 'sh', '-c', small, dataDir];
    const agent = startNodeAgent({ url, token, dataDir, name: 'small', prefix });
    const job = async (id: string) => (await away.json<{ state: string }>(['job', id])).state;
    const disk = async () =>
      (await away.json<{ items: { capacity: { diskBytes: number } }[] }>(['nodes'])).items[0]?.capacity.diskBytes;
    try {
      await until('it offers its disk', async () => ((await disk()) ?? 0) > 2 ** 25, 30_000);
      const filler = `/proc/${agent.child.pid}/root${dataDir}/filler`;
      fillDisk(filler);
      await until('it says that it has none', async () => ((await disk()) ?? 0) < 2 ** 22, 20_000);
      const id = await away.ok(['submit', '-'], { input: countingJob(1) });
      rmSync(filler);
      await until('the job has succeeded', async () => (await job(id)) === 'succeeded', 20_000);
    } finally {
      agent.child.kill('SIGTERM');
      await agent.ended;
      await away.dispose();
    }
  },
  120_000,
);
