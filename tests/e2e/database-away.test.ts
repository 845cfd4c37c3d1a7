/** The database dies, hangs and comes back while a job runs: nothing is lost, nothing comes twice, and clients are told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { Product, processesOf } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Job {
  state: string;
  attempts: { outcome: string | null }[];
}

const lines = 80;
const product = new Product();
let id = '';

beforeAll(async () => {
  await product.up();
  id = await product.ok(['submit', '-'], { input: countingJob(lines) });
  await until('it writes', async () => (await product.run(['logs', id])).stdout.includes('line 0'), 30_000);
}, 120_000);
afterAll(async () => {
  for (const pid of database()) signal(pid, 'SIGCONT');
  await product.dispose();
}, 90_000);

/** Postmaster and backends, the postmaster first. */
function database(): number[] {
  return processesOf(`${product.home}/postgres`)
    .filter(({ command }) => /^(\S*\/bin\/postgres|postgres:)/.test(command))
    .sort((a, b) => Number(a.command.startsWith('postgres:')) - Number(b.command.startsWith('postgres:')))
    .map(({ pid }) => pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Backends come and go.
  }
}

describe('while a job runs', () => {
  it('a database that is killed is started again, and is the same', async () => {
    const [postmaster] = database();
    signal(postmaster!, 'SIGKILL');
    await until(
      'another one runs',
      () => database().some((pid) => pid !== postmaster) && !isAlive(postmaster!),
      10_000,
    );
    await until('the API answers', async () => (await product.run(['job', id])).code === 0, 30_000);
  }, 60_000);

  // A client waits half a minute before it gives up, which only CI has the time for.
  const slowly = process.env.CI === 'true' ? it : () => {};
  slowly(
    'a database that hangs is told to clients with a code',
    async () => {
      const frozen = database();
      for (const pid of frozen) signal(pid, 'SIGSTOP');
      try {
        const refused = await product.run(['jobs', '--json']);
        expect(refused.code).toBe(3);
        expect(JSON.parse(refused.stdout).error.code).toMatch(
          /database_unavailable|database_timeout|server_unreachable/,
        );
      } finally {
        for (const pid of frozen) signal(pid, 'SIGCONT');
      }
      await until('the API answers', async () => (await product.run(['jobs'])).code === 0, 30_000);
    },
    120_000,
  );

  it('the job ends once with its log whole, and the next one runs as if nothing had been', async () => {
    const read = () => product.json<Job>(['job', id]);
    await until('it has ended', async () => /succeeded|failed/.test((await read()).state), 60_000);
    const job = await read();
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['succeeded']);
    expect(await product.ok(['logs', id])).toBe(countedLines(lines));
    expect((await product.run(['submit', '-', '--wait'], { input: countingJob(2) })).code).toBe(0);
  }, 90_000);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
