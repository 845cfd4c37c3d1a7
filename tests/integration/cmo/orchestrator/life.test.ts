import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterOrchestrator } from '../../../../src/cmo/orchestrator/index.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
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

describe('a job that runs', () => {
  it('goes from placed to succeeded, is billed exactly, and leaves nothing behind', async () => {
    const job = await world.submit({}, { runSeconds: 600 });
    await world.place(job);
    expect(await world.attempts(job)).toEqual(['placed']);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['starting']);
    await world.age(7200);
    await pass(2);
    expect(await world.attempts(job)).toEqual(['running']);
    expect(await world.job(job)).toMatchObject({ state: 'running' });
    expect(await world.intervals(job)).toMatchObject([{ closed: false }]);
    await pass(600);
    expect(await world.job(job)).toMatchObject({ state: 'succeeded', exit_code: 0, reason: null, stop_reason: null });
    // 600 s of one core at 0.036 and one GiB at 0.0036 dollars an hour
    expect(await world.intervals(job)).toEqual([{ ms: 600_000, cost: 6_000n + 600n, energy: 6_000, closed: true }]);
    expect(await world.residue()).toEqual(nothingLeft);
    expect(await world.events(job)).toEqual([
      'job.queued',
      'job.starting',
      'attempt.starting',
      'attempt.running',
      'job.running',
      'attempt.ended',
      'job.succeeded',
    ]);
  });

  it('that started and ended between two looks has run', async () => {
    const job = await world.submit({}, { runSeconds: 5 });
    await world.place(job);
    await orchestrator.round();
    await world.age(7200);
    await pass(60);
    const row = await world.job(job);
    expect(row.state).toBe('succeeded');
    expect(row.started_at!.getTime()).toBe(row.ended_at!.getTime() - 5000);
    expect(await world.events(job)).toContain('job.running');
    expect(await world.intervals(job)).toMatchObject([{ ms: 5000, cost: 55n }]);
  });

  it('raises its revision with every event, so that readers can apply them', async () => {
    const job = await world.submit({ retries: { failed: 1 } }, { runSeconds: 1, end: 3 });
    await world.place(job);
    await orchestrator.round();
    await pass(60);
    const { rows } = await world.db.system.query<{ revision: bigint }>(
      'select revision from feed_events where subject = $1 order by id',
      [job],
    );
    const revisions = rows.map(({ revision }) => Number(revision));
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    expect(BigInt(revisions.at(-1)!)).toBe((await world.job(job)).revision);
    await world.cancel(job);
  });

  it('is not harmed by late, doubled and reordered reports', async () => {
    const faults = { reportDelaySeconds: 3, duplicateReports: true, reorderReports: true };
    const job = await world.submit({ retries: { failed: 1 } }, { runSeconds: 30, end: 7, faults });
    await world.place(job);
    await orchestrator.round();
    await world.age(7200);
    for (let second = 0; second < 50; second += 1) await pass(1);
    expect(await world.attempts(job)).toEqual(['ended failed']);
    expect(await world.job(job)).toMatchObject({ state: 'queued', pending_reason: 'retry_backoff' });
    expect(await world.intervals(job)).toMatchObject([{ ms: 30_000, cost: 330n }]);
    await world.cancel(job);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('a rank that has ended', () => {
  it('stays so while the others run, whatever arrives late', async () => {
    world.simulator.loseContact(world.nodes[1]!);
    const job = await world.submit(
      { resources: { nodes: 2 } },
      { runSeconds: 30, faults: { reorderReports: true, duplicateReports: true } },
    );
    const attempt = await world.place(job, world.nodes.slice(0, 2));
    await orchestrator.round();
    await pass(20);
    world.simulator.restore(world.nodes[1]!);
    const states: string[] = [];
    for (let second = 0; second < 40; second += 1) {
      await pass(1);
      const { rows } = await world.db.system.query<{ state: string }>(
        'select state from cmo_attempt_ranks where attempt_id = $1 and rank = 0',
        [attempt],
      );
      states.push(rows[0]!.state);
    }
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
    expect(states).toContain('starting');
    expect(states.slice(states.indexOf('ended')).every((state) => state === 'ended')).toBe(true);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('news that come between a look and its end', () => {
  it('are dealt with once, by whoever heard them', async () => {
    const job = await world.submit({}, { runSeconds: 30 });
    await world.place(job);
    await orchestrator.round();
    const other = world.orchestrator();
    const slow = world.backendWith({
      observe: async (ids: readonly string[]) => {
        const seen = await world.simulator.observe(ids);
        world.clock.advance(60_000);
        await other.round();
        return seen;
      },
    });
    world.clock.advance(2_000);
    await world.orchestrator({ backends: [slow] }).round();
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
    await orchestrator.round();
    const events = await world.events(job);
    expect(events.filter((kind) => kind === 'job.succeeded')).toHaveLength(1);
    expect(events.filter((kind) => kind === 'attempt.running')).toHaveLength(1);
  });

  it('are not missed when they made an attempt due that was looked at just then', async () => {
    const job = await world.submit({}, { runSeconds: 30 });
    await world.place(job);
    await orchestrator.round();
    const slow = world.backendWith({
      observe: async (ids: readonly string[]) => {
        const seen = await world.simulator.observe(ids);
        world.clock.advance(60_000);
        // Somebody heard that it ended, and dies before he can do more than take note.
        await world.db.system.query('update cmo_attempts set due_at = now() where job_id = $1', [job]);
        await world.simulator.settle(await world.simulator.changed(100));
        return seen;
      },
    });
    world.clock.advance(2_000);
    await world.orchestrator({ backends: [slow] }).round();
    expect(await world.attempts(job)).toEqual(['running']);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
  });
});

describe('a job that fails', () => {
  it('is tried again as often as it allows for that reason, later each time, and then fails', async () => {
    const job = await world.submit({ retries: { failed: 2 } }, { runSeconds: 1, end: 9 });
    const pauses: number[] = [];
    for (let number = 1; number <= 3; number += 1) {
      await world.place(job);
      await orchestrator.round();
      await pass(60);
      const { rows } = await world.db.system.query<{ pause: number | null }>(
        `select round(extract(epoch from deferred_until - max(at)))::float8 as pause
         from cmo_jobs join feed_events on subject = cmo_jobs.id and kind = 'job.queued'
         where cmo_jobs.id = $1 group by deferred_until`,
        [job],
      );
      if (rows[0]!.pause !== null) pauses.push(rows[0]!.pause);
    }
    expect(pauses).toEqual([1, 2]);
    expect(await world.attempts(job)).toEqual(['ended failed', 'ended failed', 'ended failed']);
    expect(await world.job(job)).toMatchObject({ state: 'failed', exit_code: 9, retries_used: { failed: 2 } });
    expect(await world.residue()).toEqual(nothingLeft);
    expect(await world.intervals(job)).toHaveLength(3);
  });

  it.each([
    ['out-of-memory', 'out-of-memory'],
    ['timed-out', 'timed-out'],
    ['start-failed', 'start-failed'],
  ])('names %s as what it is', async (end, outcome) => {
    const job = await world.submit({ retries: { 'start-failed': 0 } }, { runSeconds: 1, end });
    await world.place(job);
    await orchestrator.round();
    await pass(60);
    expect(await world.attempts(job)).toEqual([`ended ${outcome}`]);
    expect(await world.job(job)).toMatchObject({ state: 'failed' });
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('is not retried when its node says that it never can be started', async () => {
    const job = await world.submit({ retries: { 'start-failed': 3 } }, { runSeconds: 1, end: 'cannot-start' });
    await world.place(job);
    await orchestrator.round();
    await pass(60);
    expect(await world.attempts(job)).toEqual(['ended start-failed']);
    expect(await world.job(job)).toMatchObject({ state: 'failed', reason: 'never can be', retries_used: {} });
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('runs into its time-out', async () => {
    const job = await world.submit({ timeouts: { run: 20 } }, { runSeconds: null });
    await world.place(job);
    await orchestrator.round();
    await pass(21);
    expect(await world.attempts(job)).toEqual(['ended timed-out']);
  });

  it('is retried when its backend refuses it', async () => {
    const job = await world.submit({}, { faults: { refuse: 'no such image' } });
    await world.place(job);
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended start-failed']);
    expect(await world.job(job)).toMatchObject({ state: 'queued', retries_used: { 'start-failed': 1 } });
    await world.cancel(job);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('a gang', () => {
  it('ends as a whole when one rank fails, and the first failure is its reason', async () => {
    const job = await world.submit({ resources: { nodes: 3 } }, { runSeconds: null });
    const attempt = await world.place(job, world.nodes);
    await orchestrator.round();
    await world.age(7200);
    await pass(2);
    expect(await world.attempts(job)).toEqual(['running']);
    world.simulator.powerOff(world.nodes[1]!);
    world.simulator.restore(world.nodes[1]!);
    await pass(1);
    expect(await world.attempts(job)).toEqual(['stopping']);
    await pass(5);
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    const { rows } = await world.db.system.query(
      'select reason from cmo_attempt_ranks where attempt_id = $1 order by rank',
      [attempt],
    );
    expect(rows).toEqual([{ reason: 'stopped' }, { reason: 'supervisor-lost' }, { reason: 'stopped' }]);
    expect(await world.intervals(job)).toMatchObject([{ closed: true }, { closed: true }, { closed: true }]);
    await world.cancel(job);
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('runs only when all ranks do', async () => {
    world.simulator.loseContact(world.nodes[2]!);
    const job = await world.submit({ resources: { nodes: 3 } }, { runSeconds: 30 });
    await world.place(job, world.nodes);
    await orchestrator.round();
    await pass(5);
    expect(await world.attempts(job)).toEqual(['starting']);
    world.simulator.restore(world.nodes[2]!);
    await pass(5);
    expect(await world.attempts(job)).toEqual(['running']);
    await pass(60);
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('a job that waits too long', () => {
  it('fails when it was not started once within timeouts.queue', async () => {
    const job = await world.submit({ timeouts: { queue: 5 } });
    const other = await world.submit();
    await world.system((tx) =>
      tx.query(`update cmo_jobs set queue_deadline = now() - interval '1 second' where id = $1`, [job]),
    );
    await orchestrator.round();
    expect(await world.job(job)).toMatchObject({ state: 'failed', reason: 'not started within timeouts.queue' });
    expect(await world.job(other)).toMatchObject({ state: 'queued' });
    await world.cancel(other);
  });

  it('may wait for a retry beyond that, and keeps nobody busy', async () => {
    const job = await world.submit({ timeouts: { queue: 3600 }, retries: { failed: 1 } }, { runSeconds: 1, end: 1 });
    await world.place(job);
    await orchestrator.round();
    await pass(60);
    await withSystem(world.db, (tx) =>
      tx.query(`update cmo_jobs set queue_deadline = now() - interval '1 second' where id = $1`, [job]),
    );
    await orchestrator.round();
    expect(await world.job(job)).toMatchObject({ state: 'queued' });
    const { untilNextDue } = await import('../../../../src/cmo/orchestrator/queries.ts');
    expect(await untilNextDue(world.db, 'anyone')).toBeNull();
    await world.cancel(job);
  });
});

describe('what has ended', () => {
  it('is forgotten by its backend, once', async () => {
    const job = await world.submit({}, { runSeconds: 1 });
    const attempt = await world.place(job);
    await orchestrator.round();
    await pass(60);
    await orchestrator.round();
    expect(await world.simulator.observe([attempt])).toEqual([]);
    const { rows } = await world.db.system.query<{ forgotten: boolean }>(
      'select forgotten_at is not null as forgotten from cmo_attempts where id = $1',
      [attempt],
    );
    expect(rows).toEqual([{ forgotten: true }]);
  });
});
