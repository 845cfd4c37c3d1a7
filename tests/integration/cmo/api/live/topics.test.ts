import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FleetSnapshot, LogsPart } from '../../../../../src/common/contract/live.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { writeDirty } from '../../../../../src/common/events/index.ts';
import { newId } from '../../../../../src/common/ids.ts';
import { recordHeartbeats, registerNode, setScheduling } from '../../../../../src/drm/tracker/index.ts';
import { logTopic } from '../../../../../src/metapod/gateway/index.ts';
import { until } from '../../../../support/until.ts';
import { device, inventory } from '../../../drm/support/fleet.ts';
import { type ListeningApi, startListeningApi } from './support/listening-api.ts';

let api: ListeningApi;
let siteId = '';

beforeAll(async () => {
  api = await startListeningApi();
  siteId = (await api.ask(api.adminKey, 'POST', '/v1/sites', { name: 'here' })).json.id;
});
afterAll(() => api.close());

const submit = async (name = 'job'): Promise<string> =>
  (await api.ask(api.adminKey, 'POST', '/v1/jobs', { name, command: ['true'] })).json.id;
const sql = (text: string, values: unknown[] = []) =>
  withSystem(api.database.db, async (tx) => (await tx.query(text, values)).rows);

/** An attempt as scheduler and orchestrator would have made it. */
async function addAttempt(jobId: string, number = 1): Promise<string> {
  const attemptId = newId('attempt');
  const explanation = { policy: 'p', round: 1, decidedAt: 'now', candidates: [], feasibleCount: 1, rejections: {} };
  await sql(
    `insert into cmo_attempts (id, tenant, job_id, number, state, backend, site_id, explanation)
     values ($1, $2, $3, $4, 'running', 'agent', $5, $6)`,
    [attemptId, api.tenantId, jobId, number, siteId, JSON.stringify(explanation)],
  );
  await sql('insert into metapod_log_streams (attempt_id, rank, tenant) values ($1, 0, $2)', [attemptId, api.tenantId]);
  await sql(`update cmo_jobs set state = 'running', pending_reason = null, attempt_count = $2 where id = $1`, [
    jobId,
    number,
  ]);
  return attemptId;
}

/** Appends lines as a gateway does. */
async function write(attemptId: string, from: number, count: number, complete = false): Promise<void> {
  const lines = Array.from(
    { length: count },
    (_, index) => `${JSON.stringify({ n: from + index, t: 1_750_000_000_000, s: 'out', d: `line ${from + index}` })}\n`,
  );
  await withSystem(api.database.db, async (tx) => {
    if (count > 0) {
      await tx.query(
        'insert into metapod_log_chunks (attempt_id, rank, tenant, first_line, line_count, lines) values ($1, 0, $2, $3, $4, $5)',
        [attemptId, api.tenantId, from, count, lines.join('')],
      );
    }
    await tx.query('update metapod_log_streams set next_line = $2, complete = $3 where attempt_id = $1', [
      attemptId,
      from + count,
      complete,
    ]);
  });
  api.deps.wake.wake(logTopic(attemptId));
}

describe('a job', () => {
  test('begins with what the API answers and goes on to the same', async () => {
    const id = await submit();
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'j', topic: `job/${id}` });
    const snapshot = await live.next('j', 'a snapshot', ({ type }) => type === 'snapshot');
    expect(snapshot.data).toEqual((await api.ask(api.adminKey, 'GET', `/v1/jobs/${id}`)).json);
    await api.ask(api.adminKey, 'POST', `/v1/jobs/${id}/cancel`);
    const { data } = await live.next('j', 'a change', ({ type }) => type === 'delta');
    expect(data.fields).toMatchObject({ state: 'cancelled', revision: '2', pending: null });
    expect(data.fields).not.toHaveProperty('spec');
    expect(data.timeline.map(({ kind }: { kind: string }) => kind)).toEqual(['job.cancelled']);
    live.close();
  });

  test('that is not there, or another tenant’s, ends the subscription and not the socket', async () => {
    const other = await api.makeTenant('jobs-of-others');
    const key = (await api.makeKey({ ...other, role: 'admin' })).text;
    const theirs = (await api.ask(key, 'POST', '/v1/jobs', { name: 'x', command: ['true'] })).json.id;
    const live = await api.live(api.adminKey);
    const topics = [`job/${theirs}`, `job/${newId('job')}`, 'job/nonsense', `job/${theirs}/logs`] as const;
    for (const [index, topic] of topics.entries()) {
      live.say({ op: 'subscribe', id: `s${index}`, topic });
      const refused = await live.next(`s${index}`, 'an error', () => true);
      expect(refused).toMatchObject({ type: 'error', error: { code: 'not_found', status: 404 } });
    }
    expect(live.closed).toBeUndefined();
    live.close();
  });
});

