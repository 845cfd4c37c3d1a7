/**
 * Ends running work for other jobs: with its grace, and back to the queue. What it wrote to its checkpoints is what its next attempt begins
 * with, and no retry is used up by it.
 */
import type { Preemption } from '../../common/contract/plan.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';

/**
 * Asks jobs to give up their places for others. Jobs that do not hold any now, or are being stopped already, are passed over.
 * @returns ids of those that are being stopped for it
 */
export async function requestPreempt(tx: Transaction, preemptions: readonly Preemption[]): Promise<string[]> {
  if (preemptions.length === 0) return [];
  const { rows } = await tx.query<{ id: string; tenant: string; revision: bigint; from: string; for: string }>(
    `with want as (
       select * from unnest($1::text[], $2::text[]) as w (id, for_id)
     ), locked as (
       select j.id, j.state as was, w.for_id from cmo_jobs j join want w on w.id = j.id
       where j.state in ('starting', 'running') order by j.id for no key update of j skip locked
     )
     update cmo_jobs j set state = 'stopping', stop_reason = 'preempt', revision = revision + 1
     from locked l where j.id = l.id
     returning j.id, j.tenant, j.revision, l.was as from, l.for_id as for`,
    [preemptions.map(({ jobId }) => jobId), preemptions.map(({ inFavourOf }) => inFavourOf)],
  );
  const ids = rows.map(({ id }) => id);
  await tx.query(
    `update cmo_attempts set due_at = least(due_at, now()) where job_id = any($1::text[]) and state <> 'ended'`,
    [ids],
  );
  await appendEvents(
    tx,
    rows.map(({ id, tenant, revision, from }) => ({
      tenant,
      kind: 'job.stopping',
      subject: id,
      revision,
      // Not for whom: it may be a job of another tenant.
      data: { from, to: 'stopping', why: 'preempt', who: 'scheduler' },
    })),
  );
  await writeDirty(tx, 'job', ids);
  return ids;
}
