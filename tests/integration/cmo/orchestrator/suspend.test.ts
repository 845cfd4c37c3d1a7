import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterOrchestrator } from '../../../../src/cmo/orchestrator/index.ts';
import { makeWorld, nothingLeft, type World } from './support/world.ts';

let world: World;
let orchestrator: ClusterOrchestrator;

beforeAll(async () => {
  world = await makeWorld();
  orchestrator = world.orchestrator();
});
afterAll(() => world?.close());

const pass = async (seconds: number) => {
  world.clock.advance(seconds * 1000);
  await orchestrator.round();
};

async function runningJob(spec: Parameters<World['submit']>[0] = {}) {
  const job = await world.submit(spec, { runSeconds: null });
  await world.place(job);
  await orchestrator.round();
  await pass(2);
  expect(await world.attempts(job)).toEqual(['running']);
  return job;
}

describe('suspending a job', () => {
  it('that is queued takes it out of the queue until it is resumed', async () => {
    const job = await world.submit();
    expect(await world.suspend(job)).toMatchObject({ state: 'suspended', pending_reason: null });
    expect(await world.suspend(job)).toMatchObject({ state: 'suspended' });
    await expect(world.place(job)).rejects.toThrow(/not placed/);
    expect(await world.resume(job)).toMatchObject({ state: 'queued', pending_reason: 'new', stop_reason: null });
    expect(await world.resume(job)).toMatchObject({ state: 'queued' });
    await world.place(job);
    expect(await world.events(job)).toEqual(['job.queued', 'job.suspended', 'job.queued', 'job.starting']);
    await world.cancel(job);
    await orchestrator.round();
  });

  it('that runs gives its place back, and the next attempt is made after it was resumed', async () => {
    const job = await runningJob();
    expect(await world.suspend(job)).toMatchObject({ state: 'stopping', stop_reason: 'suspend' });
    await expect(world.resume(job)).rejects.toMatchObject({ code: 'job_not_suspended' });
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended suspended']);
    expect(await world.job(job)).toMatchObject({ state: 'suspended', ended_at: null });
    expect(await world.intervals(job)).toMatchObject([{ closed: true }]);
    expect(await world.residue()).toEqual(nothingLeft);

    await world.resume(job);
    expect(await world.job(job)).toMatchObject({ state: 'queued', reason: null, exit_code: null });
    await world.place(job);
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended suspended', 'running']);
    await world.cancel(job);
    await orchestrator.round();
    await pass(2);
  });

  it('that is being preempted keeps it out of the queue', async () => {
    const job = await runningJob();
    await world.stop(job, 'preempt');
    await orchestrator.round();
    await world.suspend(job);
    await pass(2);
    expect(await world.job(job)).toMatchObject({ state: 'suspended' });
    expect(await world.cancel(job)).toMatchObject({ state: 'cancelled' });
    await expect(world.suspend(job)).rejects.toMatchObject({ code: 'job_final' });
    await expect(world.resume(job)).rejects.toMatchObject({ code: 'job_final' });
  });

  it('that is being cancelled is refused', async () => {
    const job = await runningJob();
    await world.cancel(job);
    await expect(world.suspend(job)).rejects.toMatchObject({ code: 'job_cancelling' });
    await orchestrator.round();
    await pass(2);
    expect(await world.job(job)).toMatchObject({ state: 'cancelled' });
  });

  it('does not use up the time that it may wait for its first start', async () => {
    const job = await world.submit({ timeouts: { queue: '1h' } });
    await world.suspend(job);
    await world.system((tx) =>
      tx.query(`update cmo_jobs set queue_deadline = now() - interval '1 s' where id = $1`, [job]),
    );
    await world.resume(job);
    const { queue_deadline } = await world.job(job);
    expect(queue_deadline!.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
  });

  it('keeps an earliest start that still lies ahead', async () => {
    const earliestStart = new Date(Date.now() + 3_600_000).toISOString();
    const job = await world.submit({ earliestStart });
    await world.suspend(job);
    expect((await world.resume(job)).deferred_until?.toISOString()).toBe(earliestStart);
  });
});
