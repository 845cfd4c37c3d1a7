import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MetricsDelta } from '../../../../../src/common/contract/live-metrics.ts';
import type { JobMetrics } from '../../../../../src/common/contract/routes/metrics.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { appendEvents } from '../../../../../src/common/events/index.ts';
import { newId } from '../../../../../src/common/ids.ts';
import { metricsTopic } from '../../../../../src/metapod/gateway/index.ts';
import { appendMetrics } from '../../../../../src/metapod/gateway/metrics.ts';
import { until } from '../../../../support/until.ts';
import { type ListeningApi, type RawLive, startListeningApi } from './support/listening-api.ts';

let api: ListeningApi;
let siteId = '';
let nodeId = '';
beforeAll(async () => {
  api = await startListeningApi();
  siteId = (await api.ask(api.adminKey, 'POST', '/v1/sites', { name: 'here' })).json.id;
  nodeId = newId('node');
  await withSystem(api.database.db, (tx) =>
    tx.query(`insert into drm_nodes (id, site_id, name, backend) values ($1, $2, 'n', 'agent')`, [nodeId, siteId]),
  );
});
afterAll(() => api.close());

const submit = async (): Promise<string> =>
  (await api.ask(api.adminKey, 'POST', '/v1/jobs', { name: 'job', command: ['true'] })).json.id;

interface Placed {
  id: string;
  token: bigint;
  next: number;
}

async function addAttempt(jobId: string, number = 1): Promise<Placed> {
  const id = newId('attempt');
  return withSystem(api.database.db, async (tx) => {
    await tx.query(`update cmo_attempts set state = 'ended', outcome = 'failed', ended_at = now() where job_id = $1`, [
      jobId,
    ]);
    const { rows } = await tx.query<{ token: bigint }>(
      `insert into cmo_attempts (id, tenant, job_id, number, state, backend, site_id, explanation)
       values ($1, $2, $3, $4, 'running', 'agent', $5, '{}') returning token`,
      [id, api.tenantId, jobId, number, siteId],
    );
    await tx.query('insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id) values ($1, $2, 0, $3)', [
      id,
      api.tenantId,
      nodeId,
    ]);
    await appendEvents(tx, [
      { tenant: api.tenantId, kind: 'attempt.placed', subject: jobId, revision: BigInt(number) },
    ]);
    return { id, token: rows[0]!.token, next: 0 };
  });
}

/** Values of steps from `first` on, as a gateway stores them and tells. */
async function write(attempt: Placed, name: string, first: number, values: readonly number[]): Promise<void> {
  const at = Date.now();
  const points = values.map((value, index): [number, number, number, number, number, number, number] => [
    first + index,
    at,
    1,
    0,
    value,
    value,
    value,
  ]);
  await withSystem(api.database.db, (tx) =>
    appendMetrics(tx, nodeId, [
      {
        type: 'metrics',
        attemptId: attempt.id,
        rank: 0,
        token: String(attempt.token),
        seq: attempt.next,
        batch: { series: [{ name, width: 1, points }], position: '', ignored: 0, complete: false },
      },
    ]),
  );
  attempt.next += 1;
  api.deps.wake.wake(metricsTopic(attempt.id));
}

