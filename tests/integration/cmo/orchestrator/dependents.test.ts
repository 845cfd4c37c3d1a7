import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingJobs, readPendingJobs } from '../../../../src/cmo/jobs/index.ts';
import type { ClusterOrchestrator } from '../../../../src/cmo/orchestrator/index.ts';
import type { JobSpecInput } from '../../../../src/common/contract/job-spec.ts';
import { withTenant } from '../../../../src/common/database/index.ts';
import { makeWorld, type World } from './support/world.ts';

let world: World;
let orchestrator: ClusterOrchestrator;

beforeAll(async () => {
  world = await makeWorld();
  orchestrator = world.orchestrator();
  await orchestrator.round();
});
afterAll(() => world?.close());

const pass = async (seconds: number) => {
  world.clock.advance(seconds * 1000);
  await orchestrator.round();
};
const submitAfter = (awaited: JobSpecInput['after'], spec: Partial<JobSpecInput> = {}) =>
  world.submit({ ...spec, after: awaited });
const isPlanned = async (job: string) => (await world.system((tx) => readPendingJobs(tx, [job]))).length === 1;
const reason = async (job: string) => (await world.job(job)).pending_reason;

/** Runs a job to its end. */
async function run(job: string, end: string | number = 0) {
  world.script(job, { runSeconds: 1, end });
  await world.place(job);
  await orchestrator.round();
  await pass(2);
  await pass(2);
}

describe('a job after others', () => {
  it('is seen by no scheduler before they succeeded', async () => {
    const [first, second] = [await world.submit(), await world.submit()];
    const job = await submitAfter([first, { job: second, when: 'succeeded' }]);
    expect(await world.job(job)).toMatchObject({
      state: 'queued',
      pending_reason: 'waits_for_jobs',
      pending_detail: { message: `It waits for ${first} (succeeded), ${second} (succeeded).` },
    });
    await run(first);
    expect(await isPlanned(job)).toBe(false);
    expect((await world.job(job)).pending_detail?.message).toBe(`It waits for ${second} (succeeded).`);
    await run(second);
    expect(await isPlanned(job)).toBe(true);
    expect(await reason(job)).toBe('new');
  });

  it('may begin when they have started, or ended however that was', async () => {
    const first = await world.submit({}, { runSeconds: 100, end: 7 });
    const started = await submitAfter([{ job: first, when: 'started' }]);
    const ended = await submitAfter([{ job: first, when: 'ended' }]);
    const planned = async () => [await isPlanned(started), await isPlanned(ended)];
    await world.place(first);
    await orchestrator.round();
    expect(await planned()).toEqual([false, false]);
    await pass(5);
    expect(await planned()).toEqual([true, false]);
    await pass(200);
    await pass(1);
    expect((await world.job(first)).state).toBe('failed');
    expect(await planned()).toEqual([true, true]);
  });

  it('fails with them, and so do those that wait for it', async () => {
    const first = await world.submit();
    const second = await submitAfter([first]);
    const third = await submitAfter([second]);
    const whatever = await submitAfter([{ job: second, when: 'ended' }]);
    await run(first, 1);
    await orchestrator.round();
    const why = `waited for ${first}, which cannot be any more`;
    expect(await world.job(second)).toMatchObject({ state: 'failed', reason: why });
    expect((await world.job(third)).state).toBe('failed');
    expect(await isPlanned(whatever)).toBe(true);
    expect(await world.events(second)).toEqual(['job.queued', 'job.failed']);
  });

  it('fails when one is cancelled before it began', async () => {
    const first = await world.submit();
    const job = await submitAfter([{ job: first, when: 'started' }]);
    await world.cancel(first);
    await orchestrator.round();
    expect((await world.job(job)).state).toBe('failed');
  });

  it('of an array waits for all its tasks', async () => {
    const tasks = await world.submitArray(3);
    const job = await submitAfter([tasks[0]!.arrayId!]);
    await run(tasks[0]!.id);
    await run(tasks[2]!.id);
    expect(await isPlanned(job)).toBe(false);
    await run(tasks[1]!.id);
    expect(await isPlanned(job)).toBe(true);
  });

  it('may begin at once when they had succeeded already, and fails when they had failed', async () => {
    const [good, bad] = [await world.submit(), await world.submit()];
    await run(good);
    await run(bad, 1);
    const [begins, fails] = [await submitAfter([good]), await submitAfter([bad])];
    await orchestrator.round();
    expect(await isPlanned(begins)).toBe(true);
    expect((await world.job(fails)).state).toBe('failed');
  });

  it('is decided about by a server that was away while they ended', async () => {
    const first = await world.submit();
    const job = await submitAfter([first]);
    await orchestrator.round();
    await world.system((tx) =>
      tx.query(
        `update cmo_jobs set state = 'succeeded', pending_reason = null, pending_detail = null, ended_at = now() where id = $1`,
        [first],
      ),
    );
    await orchestrator.round();
    expect(await isPlanned(job)).toBe(false);
    await world.orchestrator().round();
    expect(await isPlanned(job)).toBe(true);
  });

  it('that is suspended meanwhile learns of them when it is resumed', async () => {
    const first = await world.submit();
    const job = await submitAfter([first]);
    await world.suspend(job);
    await run(first);
    expect((await world.job(job)).state).toBe('suspended');
    expect(await world.resume(job)).toMatchObject({ pending_reason: 'waits_for_jobs' });
    await orchestrator.round();
    expect(await isPlanned(job)).toBe(true);
  });

  it('that is retried does not wait again', async () => {
    const first = await world.submit();
    const job = await submitAfter([first], { retries: { failed: 1 } });
    await run(first);
    await run(job, 1);
    expect(await world.job(job)).toMatchObject({ state: 'queued', pending_reason: 'retry_backoff' });
    expect(await isPlanned(job)).toBe(true);
  });

  it('cannot name jobs of another tenant', async () => {
    const first = await world.submit();
    const stranger = await world.addTenant();
    const missing = (tenant: string, ids: string[]) => withTenant(world.db, tenant, (tx) => missingJobs(tx, ids));
    expect(await missing(world.tenant.tenant, [first])).toEqual([]);
    expect(await missing(stranger, [first])).toEqual([first]);
  });
});
