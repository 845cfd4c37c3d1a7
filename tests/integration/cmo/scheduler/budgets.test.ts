import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spentSince } from '../../../../src/billing/index.ts';
import { insertJob } from '../../../../src/cmo/jobs/index.ts';
import { accrueUse, readAccounts, setAccount } from '../../../../src/cmo/scheduler/accounts/account-rows.ts';
import type { BudgetSetting } from '../../../../src/cmo/scheduler/accounts/budget-rows.ts';
import type { WorkloadScheduler } from '../../../../src/cmo/scheduler/index.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import { addJobs, addTenant, gib, inventory } from '../../drm/support/fleet.ts';
import { jobReaches, startScheduler } from './support/running-scheduler.ts';

type Owner = { readonly tenant: string; readonly project: string };

let database: TestDatabase;
let site: Site;
let wake: LocalWake;
let scheduler: WorkloadScheduler | undefined;
let owner: Owner;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

beforeEach(async () => {
  database = await createTestDatabase();
  site = await system((tx) => createSite(tx, { name: 'here', cpuUsdPerHour: 1_000_000n as never }, 'test'));
  wake = new LocalWake();
  owner = await system(addTenant);
  await system((tx) => registerNode(tx, { nodeId: newId('node') as string, siteId: site.id, inventory: inventory() }));
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = undefined;
  await database?.drop();
});

/** An interval of a job: one core at a dollar an hour. Ages in seconds before now; no end: open. */
async function used(job: string, began: number, ended: number | null, more: { joules?: number; cost?: number } = {}) {
  await system((tx) =>
    tx.query(
      `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli, memory_bytes,
         device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at, ended_at, energy_joules, cost_micro_usd)
       values ($1, $2, $3, $4, $1, 0, 'node', 'site', 1000, $9, 2000, '[]', 2000000, 1000000, 100000, now() - make_interval(secs => $5),
         now() - make_interval(secs => $6), $7, $8)`,
      [newId('usage'), owner.tenant, owner.project, job, began, ended, more.joules ?? null, more.cost ?? null, gib],
    ),
  );
}

const spent = (seconds: number, whose: { project?: string; submitter?: string } = {}) =>
  system((tx) =>
    spentSince(
      tx,
      { tenant: owner.tenant, project: null, submitter: null, ...whose },
      new Date(Date.now() - seconds * 1000),
    ),
  );

const usd = (dollars: number, more: Partial<BudgetSetting> = {}): BudgetSetting => ({
  kind: 'usd',
  period: 'month',
  amount: dollars * 1e6,
  stops: false,
  ...more,
});
const setBudgets = (...budgets: BudgetSetting[]) =>
  system((tx) => setAccount(tx, { tenant: owner.tenant, weight: 1, quotas: [], budgets }));
const budgetsNow = async () => (await system(readAccounts)).find(({ id }) => id === owner.tenant)!.limits!.budgets!;

async function submit(more: object = {}): Promise<string> {
  const spec = jobSpecSchema.parse({ name: 'job', command: 'true', ...more });
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}

async function start(): Promise<void> {
  scheduler = await startScheduler(database.db, wake);
}

const reaches = (id: string, wanted: Readonly<Record<string, string>>) => jobReaches(database.db, id, wanted);

describe('what an account has spent since an instant', () => {
  it('is what ended since, by its part, and what is open at its prices; energy of what ended', async () => {
    const [a, b] = await system((tx) => addJobs(tx, owner, 2));
    await used(a!, 7200, 3600, { cost: 4_000_000, joules: 7_200_000 });
    await used(b!, 1800, null);
    // Half of the first lies after; an hour of the second would be 2 × $2, $1 and $0.10.
    const half = await spent(5400);
    expect(half.microUsd / 1e6).toBeCloseTo(2 + 2.55, 1);
    expect(half.wattHours).toBeCloseTo(1000, -1);
    expect((await spent(900)).microUsd / 1e6).toBeCloseTo(1.275, 1);
    expect((await spent(900)).wattHours).toBe(0);
    expect((await spent(5400, { project: owner.project })).microUsd).toBeGreaterThan(4e6);
    expect((await spent(5400, { project: 'prj_other' })).microUsd).toBe(0);
    expect((await spent(5400, { submitter: 'test' })).microUsd).toBeGreaterThan(4e6);
    expect((await spent(5400, { submitter: 'somebody' })).microUsd).toBe(0);
  }, 60_000);
});

