import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertJob } from '../../../../src/cmo/jobs/index.ts';
import { accrueUse, readAccounts, setAccount } from '../../../../src/cmo/scheduler/accounts/account-rows.ts';
import { defaultPreemption } from '../../../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import { readHistory } from '../../../../src/cmo/scheduler/history-rows.ts';
import { createPreview, type WorkloadScheduler } from '../../../../src/cmo/scheduler/index.ts';
import { readRunning, readStates } from '../../../../src/cmo/scheduler/running-rows.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import type { SpecInput } from '../../../unit/cmo/scheduler/support/builders.ts';
import { addTenant, device, inventory } from '../../drm/support/fleet.ts';
import { startScheduler } from './support/running-scheduler.ts';

type Owner = { readonly tenant: string; readonly project: string };

let database: TestDatabase;
let site: Site;
let wake: LocalWake;
let scheduler: WorkloadScheduler | undefined;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

beforeEach(async () => {
  database = await createTestDatabase();
  site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  wake = new LocalWake();
  const devices = Array.from({ length: 4 }, (_, index) => device(`g${index}`, { index }));
  await system((tx) =>
    registerNode(tx, { nodeId: newId('node') as string, siteId: site.id, inventory: inventory({ devices }) }),
  );
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = undefined;
  await database?.drop();
});

async function start(minRunSeconds = 0): Promise<void> {
  scheduler = await startScheduler(database.db, wake, { preemption: { ...defaultPreemption, minRunSeconds } });
}

async function submit(owner: Owner, count: number, more: SpecInput = {}): Promise<string> {
  const spec = jobSpecSchema.parse({ name: 'job', command: 'true', resources: { devices: [{ count }] }, ...more });
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}

async function rowOf(id: string) {
  const { rows } = await system((tx) =>
    tx.query<{ state: string; stop_reason: string | null; reason: string | null; message: string | null }>(
      `select state, stop_reason, pending_reason as reason, pending_detail ->> 'message' as message from cmo_jobs where id = $1`,
      [id],
    ),
  );
  return rows[0]!;
}
const patience = 40_000;
const reaches = (id: string, wanted: Partial<Awaited<ReturnType<typeof rowOf>>>) =>
  until(
    `${id} is ${JSON.stringify(wanted)}`,
    async () => {
      const row = await rowOf(id);
      return Object.entries(wanted).every(([key, value]) => row[key as keyof typeof row] === value) ? row : undefined;
    },
    patience,
  );
const quota = (resource: string, guaranteed: number, borrow: number | null) => ({
  resource,
  guaranteed: guaranteed * 1000,
  borrowLimit: borrow === null ? null : borrow * 1000,
});

describe('accounts in the running scheduler', () => {
  it('end borrowing at its limit, and give guarantees back by ending what was borrowed', async () => {
    const [a, b] = [await system(addTenant), await system(addTenant)];
    await system((tx) => setAccount(tx, { tenant: a.tenant, weight: 1, quotas: [quota('gpu', 1, 2)] }));
    await system((tx) => setAccount(tx, { tenant: b.tenant, weight: 1, quotas: [quota('gpu', 2, null)] }));
    await start();
    const first = await submit(a, 2);
    await reaches(first, { state: 'starting' });
    const second = await submit(a, 2);
    expect((await reaches(second, { reason: 'quota_exhausted' })).message).toContain('uses 2 of the 3 gpu');
    const third = await submit(b, 2);
    await reaches(third, { state: 'starting' });
    expect((await rowOf(first)).state).toBe('starting');

    // Another one of b, within the guarantee again once it has three.
    await system((tx) => setAccount(tx, { tenant: b.tenant, weight: 1, quotas: [quota('gpu', 3, null)] }));
    const fourth = await submit(b, 1);
    await reaches(first, { state: 'stopping', stop_reason: 'preempt' });
    expect((await reaches(fourth, { reason: 'waits_for_preempted' })).message).not.toContain(a.tenant);
    expect((await rowOf(third)).state).toBe('starting');
    const { rows } = await system((tx) =>
      tx.query<{ data: { why: string } }>(`select data from feed_events where subject = $1 and kind = 'job.stopping'`, [
        first,
      ]),
    );
    expect(rows.map(({ data }) => data.why)).toEqual(['preempt']);
  }, 120_000);

  it('a job of higher priority ends one of its own tenant that has run long enough, and no other', async () => {
    const [a, b] = [await system(addTenant), await system(addTenant)];
    await start();
    const low = await submit(a, 2);
    const foreign = await submit(b, 2);
    await reaches(low, { state: 'starting' });
    await reaches(foreign, { state: 'starting' });
    await submit(a, 2, { priority: 5 });
    await reaches(low, { state: 'stopping', stop_reason: 'preempt' });
    expect((await rowOf(foreign)).state).toBe('starting');
  }, 120_000);
});

