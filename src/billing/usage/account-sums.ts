/**
 * What an account (a tenant, a project of it, or who submits) spent since an instant, for budgets: of each interval the part after it.
 *
 * Costs by what ended since then and what is open. An open interval costs by its prices; its energy is known only when it ends.
 */
import type { Queryable } from '../../common/database/queryable.ts';

export interface SpendingAccount {
  readonly tenant: string;
  /** Null: all of the tenant. */
  readonly project: string | null;
  /** Id as `cmo_submitter` gives it; null: everybody. */
  readonly submitter: string | null;
}

export interface Spent {
  /** Micro-dollars ≥ 0. */
  readonly microUsd: number;
  readonly wattHours: number;
}

const statement = `
  select coalesce(round(sum(case when ended_at is null
             then (device_usd_per_hour * device_milli / 1000.0 + cpu_usd_per_hour * cpu_milli / 1000.0
                   + memory_usd_per_hour * memory_bytes / 1073741824.0)
                  * greatest(0, extract(epoch from now() - greatest(started_at, $4))) / 3600
             else cost_micro_usd * share end)), 0)::float8 as "microUsd",
         coalesce(round(sum((energy_joules * share / 3600)::numeric)), 0)::float8 as "wattHours"
  from (
    select i.*, case when started_at >= $4 or ended_at is null then 1
                else extract(epoch from ended_at - $4) / extract(epoch from ended_at - started_at) end as share
    from billing_usage_intervals i
    where tenant = $1 and (ended_at > $4 or ended_at is null) and ($2::text is null or project = $2)
      and ($3::text is null or exists (select from cmo_jobs j where j.id = i.job_id and cmo_submitter(j.submitted_by) = $3))
  ) part`;

/** @param since instants at or after this count */
export async function spentSince(
  db: Queryable,
  { tenant, project, submitter }: SpendingAccount,
  since: Date,
): Promise<Spent> {
  const { rows } = await db.query<Spent>(statement, [tenant, project, submitter, since]);
  return rows[0]!;
}
