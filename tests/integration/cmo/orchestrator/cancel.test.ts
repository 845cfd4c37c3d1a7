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

/** A job whose attempt is `running`. */
async function runningJob(spec: Parameters<World['submit']>[0] = {}, on = world.nodes.slice(0, 1)) {
  const job = await world.submit(spec, { runSeconds: null });
  await world.place(job, on);
  await orchestrator.round();
  await pass(2);
  expect(await world.attempts(job)).toEqual(['running']);
  return job;
}

describe('cancelling a job', () => {
  it('that is queued ends it at once', async () => {
    const job = await world.submit();
    expect(await world.cancel(job)).toMatchObject({ state: 'cancelled', pending_reason: null });
    await expect(world.cancel(job)).rejects.toMatchObject({ code: 'job_final' });
  });

  it('that is placed ends it before anything is started', async () => {
    const job = await world.submit();
    const attempt = await world.place(job);
    await world.cancel(job);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended cancelled']);
    expect(await world.job(job)).toMatchObject({ state: 'cancelled' });
    expect(await world.simulator.observe([attempt])).toEqual([]);
    expect(await world.intervals(job)).toEqual([]);
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('that is starting stops it', async () => {
    const job = await world.submit({}, { startSeconds: 100 });
    await world.place(job);
    await orchestrator.round();
    await world.cancel(job);
    expect(await world.job(job)).toMatchObject({ state: 'stopping', stop_reason: 'cancel' });
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended cancelled']);
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('that runs stops it with grace, and asking twice is as asking once', async () => {
    const job = await runningJob();
    await world.cancel(job);
    await world.cancel(job);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['stopping']);
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended cancelled']);
    expect(await world.job(job)).toMatchObject({ state: 'cancelled', contact_lost_since: null });
    expect(await world.intervals(job)).toMatchObject([{ closed: true }]);
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('that is being stopped for another reason cancels it instead', async () => {
    const job = await runningJob();
    await world.stop(job, 'suspend');
    await orchestrator.round();
    await world.cancel(job);
    await pass(2);
    expect(await world.job(job)).toMatchObject({ state: 'cancelled' });
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('that has just succeeded leaves it succeeded', async () => {
    const job = await world.submit({}, { runSeconds: 10 });
    await world.place(job);
    await orchestrator.round();
    world.clock.advance(60_000);
    await world.cancel(job);
    await orchestrator.round();
    expect(await world.job(job)).toMatchObject({ state: 'succeeded' });
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('without contact stops the ranks that can be reached at once, and the others when they are back', async () => {
    const job = await runningJob({ resources: { nodes: 2 } }, world.nodes.slice(0, 2));
    world.simulator.loseContact(world.nodes[1]!);
    await world.presence();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['unknown']);
    await world.cancel(job);
    await orchestrator.round();
    await pass(2);
    expect(world.simulator.processes().map(({ rank }) => rank)).toEqual([1]);
    expect(await world.attempts(job)).toEqual(['unknown']);
    world.simulator.restore(world.nodes[1]!);
    await world.presence();
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended cancelled']);
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('whose node never comes back ends when its work has certainly ended', async () => {
    const job = await runningJob();
    world.simulator.powerOff(world.nodes[0]!);
    await world.presence();
    await world.cancel(job);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['unknown']);
    await world.age(631);
    await world.makeDue();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    expect(await world.job(job)).toMatchObject({ state: 'cancelled' });
    world.simulator.restore(world.nodes[0]!);
    await world.presence();
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('that is suspended ends it at once', async () => {
    const job = await runningJob();
    await world.stop(job, 'suspend');
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended suspended']);
    expect(await world.job(job)).toMatchObject({ state: 'suspended', ended_at: null });
    expect(await world.cancel(job)).toMatchObject({ state: 'cancelled' });
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('a job that has to make room', () => {
  it('returns to the queue without using up a retry', async () => {
    const job = await runningJob();
    await world.stop(job, 'preempt');
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended preempted']);
    const row = await world.job(job);
    expect(row).toMatchObject({ state: 'queued', pending_reason: 'new', stop_reason: null, deferred_until: null });
    expect(row.retries_used).toEqual({});
    await world.cancel(job);
  });
});
