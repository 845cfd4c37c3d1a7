/** Two `solyx serve all` on one PostgreSQL share the work, and one of them may be killed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Jobs {
  items: { id: string; state: string }[];
}

const home = mkdtempSync(join(tmpdir(), 'solyx-replicas-'));
const replicas: Product[] = [];
const urls: string[] = [];
let database: TestDatabase;
let agent: NodeAgent | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { SOLYX_DATABASE_URL: database.url };
  for (const index of [0, 1]) {
    replicas.push(new Product({ home, env, server: ['serve', 'all', '--port', '0'] }));
    urls.push(await replicas[index]!.up());
  }
  const token = await ok(0, ['keys', 'create', '--name', 'n', '--kind', 'join']);
  agent = startNodeAgent({ url: urls[1]!, token, dataDir: join(home, 'agent'), name: 'only' });
  await until('the node is ready', async () => (await ok(1, ['nodes'])).includes(' ready '), 30_000);
}, 120_000);

afterAll(async () => {
  await replicas[0]?.run(['down']);
  agent?.child.kill('SIGKILL');
  for (const replica of replicas) await replica.kill('SIGKILL');
  await database?.drop();
  rmSync(home, { recursive: true, force: true });
}, 90_000);

/** Runs a command through one of the replicas. */
const ok = (index: number, args: readonly string[], input?: string) =>
  replicas[index]!.ok(args, { env: { SOLYX_URL: urls[index]! }, ...(input !== undefined && { input }) });

/** Sum of a metric over its labels, as one of the replicas tells it. */
async function metric(index: number, name: string): Promise<number> {
  const key = readFileSync(join(home, 'admin.key'), 'utf8').trim();
  const answer = await fetch(`${urls[index]}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  const values = (await answer.text()).matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function untilAllEnded(index: number): Promise<Jobs['items']> {
  return until(
    'every job has ended',
    async () => {
      const { items } = JSON.parse(await ok(index, ['jobs', '--json'])) as Jobs;
      return items.every(({ state }) => /succeeded|failed|cancelled/.test(state)) ? items : undefined;
    },
    60_000,
  );
}

describe('two replicas of every component on one PostgreSQL', () => {
  it('both serve, schedule and orchestrate', async () => {
    const array = (count: number) => countingJob(1, { array: { count } });
    await Promise.all([ok(0, ['submit', '-'], array(8)), ok(1, ['submit', '-'], array(8))]);
    const jobs = await untilAllEnded(0);
    expect(jobs.map(({ state }) => state)).toEqual(Array(16).fill('succeeded'));
    for (const index of [0, 1]) {
      expect(await metric(index, 'solyx_scheduler_round_seconds_count'), `rounds of ${index}`).toBeGreaterThan(0);
      expect(await metric(index, 'solyx_orchestrator_steps_total'), `steps of ${index}`).toBeGreaterThan(0);
    }
  }, 120_000);

  it('one is killed while jobs run and wait: the other takes over, nothing is lost or done twice', async () => {
    const ids = await Promise.all([40, 40, 2, 2].map((lines) => ok(0, ['submit', '-'], countingJob(lines))));
    await until('one runs', async () => (await ok(1, ['logs', ids[0]!])).includes('line 0'), 30_000);
    await replicas[0]!.kill('SIGKILL');
    await untilAllEnded(1);
    for (const [index, id] of ids.entries()) {
      const job = JSON.parse(await ok(1, ['job', id, '--json'])) as { attempts: { outcome: string }[] };
      expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['succeeded']);
      expect(await ok(1, ['logs', id])).toBe(countedLines([40, 40, 2, 2][index]!));
    }
  }, 120_000);
});
