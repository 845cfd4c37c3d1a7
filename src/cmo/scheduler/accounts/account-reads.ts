/** Accounts as people see them: what was set, what is used now, and what of the past counts. */
import type { Queryable } from '../../../common/database/queryable.ts';
import type { QuotaRow } from '../core/quota/quota.ts';
import { type BudgetState, budgetsOfAccount } from './budget-rows.ts';

export interface AccountView {
  readonly project: string | null;
  readonly submitter: string | null;
  /** Somebody set it. */
  readonly declared: boolean;
  readonly weight: number;
  /** Amounts in thousandths. */
  readonly quotas: readonly QuotaRow[];
  readonly budgets: readonly BudgetState[];
  readonly runningJobs: number | null;
  /** Thousandths. */
  readonly devices: number | null;
  /** Held now: jobs, thousandths of cores and devices, bytes. */
  readonly held: {
    readonly jobs: number;
    readonly cpu: number;
    readonly memory: number;
    readonly gpu: number;
    readonly tpu: number;
    readonly fpga: number;
  };
  /** Thousandths of devices times seconds, as decayed until they were last counted. */
  readonly pastDeviceMilliSeconds: number;
}

/** Most accounts in an answer; the tenant and what was set come first. */
const mostAccounts = 1_000;

/**
 * The accounts of a tenant that were set or use something, and the tenant itself. Costs by what the tenant holds now.
 * @param tx of the system
 */
export async function listAccounts(tx: Queryable, tenant: string): Promise<AccountView[]> {
  const { rows } = await tx.query<AccountView>(
    `with held as (
       select concat_ws('/', j.tenant, j.project, j.submitter) as id, j.project, j.submitter, count(distinct j.job)::int as jobs,
              sum(j.cpu)::float8 as cpu, sum(j.memory)::float8 as memory, sum(j.gpu)::float8 as gpu, sum(j.tpu)::float8 as tpu,
              sum(j.fpga)::float8 as fpga
       from (
         select job.tenant, job.project, cmo_submitter(job.submitted_by) as submitter, job.id as job, n.cpu_milli as cpu,
                n.memory_bytes as memory, d.gpu, d.tpu, d.fpga
         from cmo_jobs job
         join drm_allocations al on al.job_id = job.id and al.state <> 'released'
         join drm_allocation_nodes n on n.allocation_id = al.id
         cross join lateral (
           select coalesce(sum(h.milli) filter (where kind = 'gpu'), 0) as gpu,
                  coalesce(sum(h.milli) filter (where kind = 'tpu'), 0) as tpu,
                  coalesce(sum(h.milli) filter (where kind = 'fpga'), 0) as fpga
           from drm_allocation_devices h join drm_devices on drm_devices.id = h.device_id
           where h.allocation_id = n.allocation_id and h.rank = n.rank
         ) d
         where job.tenant = $1 and job.state in ('starting', 'running', 'stopping')
       ) j
       group by grouping sets ((j.tenant), (j.tenant, j.project), (j.tenant, j.project, j.submitter))
     ), declared as (
       select a.*, (select coalesce(jsonb_agg(jsonb_build_object('resource', resource, 'guaranteed', guaranteed_milli,
                             'borrowLimit', borrow_milli) order by resource), '[]')
                    from cmo_quotas q where q.account = a.id) as quotas,
                   ${budgetsOfAccount} as budgets
       from cmo_accounts a where a.tenant = $1
     ), every as (
       select id from held union select id from declared union select $1
     )
     select coalesce(d.project, h.project) as project, coalesce(d.user_id, h.submitter) as submitter,
            d.id is not null as declared, coalesce(d.weight, 1) as weight, coalesce(d.quotas, '[]') as quotas,
            coalesce(d.budgets, '[]') as budgets,
            d.running_jobs as "runningJobs", d.devices_milli::float8 as devices,
            jsonb_build_object('jobs', coalesce(h.jobs, 0), 'cpu', coalesce(h.cpu, 0), 'memory', coalesce(h.memory, 0),
              'gpu', coalesce(h.gpu, 0), 'tpu', coalesce(h.tpu, 0), 'fpga', coalesce(h.fpga, 0)) as held,
            coalesce(u.gpu + u.tpu + u.fpga, 0) as "pastDeviceMilliSeconds"
     from every
     left join held h on h.id = every.id
     left join declared d on d.id = every.id
     left join cmo_account_use u on u.account = every.id
     order by every.id <> $1, d.id is null, every.id limit $2`,
    [tenant, mostAccounts],
  );
  return rows;
}