describe('a quota that is used up while nodes are free', () => {
  it('is given back by what a sibling has borrowed and by lesser work of the same project; dry runs say so before', async () => {
    const { tenant, project } = await system(addTenant);
    const other = newId('project') as string;
    await system((tx) =>
      tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'other')`, [other, tenant]),
    );
    await system((tx) => setAccount(tx, { tenant, weight: 1, quotas: [quota('gpu', 2, 0)] }));
    await system((tx) => setAccount(tx, { tenant, project, weight: 1, quotas: [quota('gpu', 1, 1)] }));
    await system((tx) => setAccount(tx, { tenant, project: other, weight: 1, quotas: [quota('gpu', 1, 1)] }));
    await start();
    const borrowing = [await submit({ tenant, project }, 1), await submit({ tenant, project }, 1)];
    for (const id of borrowing) await reaches(id, { state: 'starting' });

    const preview = createPreview(database.db, systemClock, { preemption: { ...defaultPreemption, minRunSeconds: 0 } });
    const spec = jobSpecSchema.parse({ name: 'job', command: 'true', resources: { devices: [{ count: 1 }] } });
    const foreseen = await preview(spec, { tenant, project: other, submittedBy: 'key_test' });
    await preview.stop();
    expect(foreseen).toMatchObject({ startsNow: false, reason: 'waits_for_preempted' });
    const named = borrowing.filter((id) => foreseen.message.includes(id));
    expect(named).toHaveLength(1);
    for (const id of borrowing) expect((await rowOf(id)).state).toBe('starting');

    const reclaiming = await submit({ tenant, project: other }, 1);
    await reaches(named[0]!, { state: 'stopping', stop_reason: 'preempt' });
    await reaches(reclaiming, { reason: 'waits_for_preempted' });
    const [kept] = borrowing.filter((id) => id !== named[0]);
    expect((await rowOf(kept!)).state).toBe('starting');

    const urgent = await submit({ tenant, project }, 1, { priority: 5 });
    await reaches(kept!, { state: 'stopping', stop_reason: 'preempt' });
    await reaches(urgent, { reason: 'waits_for_preempted' });
  }, 120_000);
});

describe('what rows say of accounts', () => {
  it('is what holds capacity, and its use accrues and fades', async () => {
    const a = await system(addTenant);
    await start(3600);
    const id = await submit(a, 2, { timeouts: { run: '1h' } });
    await reaches(id, { state: 'starting' });
    const [row] = await system((tx) => readRunning(tx, [id]));
    expect(row).toMatchObject({
      id,
      tenant: a.tenant,
      stopping: null,
      checkpointAt: null,
      traits: { size: 2, runSeconds: 3600 },
    });
    expect(row!.ranks.map(({ devices }) => devices.length)).toEqual([2]);
    expect(await system((tx) => readStates(tx, [id, 'job_none']))).toEqual(new Map([[id, 'active']]));
    await scheduler?.stop();

    await system((tx) => tx.query(`delete from cmo_account_use`));
    const use = async (halfLifeSeconds: number) => {
      await system((tx) => accrueUse(tx, halfLifeSeconds));
      const { rows } = await system((tx) =>
        tx.query<{ account: string; gpu: number }>('select account, gpu from cmo_account_use order by account'),
      );
      return rows;
    };
    const first = await use(100);
    expect(first.map(({ account }) => account)).toEqual([
      a.tenant,
      `${a.tenant}/${a.project}`,
      `${a.tenant}/${a.project}/key_test`,
    ]);
    await system((tx) => tx.query(`update cmo_account_use set at = now() - interval '100 s', gpu = 400000`));
    // 400 device-seconds faded by half, and two devices for 100 seconds.
    for (const { gpu } of await use(100)) expect(gpu / 1000).toBeCloseTo(400, -1);
    expect((await system(readAccounts)).map(({ id: account }) => account)).toEqual([a.tenant]);
    await system((tx) => setAccount(tx, { ...a, weight: 2, quotas: [] }));
    expect((await system(readAccounts)).map(({ id: account, weight }) => [account, weight])).toEqual([
      [a.tenant, 1],
      [`${a.tenant}/${a.project}`, 2],
    ]);
  }, 120_000);

  it('is seen by its tenant and set by operators only', async () => {
    const [a, b] = [await system(addTenant), await system(addTenant)];
    await system((tx) => setAccount(tx, { tenant: a.tenant, weight: 3, quotas: [quota('gpu/H100', 1, 0)] }));
    const seen = (tenant: string) =>
      withTenant(database.db, tenant, async (tx) => (await tx.query('select id from cmo_accounts')).rows.length);
    expect([await seen(a.tenant), await seen(b.tenant)]).toEqual([1, 0]);
    await expect(
      withTenant(database.db, a.tenant, (tx) => tx.query('update cmo_accounts set weight = 9')),
    ).rejects.toMatchObject({ code: '42501' });
    for (const statement of ['weight = 0', `weight = 'nan'`, `weight = 'infinity'`, 'running_jobs = -1', `id = 'x'`]) {
      await expect(system((tx) => tx.query(`update cmo_accounts set ${statement}`))).rejects.toMatchObject({
        code: '23514',
      });
    }
  }, 60_000);
});

describe('what was before a scheduler started', () => {
  it('is read from rows: how long jobs ran that ended by themselves, and what was ended for others within the hour', async () => {
    const [a, b] = [await system(addTenant), await system(addTenant)];
    const ended = async (owner: Owner, seconds: number, state: string, outcome: string, ago = 60) => {
      const id = await submit(owner, 2, { timeouts: { run: '2h' } });
      await system((tx) =>
        tx.query(
          `update cmo_jobs set state = $2, pending_reason = null, attempt_count = 1, ended_at = now() - make_interval(secs => $3)
           where id = $1`,
          [id, state, ago],
        ),
      );
      await system((tx) =>
        tx.query(
          `insert into cmo_attempts (id, tenant, job_id, number, state, outcome, backend, site_id, explanation, placed_at, ended_at)
           values ($1, $2, $3, 1, 'ended', $4, 'agent', $5, '{}', now() - make_interval(secs => $6), now() - make_interval(secs => $7))`,
          [newId('attempt'), owner.tenant, id, outcome, site.id, ago + seconds, ago],
        ),
      );
    };
    await ended(a, 100, 'succeeded', 'succeeded');
    await ended(b, 300, 'failed', 'failed', 50);
    await ended(a, 200, 'cancelled', 'cancelled');
    await ended(a, 10, 'cancelled', 'preempted', 600);
    await ended(a, 10, 'cancelled', 'preempted', 4000);
    const { runs, preemptedAt } = await system(readHistory);
    expect(runs.map(({ traits, startedAt, endedAt }) => [Math.round((endedAt - startedAt) / 1000), traits])).toEqual([
      [300, { user: 'key_test', name: 'job', size: 2, runSeconds: 7200 }],
      [100, { user: 'key_test', name: 'job', size: 2, runSeconds: 7200 }],
    ]);
    expect(preemptedAt.map((at) => Math.round((Date.now() - at) / 60_000))).toEqual([10]);
  }, 60_000);
});