/** What a client that does as the contract says has on its screen. */
function screen(live: RawLive, id = 'm'): JobMetrics | undefined {
  let shown: JobMetrics | undefined;
  for (const message of live.of(id)) {
    if (message.type === 'snapshot') shown = structuredClone(message.data) as JobMetrics;
    if (message.type !== 'delta' || shown === undefined) continue;
    const { fields, series = [], heads = [], points = [] } = message.data as MetricsDelta;
    Object.assign(shown, fields);
    const same = (a: { name: string; rank: number }) => (b: { name: string; rank: number }) =>
      a.name === b.name && a.rank === b.rank;
    for (const one of series) shown.series = [...shown.series.filter((old) => !same(one)(old)), structuredClone(one)];
    for (const head of heads) Object.assign(shown.series.find(same(head)) ?? {}, head);
    for (const point of points) {
      const of = shown.series.find(same(point));
      if (of?.stepsPerPoint !== point.stepsPerPoint) continue;
      const slot = (step: number) => Math.floor(step / point.stepsPerPoint);
      const found = of.points.step.findIndex((step) => slot(step) === slot(point.step));
      const after = of.points.step.findIndex((step) => step > point.step);
      const where = found >= 0 ? found : after >= 0 ? after : of.points.step.length;
      for (const column of ['step', 'offsetSeconds', 'mean', 'min', 'max'] as const) {
        (of.points[column] as (number | null)[]).splice(where, found >= 0 ? 1 : 0, point[column]);
      }
    }
    shown.series.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  return shown;
}

const bytes = (live: RawLive, after = 0) => JSON.stringify(live.of('m').slice(after)).length;

describe('metrics of a job', () => {
  test('begin with what the API answers and go on to the same, by the points that are new', async () => {
    const jobId = await submit();
    const attempt = await addAttempt(jobId);
    await write(
      attempt,
      'loss',
      0,
      Array.from({ length: 300 }, (_, step) => 1 / (step + 1)),
    );
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'm', topic: `job/${jobId}/metrics` });
    await live.next('m', 'a snapshot', ({ type }) => type === 'snapshot');
    const answer = async () => (await api.ask(api.adminKey, 'GET', `/v1/jobs/${jobId}/metrics`)).json;
    expect(screen(live)).toEqual(await answer());
    const count = live.of('m').length;
    await write(attempt, 'loss', 300, [0.5]);
    await write(attempt, 'rate', 0, [1]);
    await until('the new points', () => screen(live)?.revision === 3);
    expect(screen(live)).toEqual(await answer());
    expect(bytes(live, count)).toBeLessThan(3_000);
    live.close();
  });

  test('come to the same as the API says, whatever steps come in whatever order and however many', async () => {
    const jobId = await submit();
    const attempt = await addAttempt(jobId);
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'm', topic: `job/${jobId}/metrics`, params: { resolution: 50 } });
    await live.next('m', 'a snapshot', ({ type }) => type === 'snapshot');
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let round = 0; round < 25; round += 1) {
      const first = random(round * 400 + 1);
      await write(
        attempt,
        `series ${random(2)}`,
        first,
        Array.from({ length: random(600) + 1 }, () => random(100)),
      );
      if (round % 3 === 0) await until('it is told', () => screen(live)?.revision === attempt.next);
    }
    await until('all of it', () => screen(live)?.revision === attempt.next);
    const shown = screen(live)!;
    const full = (await api.ask(api.adminKey, 'GET', `/v1/jobs/${jobId}/metrics?resolution=4096`)).json as JobMetrics;
    for (const series of shown.series) {
      expect(series.points.step.length).toBeLessThanOrEqual(50);
      const whole = full.series.find(({ name }) => name === series.name)!;
      expect(series.values).toBe(whole.values);
      const slots = Map.groupBy(whole.points.step.keys(), (index) =>
        Math.floor(whole.points.step[index]! / series.stepsPerPoint),
      );
      expect(series.points.step).toHaveLength(slots.size);
      expect(series.points.max).toEqual(
        [...slots.values()].map((indexes) => Math.max(...indexes.map((index) => whole.points.max[index]!))),
      );
    }
    live.close();
  });

  test('go on with the attempt that follows', async () => {
    const jobId = await submit();
    const live = await api.live(api.adminKey);
    live.say({ op: 'subscribe', id: 'm', topic: `job/${jobId}/metrics` });
    await until('none', () => screen(live)?.attempt === null);
    const first = await addAttempt(jobId);
    api.deps.wake.wake('events');
    await until('the first attempt', () => screen(live)?.attempt === 1);
    await write(first, 'loss', 0, [3]);
    await until('its value', () => screen(live)?.series[0]?.last?.value === 3);
    const second = await addAttempt(jobId, 2);
    api.deps.wake.wake('events');
    await until('the second attempt', () => screen(live)?.attempt === 2);
    expect(screen(live)?.series).toEqual([]);
    await write(second, 'loss', 0, [2]);
    await until('its value', () => screen(live)?.series[0]?.last?.value === 2);
    live.close();
  });

  test('of others do not exist', async () => {
    const jobId = await submit();
    const key = (await api.makeKey({ ...(await api.makeTenant('stranger')), role: 'admin' })).text;
    const live = await api.live(key);
    live.say({ op: 'subscribe', id: 'm', topic: `job/${jobId}/metrics` });
    const refused = await live.next('m', 'an error', () => true);
    expect(refused).toMatchObject({ type: 'error', error: { code: 'not_found' } });
    live.close();
  });
});
