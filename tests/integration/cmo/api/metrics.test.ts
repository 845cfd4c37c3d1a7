import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { appendMetrics } from '../../../../src/metapod/gateway/metrics.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let tenant: { tenantId: string; projectId: string };
let key: string;
let foreignKey: string;
let nodeId: string;
let deviceId: string;
beforeAll(async () => {
  api = await startApi();
  tenant = await api.makeTenant('owner');
  key = (await api.makeKey({ ...tenant, role: 'viewer' })).text;
  foreignKey = (await api.makeKey({ ...(await api.makeTenant('stranger')), role: 'admin' })).text;
  const siteId = (await api.ask(api.adminKey, 'POST', '/v1/sites', { name: 'here' })).json.id;
  nodeId = newId('node');
  deviceId = newId('device');
  await withSystem(api.database.db, async (tx) => {
    await tx.query(
      `insert into drm_nodes (id, site_id, name, backend, presence) values ($1, $2, 'node-1', 'agent', 'ready')`,
      [nodeId, siteId],
    );
    await tx.query(
      `insert into drm_devices (id, node_id, kind, vendor, model, local_index, uuid, memory_bytes)
       values ($1, $2, 'gpu', 'nvidia', 'H100', 3, 'GPU-1', 1000)`,
      [deviceId, nodeId],
    );
  });
});
afterAll(() => api.close());

const start = new Date('2026-03-01T10:00:00Z');
const seconds = (after: number) => new Date(start.getTime() + after * 1000);

/** A job with attempts that ran on the node and its device. */
async function makeJob(
  name: string,
  attempts = 1,
): Promise<{ jobId: string; attempts: { id: string; token: bigint }[] }> {
  const member = (await api.makeKey({ ...tenant, role: 'member' })).text;
  const jobId = (await api.ask(member, 'POST', '/v1/jobs', { name, command: ['true'] })).json.id;
  const made: { id: string; token: bigint }[] = [];
  await withSystem(api.database.db, async (tx) => {
    for (let number = 1; number <= attempts; number += 1) {
      const id = newId('attempt');
      const allocation = newId('allocation');
      const { rows } = await tx.query<{ token: bigint }>(
        `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation, state, outcome, placed_at,
           running_at, ended_at)
         values ($1, $2, $3, $4, 'agent', 'site', '{}', 'ended', 'failed', $5, $5, $6) returning token`,
        [id, tenant.tenantId, jobId, number, seconds((number - 1) * 1000), seconds(number * 1000)],
      );
      const token = rows[0]!.token;
      await tx.query('insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id) values ($1, $2, 0, $3)', [
        id,
        tenant.tenantId,
        nodeId,
      ]);
      await tx.query(
        `insert into drm_allocations (id, tenant, job_id, attempt_id, token, state, released_at)
         values ($1, $2, $3, $4, $5, 'released', now())`,
        [allocation, tenant.tenantId, jobId, id, token],
      );
      await tx.query(`insert into drm_allocation_nodes values ($1, $2, 0, $3, 1, 1, 1, true)`, [
        allocation,
        tenant.tenantId,
        nodeId,
      ]);
      await tx.query(`insert into drm_allocation_devices values ($1, $2, 0, $3, 1000, true)`, [
        allocation,
        tenant.tenantId,
        deviceId,
      ]);
      made.push({ id, token });
    }
  });
  return { jobId, attempts: made };
}

/** Values by step, as an agent brings them. */
async function write(
  attempt: { id: string; token: bigint },
  series: Record<string, readonly (number | null)[]>,
  seq = 0,
): Promise<void> {
  await withSystem(api.database.db, (tx) =>
    appendMetrics(tx, nodeId, [
      {
        type: 'metrics',
        attemptId: attempt.id,
        rank: 0,
        token: String(attempt.token),
        seq,
        batch: {
          series: Object.entries(series).map(([name, values]) => ({
            name,
            width: 1,
            points: values.map((value, step) =>
              value === null
                ? [step, seconds(step).getTime(), 0, 1, null, null, null]
                : [step, seconds(step).getTime(), 1, 0, value, value, value],
            ),
          })),
          position: '',
          ignored: 2,
          complete: true,
        },
      },
    ]),
  );
}

