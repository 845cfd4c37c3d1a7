/** Accounts, quotas and past use as rows. Amounts in thousandths of cores and devices, bytes, and seconds of these. */
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import { writeDirty } from '../../../common/events/index.ts';
import type { QuotaRow } from '../core/quota/quota.ts';
import { type AccountRow, accountId, type PastUse } from '../core/shares/account.ts';
import {
  type BudgetSetting,
  type BudgetState,
  budgetOf,
  budgetsOfAccount,
  countSpent,
  setBudgets,
} from './budget-rows.ts';

interface AccountTableRow {
  id: string;
  parent: string | null;
  declared: boolean;
  weight: number;
  running_jobs: number | null;
  devices_milli: number | null;
  quotas: QuotaRow[];
  budgets: BudgetState[];
  past: number[] | null;
  at: number | null;
}

const readStatement = `
  select id, declared, weight, running_jobs, devices_milli, quotas, budgets, past, at,
         case when id like '%/%' then regexp_replace(id, '/[^/]*$', '') end as parent
  from (
    select coalesce(a.id, u.account) as id, a.id is not null as declared, coalesce(a.weight, 1) as weight,
           a.running_jobs, a.devices_milli::float8 as devices_milli,
           case when u.account is not null then array[u.cpu, u.memory, u.gpu, u.tpu, u.fpga] end as past,
           (extract(epoch from u.at) * 1000)::float8 as at,
           (select coalesce(jsonb_agg(jsonb_build_object('resource', resource, 'guaranteed', guaranteed_milli,
                     'borrowLimit', borrow_milli) order by resource), '[]')
            from cmo_quotas q where q.account = a.id) as quotas,
           ${budgetsOfAccount} as budgets
    from cmo_accounts a full join cmo_account_use u on u.account = a.id
  ) as account order by id`;

/** All accounts that rounds need: those with rows, and past use of those that share with others. In order of id. */
export async function readAccounts(db: Queryable): Promise<AccountRow[]> {
  const { rows } = await db.query<AccountTableRow>(readStatement);
  const divided = new Set(rows.flatMap(({ declared, parent }) => (declared && parent !== null ? [parent] : [])));
  return rows
    .filter(({ declared, parent }) => declared || parent === null || divided.has(parent))
    .map(({ id, parent, weight, quotas, budgets, past, at, running_jobs, devices_milli }) => ({
      id,
      parent,
      weight,
      quotas,
      limits: {
        ...(running_jobs === null ? {} : { runningJobs: running_jobs }),
        ...(devices_milli === null ? {} : { devices: devices_milli }),
        ...(budgets.length === 0 ? {} : { budgets: budgets.map(budgetOf) }),
      },
      ...(past === null || at === null ? {} : { past: { amounts: past, at } satisfies PastUse }),
    }));
}

const accrualLock = 7_302_215_201;
/** Time that no scheduler watched is counted as held for so long at most, seconds. */
const longestGapSeconds = 120;

/**
 * Adds what is held now, for as long as it is since this was done last, to the past use of all accounts. Of schedulers that do it at the
 * same time one does; what is held for less than the time between two calls is counted by chance, which is right on average.
 */
