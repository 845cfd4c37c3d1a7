import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;

beforeAll(async () => {
  api = await startApi();
  key = (await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' })).text;
});
afterAll(() => api.close());

/** A job with its intervals, straight in the tables: 1 core at $3.60 an hour. */
async function putJob(
  intervals: readonly { seconds: number; open?: boolean; joules?: number }[],
  resources: object = { deviceAlternatives: [[]], nodes: 1 },
  owner: { tenantId: string; projectId: string } = api,
): Promise<string> {
  const job = newId('job');
  await withSystem(api.deps.db, async (tx) => {
    await tx.query(
      `insert into cmo_jobs (id, tenant, project, name, state, priority, spec, submitted_by)
       values ($1, $2, $3, 'used', 'running', 0, $4, 'key_test')`,
      [job, owner.tenantId, owner.projectId, { labels: {}, resources }],
    );
    for (const { seconds, open = false, joules = null } of intervals) {
      await tx.query(
        `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli,
           memory_bytes, device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at, ended_at,
           energy_joules, energy_source, cost_micro_usd)
         select $1, $2, $3, $4, $5, 0, 'node_x', 'site_x', 1000, 0, 2000, '[]', 0, 3600000, 0,
                now() - make_interval(secs => $6), case when $7 then null else now() end, $8,
                case when $8::float8 is null then null else 'measured' end, case when $7 then null else $6::bigint * 1000 end`,
        [newId('usage'), owner.tenantId, owner.projectId, job, newId('attempt'), seconds, open, joules],
      );
    }
  });
  return job;
}

const ask = async (ids: readonly string[]) =>
  api.ask(key, 'GET', `/v1/usage/jobs?${ids.map((id) => `id=${id}`).join('&')}`);

describe('what several jobs used', () => {
  it('adds up what ended and what still runs, job by job', async () => {
    const ended = await putJob([
      { seconds: 60, joules: 3_600_000 },
      { seconds: 40, joules: 3_600_000 },
    ]);
    const runs = await putJob([{ seconds: 30 }, { seconds: 100, open: true }]);
    const waits = await putJob([]);
    const { status, json } = await ask([ended, runs, waits]);
    expect(status).toBe(200);
    const of = (id: string) => json.items.find((item: { id: string }) => item.id === id).usage;
    expect(of(ended)).toMatchObject({ costUsd: '0.100000', energyKwh: 2, energySource: 'measured', open: false });
    expect(of(ended).runSeconds).toBeCloseTo(100, 3);
    expect(of(ended).deviceSeconds).toBeCloseTo(200, 3);
    expect(of(runs).open).toBe(true);
    expect(Number(of(runs).costUsd)).toBeGreaterThanOrEqual(0.13);
    expect(of(waits)).toMatchObject({ costUsd: '0.000000', runSeconds: 0, energySource: null, open: false });
  });

  it('says which devices a job asks for on all its nodes', async () => {
    const gang = { kind: 'gpu', models: ['H100', 'A100'], minMemoryBytes: 0, count: 8, milli: 1000, minDriver: null };
    const part = { ...gang, models: [], count: 1, milli: 250 };
    const one = await putJob([], { deviceAlternatives: [[gang], [part]], nodes: 4 });
    const other = await putJob([], { deviceAlternatives: [[part]], nodes: 1 });
    const { json } = await ask([one, other]);
    const of = (id: string) => json.items.find((item: { id: string }) => item.id === id).devices;
    expect(of(one)).toEqual([{ kind: 'gpu', models: ['H100', 'A100'], count: 32 }]);
    expect(of(other)).toEqual([{ kind: 'gpu', models: [], count: 0.25 }]);
  });

  it('leaves out jobs of others, as if there were none', async () => {
    const other = await api.makeTenant('other');
    const theirs = await putJob([{ seconds: 10 }], undefined, other);
    const { status, json } = await ask([theirs]);
    expect(status).toBe(200);
    expect(json.items).toEqual([]);
  });

  it('takes a hundred jobs in one request, and no more', async () => {
    const ids = Array.from({ length: 101 }, () => newId('job'));
    expect((await ask(ids.slice(1))).status).toBe(200);
    expect((await ask(ids)).status).toBe(422);
    expect((await ask([])).status).toBe(422);
  });
});
