import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usageSince } from '../../../../src/billing/index.ts';
import { mostCounted } from '../../../../src/cmo/jobs/index.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;
let viewer: string;

beforeAll(async () => {
  api = await startApi();
  viewer = (await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' })).text;
});
afterAll(() => api.close());

interface JobOptions {
  readonly tenant?: string;
  readonly project?: string;
  readonly state: string;
  readonly endedAt?: Date;
  readonly count?: number;
}

/** Puts jobs straight into the table. */
async function putJobs({ tenant, project, state, endedAt, count = 1 }: JobOptions): Promise<string> {
  const ids = Array.from({ length: count }, () => newId('job'));
  await withSystem(api.deps.db, (tx) =>
    tx.query(
      `insert into cmo_jobs (id, tenant, project, name, state, pending_reason, stop_reason, priority, spec, submitted_by, ended_at)
       select id, $2, $3, 'counted', $4, case when $4 = 'queued' then 'new' end, case when $4 = 'stopping' then 'cancel' end,
              0, '{"labels": {}}', 'key_test', $5
       from unnest($1::text[]) as id`,
      [ids, tenant ?? api.tenantId, project ?? api.projectId, state, endedAt ?? null],
    ),
  );
  return ids[0]!;
}

interface IntervalOptions {
  readonly job: string;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly cost: bigint | null;
  readonly joules?: number;
  readonly source?: 'measured' | 'modelled';
  readonly cpuMilli?: number;
}

async function putInterval(interval: IntervalOptions): Promise<void> {
  await withSystem(api.deps.db, (tx) =>
    tx.query(
      `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli, memory_bytes,
         device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at, ended_at, energy_joules,
         energy_source, cost_micro_usd)
       values ($1, $2, $3, $4, $5, 0, 'node_x', 'site_x', $6, 0, 0, '[]', 0, 1000000, 0, $7, $8, $9, $10, $11)`,
      [
        newId('usage'),
        api.tenantId,
        api.projectId,
        interval.job,
        newId('attempt'),
        interval.cpuMilli ?? 1_000,
        interval.startedAt,
        interval.endedAt,
        interval.joules ?? null,
        interval.source ?? null,
        interval.cost,
      ],
    ),
  );
}

const ask = async () => (await api.ask(viewer, 'GET', '/v1/overview')).json;

describe('the overview', () => {
  it('is all zeros, and no energy source, before anything happened', async () => {
    const answer = await api.ask(viewer, 'GET', '/v1/overview');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      queued: 0,
      running: 0,
      failedToday: 0,
      countsCapped: false,
      spendTodayUsd: '0.000000',
      burnUsdPerHour: '0.000000',
      energyTodayKwh: 0,
      energySource: null,
      nodesTotal: 0,
    });
  });

  it('counts the tenant’s jobs by state, ended ones from midnight on, and nobody else’s', async () => {
    const yesterday = new Date(Date.now() - 2 * 86_400_000);
    await putJobs({ state: 'queued', count: 3 });
    await putJobs({ state: 'running', count: 2 });
    await putJobs({ state: 'stopping' });
    await putJobs({ state: 'failed', endedAt: new Date() });
    await putJobs({ state: 'failed', endedAt: yesterday });
    await putJobs({ state: 'succeeded', endedAt: new Date(), count: 4 });
    const other = await api.makeTenant('other');
    await putJobs({ tenant: other.tenantId, project: other.projectId, state: 'running', count: 9 });
    expect(await ask()).toMatchObject({ queued: 3, running: 2, stopping: 1, failedToday: 1, succeededToday: 4 });
  });

  it('cuts a count off where nobody reads it as a number any more, and says so', async () => {
    await putJobs({ state: 'queued', count: mostCounted + 5 });
    expect(await ask()).toMatchObject({ queued: mostCounted, countsCapped: true, running: 2 });
  });
});

describe('usage since an instant', () => {
  const midnight = new Date('2026-05-05T00:00:00Z');
  const now = new Date('2026-05-05T06:00:00Z');
  const hours = (count: number) => new Date(midnight.getTime() + count * 3_600_000);
  const read = () =>
    withTenant(api.deps.db, api.tenantId, (tx) => usageSince(tx, api.tenantId, midnight, now), { readOnly: true });

  it('counts of what lies across it only the part after', async () => {
    const job = await putJobs({ state: 'succeeded', endedAt: now });
    // 8 h, of which 2 after midnight; 1 h before midnight; 1 h after.
    await putInterval({
      job,
      startedAt: hours(-6),
      endedAt: hours(2),
      cost: 8_000_000n,
      joules: 800,
      source: 'measured',
    });
    await putInterval({ job, startedAt: hours(-2), endedAt: hours(-1), cost: 5_000_000n, joules: 5_000 });
    await putInterval({
      job,
      startedAt: hours(3),
      endedAt: hours(4),
      cost: 1_000_000n,
      joules: 100,
      source: 'measured',
    });
    expect(await read()).toEqual({
      costMicroUsd: 3_000_000n,
      energyJoules: 300,
      energySource: 'measured',
      burnMicroUsdPerHour: 0n,
      capped: false,
    });
  });

  it('counts what is open from midnight to now, and its price an hour as the burn', async () => {
    const job = await putJobs({ state: 'running' });
    await putInterval({ job, startedAt: hours(-48), endedAt: null, cost: null, cpuMilli: 2_000 });
    expect(await read()).toMatchObject({ costMicroUsd: 3_000_000n + 12_000_000n, burnMicroUsdPerHour: 2_000_000n });
  });

  it('says modelled as soon as any part of the energy was', async () => {
    const job = await putJobs({ state: 'succeeded', endedAt: now });
    await putInterval({ job, startedAt: hours(1), endedAt: hours(2), cost: 0n, joules: 1, source: 'modelled' });
    expect((await read()).energySource).toBe('modelled');
  });
});
