/** A node behind a network that stalls, crawls and loses one side: jobs go on, nothing is lost, nothing runs twice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadProxy } from '../support/bad-proxy.ts';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Job {
  state: string;
  contactLostSince: string | null;
  attempts: { outcome: string | null }[];
}

const product = new Product();
const elsewhere = mkdtempSync(join(tmpdir(), 'solyx-bad-network-'));
let proxy: BadProxy;
let agent: NodeAgent;

beforeAll(async () => {
  const url = await product.up(['--no-node']);
  proxy = await BadProxy.before(url);
  const token = await product.ok(['keys', 'create', '--name', 'far', '--kind', 'join']);
  agent = startNodeAgent({ url: proxy.url, token, dataDir: join(elsewhere, 'agent'), name: 'far' });
  await until('the node is ready', async () => (await presence()) === 'ready', 30_000);
}, 120_000);
afterAll(async () => {
  await product.run(['down'], { env: { SOLYX_HOME: elsewhere } });
  agent?.child.kill('SIGKILL');
  await product.dispose();
  await proxy?.close();
  rmSync(elsewhere, { recursive: true, force: true });
}, 90_000);

const presence = async () => (await product.json<{ items: { presence: string }[] }>(['nodes'])).items[0]?.presence;
const jobOf = (id: string) => product.json<Job>(['job', id]);
const submit = async (lines: number): Promise<string> => {
  const id = await product.ok(['submit', '-'], { input: countingJob(lines) });
  await until('it writes', async () => (await product.ok(['logs', id])).includes('line 0'), 30_000);
  return id;
};
const succeeds = async (id: string, lines: number) => {
  const job = await until(
    'it succeeds',
    async () => {
      const seen = await jobOf(id);
      return ['succeeded', 'failed', 'cancelled'].includes(seen.state) ? seen : undefined;
    },
    90_000,
  );
  expect(job.state).toBe('succeeded');
  expect(job.attempts).toHaveLength(1);
  await until('its log is whole', async () => (await product.ok(['logs', id])) === countedLines(lines), 30_000);
};

describe('a network that', () => {
  it('stalls for longer than a node may be silent: contact is lost, said so, and found again; the job never noticed', async () => {
    const id = await submit(350);
    proxy.illness = { kind: 'stalled' };
    await until('contact is lost', async () => (await jobOf(id)).contactLostSince !== null, 40_000);
    expect(await presence()).toBe('lost');
    expect((await jobOf(id)).state).toBe('running');
    proxy.illness = { kind: 'none' };
    await until('contact is found', async () => (await jobOf(id)).contactLostSince === null, 60_000);
    await succeeds(id, 350);
  }, 180_000);

  it('loses the server’s side in silence: the node notices by itself and comes again', async () => {
    const id = await submit(300);
    const before = proxy.connections;
    expect(before).toBeGreaterThan(0);
    proxy.loseServerSide();
    await succeeds(id, 300);
    expect(await presence()).toBe('ready');
  }, 150_000);

  it('crawls: a chatty job’s log comes late and whole, and heartbeats are not stuck behind it', async () => {
    const script = `for (let n = 0; n < 3000; n++) console.log('line ' + n + ' ' + 'x'.repeat(60))`;
    proxy.illness = { kind: 'slow', bytesPerSecond: 20_000 };
    const id = await product.ok(['submit', '-'], {
      input: JSON.stringify({
        name: 'chatty',
        command: ['node', '-e', script],
        resources: { cpu: 0.1, memory: '128MiB', disk: '16MiB' },
      }),
    });
    const looks: (string | undefined)[] = [];
    await until(
      'its log is whole',
      async () => {
        looks.push(await presence());
        return (await product.ok(['logs', id])).split('\n').length === 3000;
      },
      90_000,
    );
    // A busy machine may miss one; behind a megabyte of log lines all of them would be late.
    expect(looks.filter((look) => look === 'ready').length / looks.length).toBeGreaterThan(0.7);
    proxy.illness = { kind: 'none' };
    expect((await jobOf(id)).state).toBe('succeeded');
  }, 150_000);

  it('stalls under somebody who follows a log: she gets the rest when it is back', async () => {
    const id = await submit(120);
    const slow = await BadProxy.before(proxy.url);
    const following = product.run(['logs', id, '--follow'], { env: { SOLYX_URL: slow.url } });
    await until('she follows', async () => slow.connections > 0, 20_000);
    slow.illness = { kind: 'stalled' };
    await succeeds(id, 120);
    slow.illness = { kind: 'none' };
    const followed = await following;
    await slow.close();
    expect(followed.code, followed.stderr).toBe(0);
    expect(followed.stdout.trimEnd()).toBe(countedLines(120));
  }, 150_000);
});
