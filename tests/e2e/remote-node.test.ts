/** A second machine joins (another data directory on this one), works, and is sent away; keys that do not fit are told so. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countedLines, countingJob } from '../support/counting-job.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Node {
  id: string;
  name: string;
  presence: string;
}

// A path with spaces, longer than a socket's may be.
const folder = join(mkdtempSync(join(tmpdir(), 'solyx-remote-')), `a folder with spaces ${'x'.repeat(100)}`);
mkdirSync(folder);
const product = new Product({ home: join(folder, 'server home') });
/** Data directory of the other machine. */
const elsewhere = join(folder, 'other machine');
let url = '';
let agent: NodeAgent | undefined;

beforeAll(async () => {
  url = await product.up(['--no-node']);
}, 90_000);
afterAll(async () => {
  await product.run(['down'], { env: { SOLYX_HOME: elsewhere } });
  agent?.child.kill('SIGKILL');
  await product.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

const nodes = async (...filter: string[]) => (await product.json<{ items: Node[] }>(['nodes', ...filter])).items;

describe('a remote node', () => {
  it('with a wrong token is refused, and the agent ends saying so', async () => {
    const stranger = startNodeAgent({ url, token: 'sx_join_x', dataDir: join(folder, 'stranger'), name: 'stranger' });
    expect(await stranger.ended).toBe(1);
    expect(stranger.words()).toContain('join_token_used');
    expect(await nodes()).toEqual([]);
  }, 30_000);

  it('joins with a token for the only site, and runs a job', async () => {
    const token = await product.ok(['keys', 'create', '--name', 'rack-1', '--kind', 'join']);
    agent = startNodeAgent({ url, token, dataDir: join(elsewhere, 'agent'), name: 'rack-1' });
    await until('it is ready', async () => (await nodes('--presence', 'ready')).length === 1, 30_000);
    expect((await nodes())[0]!.name).toBe('rack-1');
    const job = await product.run(['submit', '-', '--follow'], { input: countingJob(5) });
    expect(job.code, job.stderr).toBe(0);
    expect(job.stdout.trimEnd()).toBe(countedLines(5));
  }, 90_000);

  it('whose token is revoked ends its jobs and itself, saying so; its job is lost and not forgotten', async () => {
    // Nobody can tell the node to stop any more, so the job ends by its own rule.
    const input = countingJob(6000, {
      onDisconnect: { stopAfter: 5 },
      timeouts: { stopGrace: 1 },
      retries: { 'node-lost': 0 },
    });
    const id = await product.ok(['submit', '-'], { input });
    await until('it runs', async () => (await product.ok(['logs', id])).includes('line 0'), 30_000);
    const { items } = await product.json<{ items: { id: string; kind: string }[] }>(['keys']);
    await product.ok(['keys', 'revoke', items.find(({ kind }) => kind === 'node')!.id]);
    expect(await agent!.ended).toBe(1);
    expect(agent!.words()).toContain('revoked this node');
    const [node] = await nodes();
    await until('it is lost', async () => (await nodes())[0]?.presence !== 'ready', 40_000);
    await product.ok(['nodes', 'remove', node!.id, '--powered-off']);
    const job = await until(
      'the job has ended',
      async () => {
        const seen = await product.json<{ state: string; attempts: { outcome: string }[] }>(['job', id]);
        return seen.state === 'failed' ? seen : undefined;
      },
      20_000,
    );
    expect(job.attempts[0]!.outcome).toBe('node-lost');
  }, 120_000);
});

describe('keys', () => {
  it('a wrong key and a revoked key are told apart, both with exit code 1', async () => {
    const wrong = await product.run(['jobs'], { env: { SOLYX_API_KEY: 'sx_live_nonsense' } });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('unauthenticated');
    const key = await product.json<{ id: string; secret: string }>(['keys', 'create', '--name', 'short']);
    const env = { SOLYX_API_KEY: key.secret };
    expect((await product.run(['jobs'], { env })).code).toBe(0);
    await product.ok(['keys', 'revoke', key.id]);
    await until(
      'it is refused',
      async () => (await product.run(['jobs'], { env })).stderr.includes('key_revoked'),
      5_000,
    );
  }, 40_000);

  it('a member may not manage the fleet, and is told which role may', async () => {
    const { secret } = await product.json<{ secret: string }>(['keys', 'create', '--name', 'member']);
    const refused = await product.run(['keys'], { env: { SOLYX_API_KEY: secret } });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/forbidden.*admin/);
  }, 20_000);

  it('with two sites a join token must say which, and the message names them', async () => {
    await product.ok(['sites', 'create', 'berlin', '--grid-zone', 'DE']);
    const result = await product.run(['keys', 'create', '--name', 'x', '--kind', 'join']);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/--site.*site_\w+ \(berlin\)/);
  }, 20_000);
});
