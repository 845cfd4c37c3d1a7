/**
 * Jobs by state, each counted along an index and cut off: an exact count of a million jobs costs a second each time
 * somebody looks, and a queue of 10,000 or of 400,000 is "very long" alike.
 */
import type { Queryable } from '../../common/database/queryable.ts';

/** Where a count is cut off. */
export const mostCounted = 10_000;

export interface JobCounts {
  readonly queued: number;
  readonly starting: number;
  readonly running: number;
  readonly stopping: number;
  readonly suspended: number;
  /** Ended at or after the instant. */
  readonly succeededToday: number;
  readonly failedToday: number;
  readonly cancelledToday: number;
}

const alive = ['queued', 'starting', 'running', 'stopping', 'suspended'] as const;
const ended = ['succeeded', 'failed', 'cancelled'] as const;

const statement = [
  ...alive.map(
    (state) =>
      `(select count(*)::int from (select from cmo_jobs where tenant = $1 and state = '${state}' limit $3) s) as ${state}`,
  ),
  ...ended.map(
    (state) => `(select count(*)::int from (select from cmo_jobs
       where tenant = $1 and state = '${state}' and ended_at >= $2 limit $3) s) as "${state}Today"`,
  ),
].join(', ');

/** Counts the tenant's jobs. @param since from when on ended jobs count */
export async function countJobs(
  db: Queryable,
  tenant: string,
  since: Date,
): Promise<{ readonly counts: JobCounts; readonly capped: boolean }> {
  const { rows } = await db.query<JobCounts>(`select ${statement}`, [tenant, since, mostCounted]);
  const counts = rows[0]!;
  return { counts, capped: Object.values(counts).some((count) => count >= mostCounted) };
}
