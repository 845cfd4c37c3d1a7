/** The queue as the scheduler sees it, and the verdicts it writes back on jobs that stay. */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { PendingVerdict } from '../../common/contract/plan.ts';
import type { PendingReason } from '../../common/contract/states/job.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { writeDirty } from '../../common/events/index.ts';

export interface PendingJobRow {
  readonly id: string;
  readonly revision: bigint;
  readonly tenant: string;
  readonly project: string;
  readonly priority: number;
  readonly spec: JobSpec;
  readonly submittedAt: Date;
  readonly deferredUntil: Date | null;
  readonly pendingReason: PendingReason;
  readonly arrayId: string | null;
  /** Id of a user, or of the key when it is nobody's. */
  readonly submittedBy: string;
  readonly name: string;
}

/**
 * Reads jobs that may be planned, by id or all of them. Ids that are missing from the answer are no longer queued, or wait for others.
 * @param after with 'all': only ids above this one, for reading in chunks
 * @param limit with 'all': most rows, > 0
 */
export async function readPendingJobs(
  db: Queryable,
  ids: readonly string[] | 'all',
  { after = '', limit = 5_000 }: { after?: string; limit?: number } = {},
): Promise<PendingJobRow[]> {
  const columns = `id, revision, tenant, project, priority, spec, array_id as "arrayId", submitted_at as "submittedAt",
                   deferred_until as "deferredUntil", pending_reason as "pendingReason", cmo_submitter(submitted_by) as "submittedBy", name`;
  if (ids === 'all') {
    const all = await db.query<PendingJobRow>(
      `select ${columns} from cmo_jobs where state = 'queued' and waits_for = 0 and id > $1 order by id limit $2`,
      [after, limit],
    );
    return all.rows;
  }
  if (ids.length === 0) return [];
  const some = await db.query<PendingJobRow>(
    `select ${columns} from cmo_jobs where id = any($1::text[]) and state = 'queued' and waits_for = 0`,
    [ids],
  );
  return some.rows;
}

/**
 * Stores why jobs stay queued. A verdict is a remark, not a change of the job: it raises no `revision` and writes no
 * dirty key of kind `job`, or every round would invalidate the next one's plan; whoever shows the job learns of it by kind
 * `verdict`. One that says what is stored already writes nothing, so that a long queue costs a round a read. The job may have
 * left the queue; then nothing happens.
 */
export async function recordVerdicts(tx: Transaction, verdicts: readonly PendingVerdict[]): Promise<void> {
  if (verdicts.length === 0) return;
  const sorted = [...verdicts].sort((a, b) => (a.jobId < b.jobId ? -1 : 1));
  const { rows } = await tx.query<{ id: string }>(
    `with verdict as (
       select * from unnest($1::text[], $2::text[], $3::jsonb[]) as v (id, reason, detail)
     ), locked as (
       select j.id from cmo_jobs j join verdict v on v.id = j.id
       where j.state = 'queued' and (j.pending_reason, j.pending_detail) is distinct from (v.reason, v.detail)
       order by j.id for no key update of j skip locked
     )
     update cmo_jobs j set pending_reason = v.reason, pending_detail = v.detail
     from verdict v, locked l where j.id = v.id and l.id = j.id
     returning j.id`,
    [
      sorted.map(({ jobId }) => jobId),
      sorted.map(({ reason }) => reason),
      sorted.map(({ detail }) => JSON.stringify(detail)),
    ],
  );
  await writeDirty(
    tx,
    'verdict',
    rows.map(({ id }) => id),
  );
}