describe('a log', () => {
  const parts = (live: Awaited<ReturnType<ListeningApi['live']>>, id = 'l') =>
    live.of(id).flatMap((message) => ('data' in message ? [message.data as LogsPart] : []));
  const numbers = (live: Awaited<ReturnType<ListeningApi['live']>>, id = 'l') =>
    parts(live, id).flatMap(({ lines }) => lines.map(({ line }) => line));

  test('begins with its last lines, grows, and goes on with the next attempt until the job has ended', async () => {
    const jobId = await submit();
    const first = await addAttempt(jobId);
    await write(first, 0, 10);
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'l', topic: `job/${jobId}/logs`, params: { tail: 4 } });
    await until('the tail', () => numbers(live).length === 4);
    expect(numbers(live)).toEqual([6, 7, 8, 9]);
    await write(first, 10, 2, true);
    await until('the new lines', () => numbers(live).length === 6);
    await sql(`update cmo_attempts set state = 'ended', outcome = 'failed', ended_at = now() where id = $1`, [first]);
    const second = await addAttempt(jobId, 2);
    await write(second, 0, 3, true);
    await until('the second attempt', () => parts(live).some(({ attempt }) => attempt === 2));
    await sql(`update cmo_jobs set state = 'failed', ended_at = now() where id = $1`, [jobId]);
    await until('the end', () => parts(live).at(-1)!.ended);
    expect(numbers(live)).toEqual([6, 7, 8, 9, 10, 11, 0, 1, 2]);
    live.close();
  });

  test('goes on where its cursor stands, without a line twice', async () => {
    const jobId = await submit();
    const attempt = await addAttempt(jobId);
    await write(attempt, 0, 5);
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'l', topic: `job/${jobId}/logs`, params: { fromLine: 0 } });
    await until('the lines', () => numbers(live).length === 5);
    const { cursor } = live.of('l')[0] as { cursor: string };
    live.close();
    await write(attempt, 5, 3);
    const back = await api.live(api.adminKey);
    back.say({ op: 'subscribe', id: 'l', topic: `job/${jobId}/logs`, params: { fromLine: 0 }, since: cursor });
    await until('what was missed', () => numbers(back).length === 3);
    expect(numbers(back)).toEqual([5, 6, 7]);
    expect(back.of('l')[0]).toMatchObject({ type: 'delta' });
    back.close();
  });

  test('that outran a follower says how many lines it left out and goes on near its end', async () => {
    const jobId = await submit();
    const attempt = await addAttempt(jobId);
    await write(attempt, 0, 10);
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'l', topic: `job/${jobId}/logs` });
    await until('the first lines', () => numbers(live).length === 10);
    // More than a follower is sent late; in one step, so that it cannot keep up.
    await write(attempt, 10, 20_000);
    await until('the end', () => parts(live).at(-1)!.nextLine === 20_010);
    const gap = parts(live).find(({ skipped }) => skipped > 0)!;
    expect(gap.lines[0]!.line).toBe(10 + gap.skipped);
    expect(numbers(live)).toHaveLength(20_010 - gap.skipped);
    expect(new Set(numbers(live)).size).toBe(numbers(live).length);
    live.close();
  });

  test('is told whole to who asked for all of it, however long it is', async () => {
    const jobId = await submit();
    const attempt = await addAttempt(jobId);
    await write(attempt, 0, 7_000, true);
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'l', topic: `job/${jobId}/logs`, params: { fromLine: 0 } });
    await until('all lines', () => numbers(live).length === 7_000);
    expect(numbers(live)).toEqual(Array.from({ length: 7_000 }, (_, index) => index));
    live.close();
  });
});

