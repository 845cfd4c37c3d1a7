/** The queue of a tenant. Costs by the jobs that the tenant has queued. */
import type { PendingReason } from '../../common/contract/states/job.ts';
import type { Queryable } from '../../common/database/queryable.ts';
import type { JobRow } from './rows.ts';

export interface QueueView {
  /** How many wait for what, most first. */
  readonly reasons: readonly { readonly reason: PendingReason; readonly jobs: number }[];
  /** Those that the scheduler's last words gave a place in its line, in that order; then the others, highest priority first, then the oldest. */
  readonly first: readonly JobRow[];
}

/** @param limit most jobs in `first` */
export async function readQueue(tx: Queryable, tenant: string, limit: number): Promise<QueueView> {
  const reasons = await tx.query<{ reason: PendingReason; jobs: number }>(
    `select pending_reason as reason, count(*)::int as jobs from cmo_jobs
     where tenant = $1 and state = 'queued' group by pending_reason order by jobs desc, reason`,
    [tenant],
  );
  const first = await tx.query<JobRow>(
    `select * from cmo_jobs where tenant = $1 and state = 'queued'
     order by (pending_detail ->> 'ahead')::float8 nulls last, priority desc, submitted_at, id limit $2`,
    [tenant, limit],
  );
  return { reasons: reasons.rows, first: first.rows };
}