describe('training metrics', () => {
  it('of a job that never ran are none', async () => {
    const { jobId } = await makeJob('queued', 0);
    const { status, json } = await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics`);
    expect(status).toBe(200);
    expect(json).toEqual({ attempt: null, from: null, revision: 0, complete: false, ignored: 0, series: [] });
  });

  it('are columns with gaps, times from the start of the attempt, and what was not taken', async () => {
    const { jobId, attempts } = await makeJob('training');
    await write(attempts[0]!, { loss: [2, null, 0.5], 'rate/é': [1] });
    const { json } = await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics`);
    expect(json).toMatchObject({ attempt: 1, from: start.toISOString(), complete: true, ignored: 2, revision: 1 });
    expect(json.series.map(({ name }: { name: string }) => name)).toEqual(['loss', 'rate/é']);
    expect(json.series[0]).toEqual({
      name: 'loss',
      rank: 0,
      values: 2,
      gaps: 1,
      min: 0.5,
      max: 2,
      last: { step: 2, value: 0.5, at: seconds(2).toISOString() },
      stepsPerPoint: 1,
      points: {
        step: [0, 1, 2],
        offsetSeconds: [0, 1, 2],
        mean: [2, null, 0.5],
        min: [2, null, 0.5],
        max: [2, null, 0.5],
      },
    });
    const one = await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics?name=${encodeURIComponent('rate/é')}`);
    expect(one.json.series).toHaveLength(1);
  });

  it('are joined to as few points as are asked for, with their extremes', async () => {
    const { jobId, attempts } = await makeJob('long');
    await write(attempts[0]!, { loss: Array.from({ length: 1000 }, (_, step) => (step === 333 ? 99 : 1)) });
    const { json } = await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics?resolution=10`);
    const [{ points, stepsPerPoint }] = json.series;
    expect(points.step.length).toBeLessThanOrEqual(10);
    expect(Math.max(...points.max)).toBe(99);
    expect(stepsPerPoint).toBe(128);
  });

  it('of an earlier attempt are there, and of one that never was are not found', async () => {
    const { jobId, attempts } = await makeJob('again', 2);
    await write(attempts[0]!, { loss: [3] });
    await write(attempts[1]!, { loss: [1] });
    const mean = async (query: string) =>
      (await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics${query}`)).json.series?.[0]?.points.mean[0];
    expect([await mean('?attempt=1'), await mean('?attempt=2'), await mean('')]).toEqual([3, 1, 1]);
    expect((await api.ask(key, 'GET', `/v1/jobs/${jobId}/metrics?attempt=3`)).status).toBe(404);
  });

  it('are compared over jobs and attempts', async () => {
    const a = await makeJob('a', 2);
    const b = await makeJob('b');
    const c = await makeJob('c');
    await write(a.attempts[0]!, { loss: [3] });
    await write(a.attempts[1]!, { loss: [2] });
    await write(b.attempts[0]!, { loss: [1] });
    await write(c.attempts[0]!, { other: [1] });
    const query = `?job=${b.jobId}&job=${a.jobId}&job=${c.jobId}&name=loss`;
    const items = async (more = '') =>
      (await api.ask(key, 'GET', `/v1/metrics/compare${query}${more}`)).json.items.map(
        // biome-ignore lint/suspicious/noExplicitAny: a line of an answer
        (item: any) => [item.job.name, item.attempt, item.series.points.mean[0]],
      );
    expect(await items()).toEqual([
      ['b', 1, 1],
      ['a', 2, 2],
    ]);
    expect(await items('&attempts=all')).toEqual([
      ['b', 1, 1],
      ['a', 1, 3],
      ['a', 2, 2],
    ]);
    const many = Array.from({ length: 17 }, () => `job=${newId('job')}`).join('&');
    expect((await api.ask(key, 'GET', `/v1/metrics/compare?${many}&name=loss`)).status).toBe(422);
    expect((await api.ask(key, 'GET', `/v1/metrics/compare?name=loss`)).status).toBe(422);
  });

  it('do not exist for other tenants', async () => {
    const { jobId, attempts } = await makeJob('secret');
    await write(attempts[0]!, { loss: [1] });
    for (const path of [
      `/v1/jobs/${jobId}/metrics`,
      `/v1/jobs/${jobId}/telemetry`,
      `/v1/metrics/compare?job=${jobId}&name=loss`,
    ]) {
      const { status, text } = await api.ask(foreignKey, 'GET', path);
      expect([path, status]).toEqual([path, 404]);
      expect(text).not.toContain('loss":');
    }
  });
});

describe('telemetry', () => {
  beforeEach(async () => {
    await withSystem(api.database.db, async (tx) => {
      await tx.query('delete from drm_rollups');
      await tx.query('delete from drm_samples');
    });
  });

  /** A roll-up of ten seconds. */
  const rollup = (subject: string, after: number, data: Record<string, [number, number, number]>) =>
    withSystem(api.database.db, (tx) =>
      tx.query('insert into drm_rollups values ($1, $2, $3)', [subject, seconds(after), JSON.stringify(data)]),
    );

  it('of a job is that of its devices and nodes while it ran, and nothing of before or after', async () => {
    const { jobId } = await makeJob('measured');
    await rollup(deviceId, -20, { powerWatts: [1, 9_000, 9_000] });
    await rollup(deviceId, 0, { powerWatts: [2, 600, 400], utilizationRatio: [2, 1, 0.75] });
    await rollup(deviceId, 10, { powerWatts: [4, 800, 250] });
    await rollup(nodeId, 10, { cpuUtilizationRatio: [1, 0.5, 0.5] });
    await rollup(deviceId, 1010, { powerWatts: [1, 9_000, 9_000] });
    await rollup(newId('device'), 10, { powerWatts: [1, 9_000, 9_000] });
    const { status, json } = await api.ask(key, 'GET', `/v1/jobs/${jobId}/telemetry`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ attempt: 1, from: start.toISOString(), intervalSeconds: 10 });
    expect(json.subjects).toEqual([
      {
        kind: 'node',
        id: nodeId,
        nodeId,
        rank: 0,
        name: 'node-1',
        index: null,
        series: [{ name: 'cpuUtilizationRatio', offsetSeconds: [10], mean: [0.5], max: [0.5] }],
      },
      {
        kind: 'device',
        id: deviceId,
        nodeId,
        rank: 0,
        name: 'H100',
        index: 3,
        series: [
          { name: 'powerWatts', offsetSeconds: [0, 10], mean: [300, 200], max: [400, 250] },
          { name: 'utilizationRatio', offsetSeconds: [0], mean: [0.5], max: [0.75] },
        ],
      },
    ]);
  });

  it('is joined to as few points as are asked for, weighted by the samples', async () => {
    const { jobId } = await makeJob('measured');
    for (let at = 0; at < 1000; at += 10)
      await rollup(deviceId, at, { powerWatts: [at === 0 ? 9 : 1, at === 0 ? 0 : 100, at] });
    const { json } = await api.ask(key, 'GET', `/v1/jobs/${jobId}/telemetry?resolution=5`);
    expect(json.intervalSeconds).toBe(200);
    const [series] = json.subjects.find(({ kind }: { kind: string }) => kind === 'device').series;
    expect(series.mean[0]).toBeCloseTo(1900 / 28);
    expect(series.mean.length).toBeLessThanOrEqual(6);
    expect(Math.max(...series.max)).toBe(990);
  });

  it('of a node ends with the seconds that are not rolled up yet', async () => {
    await withSystem(api.database.db, (tx) =>
      tx.query(
        `insert into drm_samples (subject_id, node_id, at, data, slot, sums)
         values ($1, $2, now(), '{}', date_bin('10 seconds', now(), 'epoch'), '{"powerWatts": [2, 10, 7]}')`,
        [deviceId, nodeId],
      ),
    );
    const { json } = await api.ask(foreignKey, 'GET', `/v1/nodes/${nodeId}/telemetry`);
    const device = json.subjects.find(({ kind }: { kind: string }) => kind === 'device');
    expect(device).toMatchObject({ rank: null, series: [{ name: 'powerWatts', mean: [5], max: [7] }] });
    expect(Date.parse(json.to) - Date.parse(json.from)).toBeGreaterThanOrEqual(3_600_000);
    expect((await api.ask(key, 'GET', `/v1/nodes/${newId('node')}/telemetry`)).status).toBe(404);
    const backwards = '?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z';
    expect((await api.ask(key, 'GET', `/v1/nodes/${nodeId}/telemetry${backwards}`)).status).toBe(422);
  });

  it('of a job without an attempt is empty', async () => {
    const { jobId } = await makeJob('queued', 0);
    expect((await api.ask(key, 'GET', `/v1/jobs/${jobId}/telemetry`)).json).toMatchObject({
      attempt: null,
      subjects: [],
    });
  });
});
