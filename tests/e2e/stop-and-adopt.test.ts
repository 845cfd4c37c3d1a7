/** One job lives through every way in which the control plane may end, on one data directory. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { Product, processesOf } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Job {
  state: string;
  attempts: { outcome: string | null }[];
}

const lines = 300;
const product = new Product();
let id = '';

beforeAll(() => product.up(), 90_000);
afterAll(() => product.dispose(), 90_000);

const agentPid = () => processesOf(product.home).find(({ command }) => / agent --data /.test(command))?.pid;
const isSaying = async (line: string) => (await product.run(['logs', id])).stdout.includes(line);
const postgresPid = () =>
  processesOf(product.home).find(({ command }) => /postgres -D /.test(command) && !command.includes('unshare'))?.pid;

describe('a job that runs while the control plane comes and goes', () => {
  it('is submitted from standard input and runs', async () => {
    id = await product.ok(['submit', '-'], { input: countingJob(lines) });
    await until('it writes', () => isSaying('line 0'), 30_000);
  }, 60_000);

  it('a second server on the same data directory is refused, and the first one goes on', async () => {
    const second = await product.run(['up', '--port', '0', '--json']);
    expect(second.code).toBe(1);
    expect(JSON.parse(second.stdout).error.code).toBe('home_in_use');
    expect(second.stderr).toContain(`held by process ${product.pid}`);
    expect((await product.run(['jobs'])).code).toBe(0);
  }, 30_000);

  it('Ctrl-C stops control plane and database, and leaves agent and job running', async () => {
    const agent = agentPid();
    await product.kill('SIGINT');
    expect(product.output).toMatch(/SIGINT: stopping/);
    expect(postgresPid()).toBeUndefined();
    expect(agentPid()).toBe(agent);
    const away = await product.run(['jobs']);
    expect(away.code).toBe(3);
    expect(away.stderr).toContain(`No server runs on ${product.home}`);
  }, 30_000);

  it('the next start adopts agent and job', async () => {
    const agent = agentPid();
    await product.up();
    await until('it writes on', () => isSaying('line 30'), 30_000);
    expect(agentPid()).toBe(agent);
    expect((await product.json<Job>(['job', id])).state).toBe('running');
  }, 90_000);

  it('kill -9 of the control plane leaves the database; the next start adopts it', async () => {
    await product.kill('SIGKILL');
    const database = postgresPid();
    expect(database).toBeGreaterThan(0);
    const stale = await product.run(['jobs']);
    expect(stale.code).toBe(3);
    expect(stale.stderr).toMatch(/The server of .* has ended/);
    await product.up();
    expect(postgresPid()).toBe(database);
  }, 90_000);

  it('the job ends once, with its log whole', async () => {
    await until(
      'it has ended',
      async () => /succeeded|failed|cancelled/.test((await product.json<Job>(['job', id])).state),
      60_000,
    );
    const job = await product.json<Job>(['job', id]);
    expect(job.state, product.log('agent')).toBe('succeeded');
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['succeeded']);
    expect(await product.ok(['logs', id])).toBe(countedLines(lines));
  }, 90_000);

  it('down ends everything while a job runs: nothing of the data directory is left', async () => {
    await product.ok(['submit', '-'], { input: countingJob(6000) });
    const attempts = join(product.home, 'agent', 'attempts');
    await until('it runs', () => existsSync(attempts) && readdirSync(attempts).length > 0, 20_000);
    const down = await product.json<Record<string, unknown>>(['down']);
    expect(down).toEqual({ home: product.home, agent: true, controlPlane: true, database: true });
    await product.ended();
    expect(processesOf(product.home)).toEqual([]);
    expect(await product.json(['down'])).toMatchObject({ agent: false, controlPlane: false, database: false });
  }, 90_000);
});
