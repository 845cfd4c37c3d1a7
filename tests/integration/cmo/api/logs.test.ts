import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../../../src/common/contract/client.ts';
import type { LogFrame } from '../../../../src/common/contract/client-logs.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { logTopic } from '../../../../src/metapod/gateway/index.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let client: Client;
let siteId = '';
let nodeId = '';

beforeAll(async () => {
  api = await startApi();
  const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, apiKey: api.adminKey });
  siteId = (await client.createSite({ body: { name: 'here' } })).id;
  nodeId = newId('node');
  await withSystem(api.database.db, (tx) =>
    tx.query(`insert into drm_nodes (id, site_id, name, backend) values ($1, $2, 'n', 'agent')`, [nodeId, siteId]),
  );
});
afterAll(() => api.close());

/** A job with a running attempt, as scheduler and orchestrator would have made it. */
async function startJob(): Promise<{ jobId: string; attemptId: string }> {
  const { id } = await client.submitJob({ body: { name: 'talks', command: ['true'] } });
  const attemptId = await addAttempt(id!, 1);
  await set('cmo_jobs', id!, `state = 'running', pending_reason = null`);
  return { jobId: id!, attemptId };
}

async function addAttempt(jobId: string, number: number): Promise<string> {
  const attemptId = newId('attempt');
  const explanation = { policy: 'p', round: 1, decidedAt: 'now', candidates: [], feasibleCount: 1, rejections: {} };
  await withSystem(api.database.db, async (tx) => {
    await tx.query(
      `insert into cmo_attempts (id, tenant, job_id, number, state, backend, site_id, explanation)
       values ($1, $2, $3, $4, 'running', 'agent', $5, $6)`,
      [attemptId, api.tenantId, jobId, number, siteId, JSON.stringify(explanation)],
    );
    await tx.query('insert into metapod_log_streams (attempt_id, rank, tenant) values ($1, 0, $2)', [
      attemptId,
      api.tenantId,
    ]);
  });
  return attemptId;
}

const set = (table: 'cmo_jobs' | 'cmo_attempts', id: string, what: string) =>
  withSystem(api.database.db, (tx) => tx.query(`update ${table} set ${what} where id = $1`, [id]));

/** Appends lines as a gateway does, and wakes whoever follows. */
async function write(attemptId: string, from: number, texts: readonly string[], complete = false): Promise<void> {
  const lines = texts.map(
    (d, index) => `${JSON.stringify({ n: from + index, t: 1_750_000_000_000, s: index % 2 ? 'err' : 'out', d })}\n`,
  );
  await withSystem(api.database.db, async (tx) => {
    if (texts.length > 0) {
      await tx.query(
        'insert into metapod_log_chunks (attempt_id, rank, tenant, first_line, line_count, lines) values ($1, 0, $2, $3, $4, $5)',
        [attemptId, api.tenantId, from, texts.length, lines.join('')],
      );
    }
    await tx.query('update metapod_log_streams set next_line = $2, complete = $3 where attempt_id = $1', [
      attemptId,
      from + texts.length,
      complete,
    ]);
  });
  api.deps.wake.wake(logTopic(attemptId));
}

async function all(frames: AsyncIterable<LogFrame>): Promise<LogFrame[]> {
  const list: LogFrame[] = [];
  for await (const frame of frames) list.push(frame);
  return list;
}

const end = (attemptId: string) =>
  set('cmo_attempts', attemptId, `state = 'ended', outcome = 'failed', ended_at = now()`);

describe('reading a log', () => {
  it('answers nothing before the first attempt', async () => {
    const { id } = await client.submitJob({ body: { name: 'waits', command: ['true'] } });
    expect(await client.getJobLogs({ params: { id: id! } })).toEqual({
      attempt: null,
      rank: 0,
      lines: [],
      nextLine: 0,
      complete: false,
      end: 0,
      removedAt: null,
    });
  });

  it('goes on where the page before ended', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['a', 'b', 'c']);
    const first = await client.getJobLogs({ params: { id: jobId }, query: { limit: 2 } });
    expect(first.lines.map(({ text, stream }) => [text, stream])).toEqual([
      ['a', 'stdout'],
      ['b', 'stderr'],
    ]);
    const second = await client.getJobLogs({ params: { id: jobId }, query: { fromLine: first.nextLine } });
    expect(second).toMatchObject({
      lines: [{ line: 2, text: 'c', at: '2025-06-15T15:06:40.000Z' }],
      nextLine: 3,
      complete: false,
    });
  });

  it('of a rank or attempt that is not there does not exist', async () => {
    const { jobId } = await startJob();
    for (const query of [{ rank: 1 }, { attempt: 2 }]) {
      await expect(client.getJobLogs({ params: { id: jobId }, query })).rejects.toMatchObject({ code: 'not_found' });
    }
  });
});

