import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallAnswer } from '../../src/common/contract/client.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Job {
  id: string;
  state: string;
  exitCode: number | null;
  attempts: { outcome: string | null; explanation: { candidates: unknown[]; policy: string } }[];
  timeline: { kind: string }[];
  usage: { runSeconds: number; costUsd: string; energyKwh: number; energySource: string | null; open: boolean };
  checkpoint: { hash: string } | null;
}

const product = new Product();
beforeAll(() => product.up(), 90_000);
afterAll(() => product.dispose(), 150_000);

describe('the README’s three lines', () => {
  let id = '';

  it('submit --follow trains the model in the sandbox: loss falls, checkpoints are kept, the exit code is 0', async () => {
    const result = await product.run(['submit', 'examples/train.yaml', '--follow']);
    expect(result.code, `${result.stderr}\n${product.log('agent')}\n${product.log('control-plane')}`).toBe(0);
    const losses = [...result.stdout.matchAll(/validation loss\D*([0-9.]+)/gi)].map(([, loss]) => Number(loss));
    expect(losses.length).toBeGreaterThan(2);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
    id = /job_[0-9a-z]{26}/.exec(result.stderr)![0];
  }, 120_000);

  it('metrics shows the loss falling, as a curve and as JSON', async () => {
    const { series } = await until('the last of the metrics', async () => {
      const answer = await product.json<CallAnswer<'getJobMetrics'>>(['metrics', id]);
      return answer.complete ? answer : undefined;
    });
    const loss = series.find(({ name }) => name === 'loss')!;
    expect(loss.points.step).toHaveLength(131);
    expect(loss.points.mean.at(-1)).toBeLessThan(loss.points.mean[0]! - 0.5);
    expect(await product.ok(['metrics', id])).toMatch(/^loss +2600 .*█.*▁/m);
  }, 60_000);

  it('jobs lists it, as a table and as JSON', async () => {
    const table = await product.run(['jobs']);
    expect(table.stdout).toMatch(new RegExp(`^ID .*NAME .*STATE[^]*${id} .*succeeded`, 'm'));
    const { items } = await product.json<{ items: Job[] }>(['jobs']);
    expect(items.map((job) => job.id)).toContain(id);
  });

  it('job tells state, timeline, attempts, why it ran there, usage, cost and energy', async () => {
    const job = await product.json<Job>(['job', id]);
    expect(job).toMatchObject({ id, state: 'succeeded', exitCode: 0, usage: { open: false } });
    expect(job.attempts).toHaveLength(1);
    expect(job.attempts[0]!.outcome).toBe('succeeded');
    expect(job.attempts[0]!.explanation.candidates.length).toBeGreaterThan(0);
    expect(job.timeline.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['job.queued', 'job.starting', 'job.running', 'job.succeeded']),
    );
    expect(job.usage.runSeconds).toBeGreaterThan(5);
    expect(Number(job.usage.costUsd)).toBeGreaterThan(0);
    expect(job.usage.energyKwh).toBeGreaterThan(0);
    expect(job.checkpoint?.hash).toMatch(/^[0-9a-f]{64}$/);
    const text = await product.run(['job', id]);
    expect(text.stdout).toMatch(/queued {2}by key_/);
    expect(text.stdout).toMatch(/starting {2}by scheduler/);
    for (const heading of ['Timeline', 'Attempt 1', 'why here', 'Usage', 'cost', 'energy'])
      expect(text.stdout).toContain(heading);
  });
});

describe('the other examples', () => {
  it('the array runs every task with its own index', async () => {
    const array = await product.json<{ arrayId: string; count: number; states: unknown }>([
      'submit',
      'examples/array.yaml',
      '--wait',
    ]);
    expect(array.count).toBeGreaterThan(1);
    expect(array.states).toEqual({ succeeded: array.count });
    const { items } = await product.json<{ items: Job[] }>(['jobs', '--array', array.arrayId]);
    expect(items).toHaveLength(array.count);
  }, 90_000);

  it('the retried job fails, is tried again from its checkpoint, and succeeds', async () => {
    const job = await product.json<Job>(['submit', 'examples/retry.yaml', '--wait']);
    expect(job.state).toBe('succeeded');
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'succeeded']);
  }, 90_000);

  it('the one that asks for what does not exist waits, with its reason, and can be cancelled', async () => {
    const { id } = await product.json<{ id: string }>(['submit', 'examples/waits.yaml']);
    const pending = async () =>
      (await product.json<{ pending: { reason: string } | null }>(['job', id])).pending?.reason;
    await expect.poll(pending, { timeout: 20_000, interval: 200 }).toBe('no_matching_node');
    expect((await product.run(['cancel', id])).code).toBe(0);
    expect((await product.json<Job>(['job', id])).state).toBe('cancelled');
  }, 60_000);
});