export async function accrueUse(tx: Transaction, halfLifeSeconds: number): Promise<void> {
  const lock = await tx.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1) as locked', [accrualLock]);
  if (!lock.rows[0]!.locked) return;
  await tx.query(
    `with since as (
       select least($2, coalesce(extract(epoch from now() - max(at)), 0))::float8 as seconds from cmo_account_use
     ), held as (
       select j.tenant, j.project, cmo_submitter(j.submitted_by) as user_id, sum(n.cpu_milli)::float8 as cpu, sum(n.memory_bytes)::float8 as memory,
              coalesce(sum(d.gpu), 0)::float8 as gpu, coalesce(sum(d.tpu), 0)::float8 as tpu, coalesce(sum(d.fpga), 0)::float8 as fpga
       from drm_allocations al
       join cmo_jobs j on j.id = al.job_id
       join drm_allocation_nodes n on n.allocation_id = al.id
       cross join lateral (
         select sum(held.milli) filter (where kind = 'gpu') as gpu, sum(held.milli) filter (where kind = 'tpu') as tpu,
                sum(held.milli) filter (where kind = 'fpga') as fpga
         from drm_allocation_devices held join drm_devices on drm_devices.id = held.device_id
         where held.allocation_id = n.allocation_id and held.rank = n.rank
       ) as d
       where al.state <> 'released'
       group by grouping sets ((j.tenant), (j.tenant, j.project), (j.tenant, j.project, cmo_submitter(j.submitted_by)))
     )
     insert into cmo_account_use as u (account, tenant, cpu, memory, gpu, tpu, fpga, at)
     select concat_ws('/', tenant, project, user_id), tenant, cpu * seconds, memory * seconds, gpu * seconds, tpu * seconds,
            fpga * seconds, now()
     from held, since
     on conflict (account) do update set
       cpu = u.cpu * power(0.5, extract(epoch from now() - u.at)::float8 / $1) + excluded.cpu,
       memory = u.memory * power(0.5, extract(epoch from now() - u.at)::float8 / $1) + excluded.memory,
       gpu = u.gpu * power(0.5, extract(epoch from now() - u.at)::float8 / $1) + excluded.gpu,
       tpu = u.tpu * power(0.5, extract(epoch from now() - u.at)::float8 / $1) + excluded.tpu,
       fpga = u.fpga * power(0.5, extract(epoch from now() - u.at)::float8 / $1) + excluded.fpga,
       at = now()`,
    [halfLifeSeconds, longestGapSeconds],
  );
  await countSpent(tx);
  // After twenty half-lives a millionth is left.
  await tx.query(`delete from cmo_account_use where at < now() - make_interval(secs => $1)`, [20 * halfLifeSeconds]);
}

/** What an operator sets for an account; quotas replace those it had. */
export interface AccountSettings {
  readonly tenant: string;
  readonly project?: string;
  readonly user?: string;
  /** > 0. */
  readonly weight: number;
  readonly runningJobs?: number;
  /** Thousandths. */
  readonly devices?: number;
  readonly quotas: readonly QuotaRow[];
  /** What it may spend; left out: as much as it likes. */
  readonly budgets?: readonly BudgetSetting[];
}

/** Sets an account. The caller has checked it with `checkAccounts`. */
export async function setAccount(tx: Transaction, settings: AccountSettings): Promise<void> {
  const { tenant, project, user, weight, runningJobs, devices, quotas, budgets = [] } = settings;
  const id = accountId(tenant, project, user);
  await tx.query(
    `insert into cmo_accounts (id, tenant, project, user_id, weight, running_jobs, devices_milli)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (id) do update set weight = excluded.weight, running_jobs = excluded.running_jobs,
       devices_milli = excluded.devices_milli, revision = cmo_accounts.revision + 1`,
    [id, tenant, project ?? null, user ?? null, weight, runningJobs ?? null, devices ?? null],
  );
  await tx.query('delete from cmo_quotas where account = $1', [id]);
  await tx.query(
    `insert into cmo_quotas (account, tenant, resource, guaranteed_milli, borrow_milli)
     select $1, $2, * from unnest($3::text[], $4::bigint[], $5::bigint[])`,
    [
      id,
      tenant,
      quotas.map(({ resource }) => resource),
      quotas.map(({ guaranteed }) => guaranteed),
      quotas.map(({ borrowLimit }) => borrowLimit),
    ],
  );
  await setBudgets(tx, id, tenant, budgets);
  await writeDirty(tx, 'account', [id]);
}

/** Forgets what was set for an account. @returns whether there was anything */
export async function removeAccount(
  tx: Transaction,
  tenant: string,
  project?: string,
  user?: string,
): Promise<boolean> {
  const id = accountId(tenant, project, user);
  const { rowCount } = await tx.query('delete from cmo_accounts where id = $1', [id]);
  await writeDirty(tx, 'account', [id]);
  return rowCount === 1;
}