describe('following a log', () => {
  it('shows every line once while it grows, and ends when the job is final', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['zero']);
    const texts: string[] = [];
    for await (const frame of client.followJobLogs(jobId)) {
      if ('line' in frame) {
        texts.push(frame.text);
        if (frame.text === 'zero') await write(attemptId, 1, ['one', 'two']);
        if (frame.text === 'two') {
          await write(attemptId, 3, ['three'], true);
          await end(attemptId);
          await set('cmo_jobs', jobId, `state = 'succeeded', ended_at = now()`);
        }
      }
      if ('end' in frame) expect(frame.end).toEqual({ state: 'succeeded', attempt: 1, nextLine: 4 });
    }
    expect(texts).toEqual(['zero', 'one', 'two', 'three']);
  });

  it('goes over to the next attempt', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['first try'], true);
    await end(attemptId);
    const seen: unknown[] = [];
    for await (const frame of client.followJobLogs(jobId)) {
      if ('line' in frame) {
        seen.push(frame.text);
        if (frame.text === 'first try') await write(await addAttempt(jobId, 2), 0, ['second try'], true);
        if (frame.text === 'second try') {
          await withSystem(api.database.db, (tx) =>
            tx.query(
              `update cmo_attempts set state = 'ended', outcome = 'succeeded', ended_at = now() where job_id = $1 and number = 2`,
              [jobId],
            ),
          );
          await set('cmo_jobs', jobId, `state = 'succeeded', ended_at = now()`);
        }
      } else if ('fromLine' in frame) seen.push(frame.attempt);
    }
    expect(seen).toEqual([1, 'first try', 2, 'second try']);
  });

  it('ends some seconds after the end of an attempt whose node will never say that its log is whole', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['last words']);
    await set(
      'cmo_attempts',
      attemptId,
      `state = 'ended', outcome = 'node-lost', ended_at = now() - interval '1 hour'`,
    );
    await set('cmo_jobs', jobId, `state = 'failed', ended_at = now()`);
    const frames = await all(client.followJobLogs(jobId));
    expect(frames.at(-1)).toEqual({ end: { state: 'failed', attempt: 1, nextLine: 1 } });
  });

  it('can be taken up in the middle', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['a', 'b', 'c'], true);
    await end(attemptId);
    await set('cmo_jobs', jobId, `state = 'failed', ended_at = now()`);
    const frames = await all(client.followJobLogs(jobId, { attempt: 1, fromLine: 2 }));
    expect(frames.flatMap((frame) => ('line' in frame ? [frame.text] : []))).toEqual(['c']);
  });

  it('stops within seconds when the key is revoked', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['x']);
    const key = await client.createKey({ body: { name: 'short', role: 'viewer' } });
    const other = createClient({
      url: `http://127.0.0.1:${(api.app.server.address() as { port: number }).port}`,
      apiKey: key.secret,
      retries: 0,
    });
    await expect(
      (async () => {
        for await (const frame of other.followJobLogs(jobId))
          if ('line' in frame) await client.revokeKey({ params: { id: key.id } });
      })(),
    ).rejects.toMatchObject({ code: 'key_revoked' });
  });

  it('is resumed by the client when the server goes away in between', async () => {
    const { jobId, attemptId } = await startJob();
    await write(attemptId, 0, ['before']);
    const texts: string[] = [];
    for await (const frame of client.followJobLogs(jobId)) {
      if (!('line' in frame)) continue;
      texts.push(frame.text);
      if (frame.text === 'before') {
        api.app.server.closeAllConnections();
        await write(attemptId, 1, ['after'], true);
        await end(attemptId);
        await set('cmo_jobs', jobId, `state = 'failed', ended_at = now()`);
      }
    }
    expect(texts).toEqual(['before', 'after']);
  });
});