describe('the fleet', () => {
  test('shows nodes, devices and samples, and every change of them', async () => {
    const nodeId = newId('node');
    const uuid = `GPU-${nodeId}`;
    await sql(`insert into drm_nodes (id, site_id, name, backend) values ($1, $2, 'n1', 'agent')`, [nodeId, siteId]);
    const facts = inventory({ name: 'n1', devices: [device(uuid)], facts: { hostname: 'hidden' } });
    await withSystem(api.database.db, (tx) =>
      registerNode(tx, { nodeId, siteId, bootId: 'b', agentVersion: '1', name: 'n1', inventory: facts }),
    );
    const { text } = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' });
    const live = await api.live(text);
    live.say({ op: 'subscribe', id: 'f', topic: 'fleet', params: { siteId } });
    const snapshot = await live.next('f', 'a snapshot', ({ type }) => type === 'snapshot');
    const data = snapshot.data as FleetSnapshot;
    expect(data.sites.map(({ id }) => id)).toEqual([siteId]);
    expect(data.nodes).toMatchObject([{ id: nodeId, scheduling: 'open', deviceCount: 1 }]);
    expect(data.devices).toMatchObject([{ nodeId, uuid, sample: null }]);
    expect(JSON.stringify(live.received)).not.toContain('hidden');

    await withSystem(api.database.db, (tx) => setScheduling(tx, nodeId, 'cordoned', 'test'));
    await live.next('f', 'the cordon', ({ data: delta }) => delta.nodes?.[0]?.scheduling === 'cordoned');

    const beat = (watts: number) =>
      withSystem(api.database.db, (tx) =>
        recordHeartbeats(tx, [{ nodeId, bootId: 'b', samples: [{ subject: uuid, data: { powerWatts: watts } }] }]),
      );
    await beat(250);
    const sampled = await live.next('f', 'a sample', ({ data: delta }) => Boolean(delta.samples));
    expect(sampled.data.samples).toMatchObject([{ id: data.devices[0]!.id, data: { powerWatts: 250 } }]);
    await beat(300);
    await live.next('f', 'the next sample', ({ data: delta }) => delta.samples?.[0]?.data.powerWatts === 300);
    live.close();
  });

  test('of one site says nothing of another', async () => {
    const other = (await api.ask(api.adminKey, 'POST', '/v1/sites', { name: 'there' })).json.id;
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'f', topic: 'fleet', params: { siteId: other } });
    live.say({ op: 'subscribe', id: 'all', topic: 'fleet' });
    await live.next('f', 'a snapshot', ({ type }) => type === 'snapshot');
    await live.next('all', 'a snapshot', ({ type }) => type === 'snapshot');
    const nodeId = newId('node');
    await sql(`insert into drm_nodes (id, site_id, name, backend, presence) values ($1, $2, 'n2', 'agent', 'ready')`, [
      nodeId,
      siteId,
    ]);
    await withSystem(api.database.db, (tx) => writeDirty(tx, 'node', [nodeId]));
    await live.next('all', 'the node that joined', ({ data }) => data.nodes?.[0]?.id === nodeId);
    expect(JSON.stringify(live.of('f'))).not.toContain(nodeId);
    live.close();
  });
});

test('the overview is what the API answers, with the newest jobs, and changes with them', async () => {
  const live = await api.live(api.adminKey);
  live.say({ op: 'subscribe', id: 'o', topic: 'overview' });
  const { data } = await live.next('o', 'a snapshot', ({ type }) => type === 'snapshot');
  const { lastJobs, at: _, ...figures } = data;
  const { at: __, ...answer } = (await api.ask(api.adminKey, 'GET', '/v1/overview')).json;
  expect(figures).toEqual(answer);
  expect(lastJobs).toEqual((await api.ask(api.adminKey, 'GET', '/v1/jobs?limit=6')).json.items);
  const id = await submit('newest');
  const delta = await live.next('o', 'the new job', ({ data: change }) => change.fields?.lastJobs?.[0]?.id === id);
  expect(delta.data.fields.queued).toBe(figures.queued + 1);
  live.close();
});
