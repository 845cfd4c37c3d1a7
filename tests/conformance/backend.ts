/**
 * What every backend must do (`src/cmo/orchestrator/backends/backend.ts`), as one function that is run on each of them. A harness
 * says how attempts come to be there, how its machines are made to get on, and which cases it cannot do, with the reason.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  AttemptToRun,
  AttemptToStop,
  Backend,
  RankObservation,
} from '../../src/cmo/orchestrator/backends/backend.ts';
import { until } from '../support/until.ts';

export interface BackendHarness {
  readonly backend: Backend;
  /** A new attempt of a job, of the same job as another one if given; its work never ends by itself unless `exitCode` is. */
  attempt(options?: { ranks?: number; after?: AttemptToRun; exitCode?: number }): Promise<AttemptToRun>;
  /** Lets the machines get on; called again and again while a case waits. */
  proceed(): Promise<void>;
  /** How often work of an attempt's rank was begun, by what the machines say. */
  begun(attemptId: string, rank: number): Promise<number>;
  close(): Promise<void>;
}

const cases = [
  'submit is idempotent',
  'submit of a gang starts every rank',
  'ends are reported with their exit code and how long it ran',
  'an old token is refused',
  'cancel stops, and may be repeated',
  'cancel under another token has no effect',
  'cancel before the start prevents it',
  'cancel of what nobody knows is no error',
  'news come until they are settled',
  'recover lists what runs',
  'forget ends the telling, and may be repeated',
] as const;
export type BackendCase = (typeof cases)[number];

