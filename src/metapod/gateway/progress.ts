/**
 * How far a start is, into the job's timeline as an event `job.preparing`.
 *
 * A node may say it only of a rank that was placed on it, under its token and before the rank runs, and only so often:
 * the words are the node's, and nothing but people reads them.
 */
import { type ProgressFrame, progressEverySeconds } from '../../common/contract/agent/progress.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents } from '../../common/events/index.ts';

/** @returns whether it was recorded */
export async function recordProgress(tx: Transaction, nodeId: string, frame: ProgressFrame): Promise<boolean> {
  const { rows } = await tx.query<{ tenant: string; job_id: string; revision: bigint; number: number }>(
    `select a.tenant, a.job_id, j.revision, a.number
     from cmo_attempts a join cmo_jobs j on j.id = a.job_id
     join cmo_attempt_ranks r on r.attempt_id = a.id and r.rank = $3 and r.node_id = $2
     where a.id = $1 and a.token = $4::numeric and a.state <> 'ended' and r.state in ('placed', 'starting')
       and not exists (select from feed_events e
                       where e.subject = a.job_id and e.tenant = a.tenant and e.kind = 'job.preparing'
                         and e.at > now() - make_interval(secs => $5) and e.data ->> 'rank' = ($3::int)::text)`,
    [frame.attemptId, nodeId, frame.rank, frame.token, progressEverySeconds],
  );
  const row = rows[0];
  if (row === undefined) return false;
  const { attemptId, rank, message } = frame;
  await appendEvents(tx, [
    {
      tenant: row.tenant,
      kind: 'job.preparing',
      subject: row.job_id,
      revision: row.revision,
      data: { attempt: attemptId, number: row.number, rank, message, who: 'node' },
    },
  ]);
  return true;
}
