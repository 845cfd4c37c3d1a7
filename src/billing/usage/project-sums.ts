/**
 * Usage by project, added up by the database: a project may have had a million intervals, of which few are open. Only
 * those come here, to be priced as if they ended now.
 */
import type { Queryable } from '../../common/database/queryable.ts';
import { microUsd } from '../../common/money.ts';
import { sumUsage, type UsageInterval, type UsageSum } from './intervals.ts';

export interface ProjectUsage {
  /** Id of the project. */
  readonly project: string;
  /** Jobs that used something. */
  readonly jobs: number;
  readonly usage: UsageSum;
}

export interface UsageSpan {
  /** Id of one project; null for all. */
  readonly project: string | null;
  /** Only intervals that began at or after `from` and before `to`. */
  readonly from: Date | null;
  readonly to: Date | null;
}

/** What the database adds up of closed intervals. */
export interface ClosedSum {
  intervals: number;
  run_seconds: number;
  device_seconds: number;
  cpu_seconds: number;
  energy_joules: number;
  measured: boolean;
  modelled: boolean;
  cost: bigint;
}

interface SumRow extends ClosedSum {
  project: string;
  jobs: number;
}

/** Columns of a `ClosedSum`, for a statement that groups intervals. */
export const closedSums = `count(ended_at)::int as intervals,
  coalesce(sum(extract(epoch from ended_at - started_at)), 0)::float8 as run_seconds,
  coalesce(sum(extract(epoch from ended_at - started_at) * device_milli / 1000), 0)::float8 as device_seconds,
  coalesce(sum(cpu_seconds), 0)::float8 as cpu_seconds,
  coalesce(sum(energy_joules), 0)::float8 as energy_joules,
  coalesce(bool_or(energy_source = 'measured'), false) as measured,
  coalesce(bool_or(energy_source = 'modelled'), false) as modelled,
  coalesce(sum(cost_micro_usd), 0)::bigint as cost`;

const within = `tenant = $1 and ($2::text is null or project = $2)
  and ($3::timestamptz is null or started_at >= $3) and ($4::timestamptz is null or started_at < $4)`;

/** Usage of a tenant's projects, by project id; those that used nothing are left out. @param now for what is open */
export async function sumProjects(db: Queryable, tenant: string, span: UsageSpan, now: Date): Promise<ProjectUsage[]> {
  const values = [tenant, span.project, span.from, span.to];
  const { rows } = await db.query<SumRow>(
    `select project, count(distinct job_id)::int as jobs, ${closedSums}
     from billing_usage_intervals where ${within} group by project order by project`,
    values,
  );
  const open = await db.query<UsageInterval & { project: string }>(
    `select * from billing_usage_intervals where ${within} and ended_at is null`,
    values,
  );
  const openByProject = Map.groupBy(open.rows, (interval) => interval.project);
  return rows.map((row) => ({
    project: row.project,
    jobs: row.jobs,
    usage: addOpen(row, sumUsage(openByProject.get(row.project) ?? [], now)),
  }));
}

/** The closed and the open intervals together. */
export function addOpen(closed: ClosedSum, open: UsageSum): UsageSum {
  return {
    intervals: closed.intervals + open.intervals,
    open: open.open,
    runSeconds: closed.run_seconds + open.runSeconds,
    deviceSeconds: closed.device_seconds + open.deviceSeconds,
    cpuSeconds: closed.cpu_seconds,
    energyJoules: closed.energy_joules,
    energySource: closed.modelled ? 'modelled' : closed.measured ? 'measured' : null,
    costMicroUsd: microUsd(closed.cost + open.costMicroUsd),
  };
}