/** @param skips cases that a backend cannot do, with the reason */
export function describeBackend(
  name: string,
  start: () => Promise<BackendHarness>,
  skips: Partial<Record<BackendCase, string>> = {},
): void {
  describe(`backend ${name}`, () => {
    let harness: BackendHarness;
    beforeAll(async () => {
      harness = await start();
    });
    afterAll(() => harness?.close());

    const run = (title: BackendCase, body: () => Promise<void>) => {
      const reason = skips[title];
      if (reason === undefined) it(title, body);
      else it.skip(`${title} (${reason})`, body);
    };
    const observe = async ({ attemptId }: { attemptId: string }) => {
      const seen = await harness.backend.observe([attemptId]);
      return [...seen].sort((a, b) => a.rank - b.rank);
    };
    const reach = (attempt: AttemptToRun, state: RankObservation['state']) =>
      until(`all ranks of ${attempt.attemptId} are ${state}`, async () => {
        await harness.proceed();
        const seen = await observe(attempt);
        return seen.length === attempt.ranks.length && seen.every((rank) => rank.state === state) ? seen : undefined;
      });
    const stopOf = (attempt: AttemptToRun): AttemptToStop => ({
      attemptId: attempt.attemptId,
      token: attempt.token,
      jobId: attempt.jobId,
      nodeIds: attempt.ranks.map(({ nodeId }) => nodeId),
    });
    const settle = async () => {
      for (let news = await harness.backend.changed(100); news.length > 0; news = await harness.backend.changed(100)) {
        await harness.backend.settle(news);
      }
    };
    const some = async (times: number) => {
      for (let i = 0; i < times; i += 1) await harness.proceed();
    };

    run('submit is idempotent', async () => {
      const attempt = await harness.attempt();
      expect(await observe(attempt)).toEqual([]);
      expect(await harness.backend.submit(attempt)).toEqual({ kind: 'accepted' });
      expect(await harness.backend.submit(attempt)).toEqual({ kind: 'accepted' });
      await reach(attempt, 'running');
      expect(await harness.backend.submit(attempt)).toEqual({ kind: 'accepted' });
      await some(5);
      expect(await harness.begun(attempt.attemptId, 0)).toBe(1);
      expect(await observe(attempt)).toMatchObject([{ state: 'running', token: attempt.token, rank: 0 }]);
    });

    run('submit of a gang starts every rank', async () => {
      const attempt = await harness.attempt({ ranks: 3 });
      await harness.backend.submit(attempt);
      const seen = await reach(attempt, 'running');
      expect(seen.map(({ rank }) => rank)).toEqual([0, 1, 2]);
      for (const { startedAt } of seen) expect(startedAt).toBeInstanceOf(Date);
    });

    run('ends are reported with their exit code and how long it ran', async () => {
      const attempt = await harness.attempt({ exitCode: 7 });
      await harness.backend.submit(attempt);
      const [rank] = await reach(attempt, 'ended');
      expect(rank!.end).toMatchObject({ reason: 'exited', exitCode: 7, signal: null });
      expect(rank!.endedAt).toBeInstanceOf(Date);
      expect(rank!.ranSeconds).toBeGreaterThanOrEqual(0);
    });

    run('an old token is refused', async () => {
      const old = await harness.attempt();
      const newer = await harness.attempt({ after: old });
      expect(newer.token > old.token).toBe(true);
      await harness.backend.submit(newer);
      await reach(newer, 'running');
      await harness.backend.submit(old);
      await some(5);
      expect(await harness.begun(old.attemptId, 0)).toBe(0);
      expect((await observe(newer)).map(({ state }) => state)).toEqual(['running']);
    });

    run('cancel stops, and may be repeated', async () => {
      const attempt = await harness.attempt({ ranks: 2 });
      await harness.backend.submit(attempt);
      await reach(attempt, 'running');
      await harness.backend.cancel(stopOf(attempt), 'cancel', 5);
      await harness.backend.cancel(stopOf(attempt), 'cancel', 5);
      const seen = await reach(attempt, 'ended');
      expect(seen.map(({ end }) => end?.reason)).toEqual(['stopped', 'stopped']);
      await harness.backend.cancel(stopOf(attempt), 'cancel', 5);
      await some(3);
      expect(await observe(attempt)).toEqual(seen);
    });

    run('cancel under another token has no effect', async () => {
      const attempt = await harness.attempt();
      await harness.backend.submit(attempt);
      await reach(attempt, 'running');
      await harness.backend.cancel({ ...stopOf(attempt), token: attempt.token + 1_000_000n }, 'cancel', 0);
      await some(5);
      expect((await observe(attempt)).map(({ state }) => state)).toEqual(['running']);
      await harness.backend.cancel(stopOf(attempt), 'cancel', 0);
      await reach(attempt, 'ended');
    });

    run('cancel before the start prevents it', async () => {
      const attempt = await harness.attempt();
      await harness.backend.cancel(stopOf(attempt), 'cancel', 0);
      const [rank] = await reach(attempt, 'ended');
      expect(rank!.end?.reason).toBe('never-started');
      await harness.backend.submit(attempt);
      await some(5);
      expect(await harness.begun(attempt.attemptId, 0)).toBe(0);
    });

    run('cancel of what nobody knows is no error', async () => {
      await harness.backend.cancel(
        { attemptId: 'att_nobody', token: 1n, jobId: 'job_nobody', nodeIds: [] },
        'orphan',
        0,
      );
      await harness.backend.forget({ attemptId: 'att_nobody', token: 1n });
      expect(await harness.backend.observe(['att_nobody'])).toEqual([]);
    });

    run('news come until they are settled', async () => {
      await settle();
      const attempt = await harness.attempt();
      await harness.backend.submit(attempt);
      await reach(attempt, 'running');
      const news = await harness.backend.changed(100);
      expect(news.map(({ attemptId }) => attemptId)).toContain(attempt.attemptId);
      // Not settled, as when the process dies: they come again.
      expect(await harness.backend.changed(100)).toEqual(news);
      await harness.backend.settle(news);
      expect(await harness.backend.changed(100)).toEqual([]);
      await harness.backend.cancel(stopOf(attempt), 'cancel', 0);
      await reach(attempt, 'ended');
      expect((await harness.backend.changed(100)).map(({ attemptId }) => attemptId)).toEqual([attempt.attemptId]);
    });

    run('recover lists what runs', async () => {
      const runs = await harness.attempt();
      const over = await harness.attempt({ exitCode: 0 });
      for (const attempt of [runs, over]) await harness.backend.submit(attempt);
      await reach(runs, 'running');
      await reach(over, 'ended');
      const listed = await until('it is listed', async () => {
        await harness.proceed();
        const all = await harness.backend.recover();
        return all.some(({ attemptId }) => attemptId === runs.attemptId) ? all : undefined;
      });
      expect(listed).toContainEqual({ attemptId: runs.attemptId, token: runs.token });
      expect(listed.map(({ attemptId }) => attemptId)).not.toContain(over.attemptId);
    });

    run('forget ends the telling, and may be repeated', async () => {
      const attempt = await harness.attempt({ exitCode: 0 });
      const { attemptId, token } = attempt;
      await harness.backend.submit(attempt);
      await reach(attempt, 'ended');
      await settle();
      await harness.backend.forget({ attemptId, token });
      await harness.backend.forget({ attemptId, token });
      await until('nothing is kept of it', async () => {
        await harness.proceed();
        await harness.backend.tidy?.(100, false);
        return (await observe(attempt)).length === 0;
      });
      expect(await harness.backend.changed(100)).toEqual([]);
      await harness.backend.forget({ attemptId, token });
      await some(3);
      expect(await harness.begun(attemptId, 0)).toBe(1);
    });
  });
}
