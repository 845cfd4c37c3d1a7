/** Usage of several jobs in two statements, however many they are: lists show it for every row. */
import type { Queryable } from '../../common/database/queryable.ts';
import { sumUsage, type UsageInterval, type UsageSum } from './intervals.ts';
import { addOpen, type ClosedSum, closedSums } from './project-sums.ts';

/**
 * Usage by job id; jobs that used nothing are left out.
 * @param jobs ids, at most some hundreds
 * @param now for what is open
 */
export async function sumJobs(
  db: Queryable,
  tenant: string,
  jobs: readonly string[],
  now: Date,
): Promise<Map<string, UsageSum>> {
  const values = [tenant, jobs];
  const within = 'tenant = $1 and job_id = any($2::text[])';
  const { rows } = await db.query<ClosedSum & { job_id: string }>(
    `select job_id, ${closedSums} from billing_usage_intervals where ${within} group by job_id`,
    values,
  );
  const open = await db.query<UsageInterval & { job_id: string }>(
    `select * from billing_usage_intervals where ${within} and ended_at is null`,
    values,
  );
  const openByJob = Map.groupBy(open.rows, ({ job_id }) => job_id);
  return new Map(rows.map((row) => [row.job_id, addOpen(row, sumUsage(openByJob.get(row.job_id) ?? [], now))]));
}