describe('budgets as rows', () => {
  it('are counted when they are set and each minute, and begin anew with their period', async () => {
    const [job] = await system((tx) => addJobs(tx, owner, 1));
    await used(job!, 60, 30, { cost: 3_000_000 });
    await setBudgets(usd(10), usd(5, { period: 'day', stops: true }), usd(8, { kind: 'kwh', amount: 8000 }));
    expect(await budgetsNow()).toMatchObject([
      { kind: 'wattHours', period: 'month', limit: 8000, spent: 0 },
      { kind: 'microUsd', period: 'day', limit: 5e6, spent: 3e6, stop: true },
      { kind: 'microUsd', period: 'month', limit: 10e6, spent: 3e6 },
    ]);
    await used(job!, 20, 10, { cost: 1_000_000, joules: 3_600_000 });
    expect((await budgetsNow())[2]!.spent).toBe(3e6);
    await system((tx) => accrueUse(tx, 100));
    expect((await budgetsNow()).map((budget) => budget.spent)).toEqual([1000, 4e6, 4e6]);
    // Counted in the period before: nothing of it is left, though nobody has counted yet.
    await system((tx) => tx.query(`update cmo_budgets set since = since - interval '1 month' where period = 'month'`));
    expect((await budgetsNow()).map((budget) => budget.spent)).toEqual([0, 4e6, 0]);
    await setBudgets();
    expect((await system(readAccounts))[0]!.limits).toEqual({});
  }, 60_000);

  it('are seen by their tenant, written by the system only, and never nonsense', async () => {
    await setBudgets(usd(1));
    const other = await system(addTenant);
    const seen = (tenant: string) =>
      withTenant(database.db, tenant, async (tx) => (await tx.query('select from cmo_budgets')).rows.length);
    expect([await seen(owner.tenant), await seen(other.tenant)]).toEqual([1, 0]);
    await expect(
      withTenant(database.db, owner.tenant, (tx) => tx.query('update cmo_budgets set spent = 0')),
    ).rejects.toMatchObject({ code: '42501' });
    for (const statement of ['amount = -1', 'spent = -1', `period = 'year'`, `kind = 'joules'`]) {
      await expect(system((tx) => tx.query(`update cmo_budgets set ${statement}`))).rejects.toMatchObject({
        code: '23514',
      });
    }
  }, 60_000);
});

describe('the running scheduler', () => {
  it('lets a job wait when the budget is used up, says until when, and lets it go with a larger one', async () => {
    const [old] = await system((tx) => addJobs(tx, owner, 1));
    await system((tx) => tx.query(`update cmo_jobs set state = 'cancelled', pending_reason = null, ended_at = now()`));
    await used(old!, 60, 30, { cost: 3_000_000 });
    await setBudgets(usd(3));
    await start();
    const id = await submit();
    const { message } = await reaches(id, { reason: 'budget_exhausted' });
    expect(message).toMatch(
      /has spent \$3.00 of the \$3.00 that it may spend in a month. It goes on when the next begins, \d{4}-\d\d-01T00:00:00.000Z/,
    );
    await setBudgets(usd(4));
    wake.wake('scheduler');
    await reaches(id, { state: 'starting' });
  }, 120_000);

  it('starts no more than what runs leaves of it, round for round', async () => {
    await setBudgets(usd(3.5));
    await start();
    // A dollar and a little each, for an hour.
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      ids.push(await submit({ timeouts: { run: '1h' } }));
      await until('it was looked at', async () => {
        const { rows } = await system((tx) =>
          tx.query(`select from cmo_jobs where id = $1 and pending_reason is distinct from 'new'`, [ids[i]]),
        );
        return rows.length > 0;
      });
    }
    for (const id of ids.slice(0, 3)) await reaches(id, { state: 'starting' });
    for (const id of ids.slice(3)) {
      const { message } = await reaches(id, { reason: 'budget_exhausted' });
      expect(message).toMatch(/what runs is expected to take \$(3\.0|2\.99)/);
    }
  }, 120_000);

  it('ends what runs only when the budget says so, and lets it wait then', async () => {
    await start();
    const id = await submit();
    await reaches(id, { state: 'starting' });
    await used(id, 60, 30, { cost: 3_000_000 });
    await setBudgets(usd(1));
    wake.wake('scheduler');
    await reaches(await submit(), { reason: 'budget_exhausted' });
    await reaches(id, { state: 'starting' });
    await setBudgets(usd(1, { stops: true }));
    wake.wake('scheduler');
    await reaches(id, { state: 'stopping', stop_reason: 'preempt' });
  }, 120_000);
});
