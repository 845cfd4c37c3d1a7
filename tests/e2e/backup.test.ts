/** A backup is made while jobs run, the machine goes on, everything is lost, and the backup comes back under running nodes. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { Product, processesOf } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Job {
  state: string;
  attempts: { outcome: string | null }[];
}

const lines = 250;
const product = new Product();
const file = `${product.home}.backup`;
let known = '';
let later = '';

beforeAll(() => product.up(), 90_000);
afterAll(async () => {
  await product.dispose();
  rmSync(file, { force: true });
}, 90_000);

const isSaying = async (id: string, line: string) => (await product.run(['logs', id])).stdout.includes(line);
const supervisors = () => processesOf(product.home).filter(({ command }) => /supervisor\/main/.test(command)).length;
const attempts = () => readdirSync(join(product.home, 'agent', 'attempts')).length;

describe('a backup', () => {
  it('is made while a job runs', async () => {
    known = await product.ok(['submit', '-'], { input: countingJob(lines) });
    await until('it writes', () => isSaying(known, 'line 0'), 30_000);
    await product.ok(['backup', file]);
    const again = await product.run(['backup', file, '--json']);
    expect(JSON.parse(again.stdout).error.code).toBe('already_exists');
    const nowhere = await product.run(['backup', join(product.home, 'none', 'x.backup'), '--json']);
    expect(JSON.parse(nowhere.stdout).error.code).toBe('file_unwritable');
  }, 60_000);

  it('is not restored under a control plane that runs, nor over a database unless that is said', async () => {
    later = await product.ok(['submit', '-'], { input: countingJob(100 * lines) });
    await until('the later one writes', () => isSaying(later, 'line 0'), 30_000);
    expect(attempts()).toBe(2);
    const busy = await product.run(['restore', file, '--replace', '--json']);
    expect(JSON.parse(busy.stdout).error.code).toBe('home_in_use');
    await product.kill('SIGKILL');
    const full = await product.run(['restore', file, '--json']);
    expect(JSON.parse(full.stdout).error.code).toBe('restore_target_not_empty');
  }, 60_000);

  it('brings back the job that it knows, which never noticed, whole to its last line', async () => {
    await product.ok(['restore', file, '--replace']);
    await product.up();
    const ended = await until(
      'it succeeds',
      async () => {
        const job = await product.json<Job>(['job', known]);
        return job.state === 'succeeded' ? job : undefined;
      },
      60_000,
    );
    expect(ended.attempts).toHaveLength(1);
    expect(await product.ok(['logs', known])).toBe(countedLines(lines));
  }, 120_000);

  it('has no job of later, and what runs of it is ended', async () => {
    expect((await product.run(['job', later])).stderr).toContain('not_found');
    // One supervisor waits for the next job.
    await until('nothing runs that nobody knows', async () => attempts() === 0 && supervisors() <= 1, 80_000);
  }, 90_000);
});
